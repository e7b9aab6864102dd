package app

import (
	"regexp"
	"time"

	"golang.org/x/text/language"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

// lookUpPlace finds the locale and the time zone of a change in the registers of what there is.
func lookUpPlace(change domain.ProfileChange) (domain.ProfileChange, error) {
	if change.Locale != nil {
		locale, err := findLocale(*change.Locale, "user.locale")
		if err != nil {
			return change, err
		}
		change.Locale = &locale
	}
	if change.TimeZone != nil {
		return change, checkTimeZone(*change.TimeZone, "user.timeZone")
	}
	return change, nil
}

// findLocale takes a BCP 47 tag of registered parts and returns it in its canonical form; empty takes the locale away.
func findLocale(text, field string) (string, error) {
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

// checkTimeZone refuses what is no zone of the IANA database; empty takes the zone away.
func checkTimeZone(text, field string) error {
	if text == "" {
		return nil
	}
	if zoneName.MatchString(text) && text != "Local" {
		if _, err := time.LoadLocation(text); err == nil {
			return nil
		}
	}
	return errs.Invalid(field, "time_zone.known", "must be the name of a time zone such as Europe/Lisbon")
}
