// Package domain holds identity's types and rules: what an address, a registration, a session and a refresh token are,
// and what may happen to them. It does no IO and knows no clock; the time comes in as a parameter.
package domain

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

const maxDisplayName = 100

// Address is an e-mail address: as a person typed it, for showing and sending, and in the one spelling it is
// recognized by.
type Address struct {
	Typed string
	Key   string
}

// ParseAddress takes what a person typed. Whether it is an address at all only a mail can prove.
func ParseAddress(text string) Address {
	typed := strings.TrimSpace(text)
	return Address{Typed: typed, Key: strings.ToLower(typed)}
}

// User is a person with a proven address.
type User struct {
	ID          id.ID
	Email       string
	DisplayName string
	// Title, Locale (BCP 47) and TimeZone (IANA) are empty when the person has not said.
	Title    string
	Locale   string
	TimeZone string
	// AvatarID names the picture; another one has another id. Zero for none.
	AvatarID id.ID
	// Revision grows with every change.
	Revision  int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// AvatarPath is the user's picture's; empty for none.
func (u User) AvatarPath() string { return AvatarPath(u.AvatarID) }

// AvatarPath is the REST path of a picture; empty for none.
func AvatarPath(avatarID id.ID) string {
	if avatarID.IsZero() {
		return ""
	}
	return "/api/v1/avatars/" + avatarID.String()
}

// NewUser returns a user who has just proven an address.
func NewUser(email, displayName string, now time.Time) User {
	return User{ID: id.New(), Email: email, DisplayName: displayName, Revision: 1, CreatedAt: now, UpdatedAt: now}
}

// Etag names the user's present state.
func (u User) Etag() string { return strconv.FormatInt(u.Revision, 16) }

// ParseDisplayName trims a name and refuses one that shows nothing; field is how the caller spells it.
func ParseDisplayName(text, field string) (string, error) {
	name := strings.TrimSpace(text)
	if name == "" {
		return "", errs.Invalid(field, "string.min_len", "must have at least 1 visible character")
	}
	if utf8.RuneCountInString(name) > maxDisplayName {
		return "", errs.Invalid(field, "string.max_len", "must have at most 100 characters")
	}
	return name, nil
}
