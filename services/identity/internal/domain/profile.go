package domain

import (
	"strings"
	"time"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// ProfileChange is what a person wants to be different. Nil and the empty etag ask for nothing. That there are such
// a locale and a time zone was looked up before: their registers are no rules.
type ProfileChange struct {
	DisplayName *string
	Title       *string
	Locale      *string
	TimeZone    *string
	Etag        string
}

// Change applies a change and reports whether anything is different afterwards.
func (u User) Change(change ProfileChange, now time.Time) (User, bool, error) {
	if err := errs.CheckETag(change.Etag, u.Etag()); err != nil {
		return u, false, err
	}
	changed := u
	for _, field := range []struct {
		wanted *string
		value  *string
		name   string
		parse  func(text, field string) (string, error)
	}{
		{change.DisplayName, &changed.DisplayName, "user.displayName", ParseDisplayName},
		{change.Title, &changed.Title, "user.title", parseTitle},
		{change.Locale, &changed.Locale, "user.locale", parseKnown},
		{change.TimeZone, &changed.TimeZone, "user.timeZone", parseKnown},
	} {
		if field.wanted == nil {
			continue
		}
		parsed, err := field.parse(*field.wanted, field.name)
		if err != nil {
			return u, false, err
		}
		*field.value = parsed
	}
	if changed == u {
		return u, false, nil
	}
	return changed.touched(now), true, nil
}

// WithAvatar gives the user another picture, or none.
func (u User) WithAvatar(avatarID id.ID, now time.Time) User {
	u.AvatarID = avatarID
	return u.touched(now)
}

func (u User) touched(now time.Time) User {
	u.Revision++
	u.UpdatedAt = now
	return u
}

// Avatar is a person's picture, as it was encoded here.
type Avatar struct {
	ID          id.ID
	ContentType string
	Image       []byte
	CreatedAt   time.Time
}

func parseTitle(text, _ string) (string, error) { return strings.TrimSpace(text), nil }

// parseKnown takes a name that app has found in the register of such names.
func parseKnown(text, _ string) (string, error) { return text, nil }
