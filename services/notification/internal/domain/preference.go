package domain

import (
	"fmt"
	"slices"

	"github.com/braidhq/braid/platform/errs"
)

// Preference says whether a person wants one kind on one channel.
type Preference struct {
	Kind    Kind
	Channel Channel
	Enabled bool
}

func (p Preference) samePlace(other Preference) bool {
	return p.Kind == other.Kind && p.Channel == other.Channel
}

// CheckPreferences refuses kinds and channels that do not exist, and a second row for the same ones, naming the first
// such row.
func CheckPreferences(given []Preference) error {
	for i, preference := range given {
		if !slices.Contains(PreferenceKinds(), preference.Kind) {
			return ErrKindUnknown.WithViolation(errs.Violation{
				Field: fmt.Sprintf("preferences[%d].kind", i), Rule: "kind.known",
				Message: "must be task_assigned, task_commented or task_status_changed",
			})
		}
		if !slices.Contains(Channels(), preference.Channel) {
			return ErrChannelUnknown.WithViolation(errs.Violation{
				Field: fmt.Sprintf("preferences[%d].channel", i), Rule: "channel.known", Message: "must be in_app or email",
			})
		}
		if slices.ContainsFunc(given[:i], preference.samePlace) {
			return errs.Invalid(fmt.Sprintf("preferences[%d]", i), "preferences.repeated",
				"has the kind and channel of an earlier row")
		}
	}
	return nil
}

// MergePreferences lays later rows over earlier ones: of several for the same kind and channel the last one counts.
// Each kind and channel is in the result at most once, in the order it first appeared.
func MergePreferences(rows ...Preference) []Preference {
	type place struct {
		kind    Kind
		channel Channel
	}
	at := map[place]int{}
	var merged []Preference
	for _, row := range rows {
		where, known := at[place{row.Kind, row.Channel}]
		if known {
			merged[where].Enabled = row.Enabled
			continue
		}
		at[place{row.Kind, row.Channel}] = len(merged)
		merged = append(merged, row)
	}
	return merged
}

// CompletePreferences returns one row for every kind and channel: as set, and on where nothing was set. Rows about
// kinds that no longer exist are left out.
func CompletePreferences(set []Preference) []Preference {
	var all []Preference
	for _, kind := range PreferenceKinds() {
		for _, channel := range Channels() {
			all = append(all, Preference{Kind: kind, Channel: channel, Enabled: true})
		}
	}
	return MergePreferences(append(all, set...)...)[:len(all)]
}
