package domain

import (
	"time"

	"github.com/braidhq/braid/platform/id"
)

// Comment is a remark on a task.
type Comment struct {
	OrganizationID id.ID
	ID             id.ID
	TaskID         id.ID
	AuthorID       id.ID
	Body           string
	CreateTime     time.Time
	UpdateTime     time.Time
	// Revision is the project's revision at which the comment last changed.
	Revision int64
}

// NewComment checks and makes a comment.
func NewComment(organizationID, taskID, authorID id.ID, body string, now time.Time) (Comment, error) {
	body, err := cleanText("body", body)
	if err != nil {
		return Comment{}, err
	}
	return Comment{
		OrganizationID: organizationID, ID: id.New(), TaskID: taskID, AuthorID: authorID, Body: body,
		CreateTime: now, UpdateTime: now,
	}, nil
}

// ETag changes with every change of the comment.
func (c Comment) ETag() string { return ETag(c.Revision) }

// CheckAuthor refuses everybody but the author.
func (c Comment) CheckAuthor(userID id.ID) error {
	if c.AuthorID != userID {
		return ErrNotAuthor
	}
	return nil
}

// Edit changes the text and reports whether it differs.
func (c *Comment) Edit(body string, now time.Time) (changed bool, err error) {
	body, err = cleanText("comment.body", body)
	if err != nil || body == c.Body {
		return false, err
	}
	c.Body, c.UpdateTime = body, now
	return true, nil
}
