package domain

import (
	"strings"
	"time"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// FirstRevision is the access revision that an organization begins with: it holds the first owner.
const FirstRevision = 1

const (
	minSlug = 3
	maxSlug = 40
	// suffixLength is how many characters set a generated slug apart: 24 random bits.
	suffixLength = 6
)

// Organization is a tenant.
type Organization struct {
	ID          id.ID
	DisplayName string
	Slug        string
	CreatedAt   time.Time
	UpdatedAt   time.Time
	// Revision grows with every change.
	Revision int64
}

// CheckDisplayName returns the name as it is kept: without space around it. field is how the caller spells the field.
func CheckDisplayName(field, name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" {
		return "", errs.Invalid(field, "string.min_len", "must not be blank")
	}
	return name, nil
}

// SlugFrom makes a short name of a display name: its ASCII letters and digits in lower case, a hyphen for whatever
// stands between them. It fits the contract's pattern whatever the name is.
func SlugFrom(displayName string) string {
	var slug strings.Builder
	gap := false
	for _, char := range strings.ToLower(displayName) {
		if (char < 'a' || char > 'z') && (char < '0' || char > '9') {
			gap = true
			continue
		}
		if gap && slug.Len() > 0 {
			slug.WriteByte('-')
		}
		gap = false
		slug.WriteRune(char)
	}
	made := cut(slug.String(), maxSlug)
	switch {
	case made == "":
		return "organization"
	case len(made) < minSlug:
		return made + "-org"
	}
	return made
}

// SlugWithSuffix returns the slug with random characters of the identifier behind it, for when the plain one is taken.
func SlugWithSuffix(slug string, random id.ID) string {
	text := random.String()
	return cut(slug, maxSlug-suffixLength-1) + "-" + text[len(text)-suffixLength:]
}

func cut(slug string, length int) string {
	if len(slug) > length {
		slug = slug[:length]
	}
	return strings.TrimRight(slug, "-")
}
