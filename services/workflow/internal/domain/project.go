// Package domain holds the rules of projects, tasks and comments: what may follow what, what is valid, what counts as a
// change. It does no IO and knows no contract and no database.
package domain

import (
	"time"

	"github.com/braidhq/braid/platform/id"
)

// Project holds tasks, and counts what happens in it.
type Project struct {
	OrganizationID id.ID
	ID             id.ID
	Key            string
	DisplayName    string
	Description    string
	Archived       bool
	CreateTime     time.Time
	UpdateTime     time.Time
	// OwnerID is who created it; zero when nobody knows.
	OwnerID id.ID
	// Revision is that of the latest change of anything in the project, OwnRevision of the project's own fields.
	Revision    int64
	OwnRevision int64
}

// ProjectRef names a project.
type ProjectRef struct {
	OrganizationID id.ID
	ProjectID      id.ID
}

// NewProject checks and makes a project; its key has been checked by the contract's rule.
func NewProject(organizationID, ownerID id.ID, key, displayName, description string, now time.Time) (Project, error) {
	displayName, err := cleanText("displayName", displayName)
	if err != nil {
		return Project{}, err
	}
	return Project{
		OrganizationID: organizationID, ID: id.New(), Key: key, DisplayName: displayName, Description: description,
		OwnerID: ownerID, CreateTime: now, UpdateTime: now,
	}, nil
}

// Ref names the project.
func (p Project) Ref() ProjectRef {
	return ProjectRef{OrganizationID: p.OrganizationID, ProjectID: p.ID}
}

// ETag changes with every change of the project's own fields.
func (p Project) ETag() string { return ETag(p.OwnRevision) }

// CheckWritable refuses changes in an archived project.
func (p Project) CheckWritable() error {
	if p.Archived {
		return ErrProjectArchived
	}
	return nil
}

// NextRevision takes the project's next revision. The project's row must be locked.
func (p *Project) NextRevision() int64 {
	p.Revision++
	return p.Revision
}

// touch notes a change of the project's own fields.
func (p *Project) touch(now time.Time) {
	p.OwnRevision = p.NextRevision()
	p.UpdateTime = now
}

// ProjectPatch is a partial update; nil fields stay.
type ProjectPatch struct {
	DisplayName *string
	Description *string
}

// Update applies a patch and reports whether anything changed.
func (p *Project) Update(patch ProjectPatch, now time.Time) (changed bool, err error) {
	if err := p.CheckWritable(); err != nil {
		return false, err
	}
	next := *p
	if patch.DisplayName != nil {
		if next.DisplayName, err = cleanText("project.displayName", *patch.DisplayName); err != nil {
			return false, err
		}
	}
	if patch.Description != nil {
		next.Description = *patch.Description
	}
	if next == *p {
		return false, nil
	}
	*p = next
	p.touch(now)
	return true, nil
}

// Archive makes the project read-only and reports whether it was not.
func (p *Project) Archive(now time.Time) (changed bool) {
	if p.Archived {
		return false
	}
	p.Archived = true
	p.touch(now)
	return true
}

// Unarchive makes it writable again and reports whether it was not.
func (p *Project) Unarchive(now time.Time) (changed bool) {
	if !p.Archived {
		return false
	}
	p.Archived = false
	p.touch(now)
	return true
}
