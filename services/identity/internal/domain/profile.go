package domain

import (
	"regexp"
	"strings"
	"time"

	"golang.org/x/text/language"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// ProfileChange is what a person wants to be different. Nil and the empty etag ask for nothing.
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
		{change.Locale, &changed.Locale, "user.locale", parseLocale},
		{change.TimeZone, &changed.TimeZone, "user.timeZone", parseTimeZone},
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

// parseLocale takes a BCP 47 tag of registered parts and returns it in its canonical form; empty takes the locale away.
func parseLocale(text, field string) (string, error) {
	if text == "" {
		return "", nil
	}
	tag, err := language.Parse(text)
	if err != nil || tag == language.Und {
		return "", errs.Invalid(field, "locale.known", "must be a BCP 47 language tag such as pt-BR")
	}
	return tag.String(), nil
}

// zoneName is how zones are spelled. The data of systems hold other files beside them ("posix/…", "localtime").
var zoneName = regexp.MustCompile(`^[A-Z][A-Za-z0-9_+-]*(/[A-Z][A-Za-z0-9_+-]*)*$`)

// parseTimeZone takes the name of a zone of the IANA database; empty takes the zone away.
func parseTimeZone(text, field string) (string, error) {
	if text == "" {
		return "", nil
	}
	_, err := time.LoadLocation(text)
	if err != nil || text == "Local" || !zoneName.MatchString(text) {
		return "", errs.Invalid(field, "time_zone.known", "must be the name of a time zone such as Europe/Lisbon")
	}
	return text, nil
}
