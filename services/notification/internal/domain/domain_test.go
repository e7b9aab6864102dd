package domain_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	notificationv1 "github.com/braidhq/braid/gen/go/braid/notification/v1"
	optionsv1 "github.com/braidhq/braid/gen/go/braid/options/v1"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/notification/internal/domain"
)

func TestErrorsAreInTheContract(t *testing.T) {
	t.Parallel()
	statuses := map[errs.Kind]string{errs.InvalidArgument: "INVALID_ARGUMENT"}
	reasons := notificationv1.ErrorReason(0).Descriptor().Values()
	for _, known := range []*errs.Error{domain.ErrKindUnknown, domain.ErrChannelUnknown} {
		value := reasons.ByName(protoreflect.Name(known.Reason))
		require.NotNil(t, value, known.Reason)
		reason := proto.GetExtension(value.Options(), optionsv1.E_Reason).(*optionsv1.Reason)
		require.Equal(t, statuses[known.Kind], reason.GetStatus())
	}
}

// drawUsers draws identifiers from a few, so that doubles, the actor and zeros come up often.
func drawUsers(t *rapid.T) (actor id.ID, concerned []id.ID) {
	pool := []id.ID{{}, {1}, {2}, {3}, {4}}
	return rapid.SampledFrom(pool).Draw(t, "actor"), rapid.SliceOf(rapid.SampledFrom(pool)).Draw(t, "concerned")
}

func TestTheActorIsNeverToldAndOthersOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		actor, concerned := drawUsers(t)
		recipients := domain.TaskFact{ActorID: actor, Concerned: concerned}.Recipients()
		if slices.Contains(recipients, actor) || slices.Contains(recipients, id.ID{}) {
			t.Fatalf("%v are told of the doing of %v", recipients, actor)
		}
		for i, recipient := range recipients {
			if slices.Contains(recipients[:i], recipient) || !slices.Contains(concerned, recipient) {
				t.Fatalf("%v come from %v", recipients, concerned)
			}
		}
		for _, userID := range concerned {
			if !userID.IsZero() && userID != actor && !slices.Contains(recipients, userID) {
				t.Fatalf("%v are told, %v is not", recipients, userID)
			}
		}
	})
}

func TestDerivedIDs(t *testing.T) {
	t.Parallel()
	event, other, user := id.New(), id.New(), id.New()
	derived := domain.DeriveID(event, user, domain.Email)
	require.Equal(t, derived, domain.DeriveID(event, user, domain.Email))
	require.NotEqual(t, derived, domain.DeriveID(event, user, domain.InApp))
	require.NotEqual(t, derived, domain.DeriveID(event, id.ID{}, domain.Email))
	require.NotEqual(t, derived, domain.DeriveID(other, user, domain.Email))
	// Still a UUIDv7 of the event's time: anything that reads or sorts identifiers goes on working.
	require.Equal(t, event[:6], derived[:6])
	require.Equal(t, byte(0x70), derived[6]&0xf0)
	require.Equal(t, byte(0x80), derived[8]&0xc0)
}

func TestTitles(t *testing.T) {
	t.Parallel()
	reader, other := id.New(), id.New()
	fact := domain.TaskFact{TaskKey: "WEB-12", TaskTitle: "Fix the login", TaskStatus: "in_review", Time: time.Now()}
	fact.AssigneeID, fact.PreviousAssigneeID = reader, other
	for kind, title := range map[domain.Kind]string{
		domain.TaskAssigned:      "WEB-12 was assigned to you: Fix the login",
		domain.TaskCommented:     "New comment on WEB-12: Fix the login",
		domain.TaskStatusChanged: "WEB-12 is now in review: Fix the login",
	} {
		fact.Kind = kind
		require.Equal(t, title, fact.Title(reader))
	}
	fact.Kind = domain.TaskAssigned
	require.Equal(t, "WEB-12 is no longer assigned to you: Fix the login", fact.Title(other))
	require.Equal(t, "WEB-12 has a new assignee: Fix the login", fact.Title(id.New()))
	fact.AssigneeID = id.ID{}
	require.Equal(t, "WEB-12 is no longer assigned: Fix the login", fact.Title(id.New()))
	require.Equal(t, "WEB-12 is no longer assigned to you: Fix the login", fact.Title(other))
	require.Equal(t, "waiting", domain.StatusName("waiting"))
}

func TestCheckPreferences(t *testing.T) {
	t.Parallel()
	good := domain.Preference{Kind: domain.TaskAssigned, Channel: domain.Email}
	require.NoError(t, domain.CheckPreferences([]domain.Preference{good}))
	for name, test := range map[string]struct {
		bad   domain.Preference
		want  error
		field string
	}{
		"kind":                {domain.Preference{Kind: "gossip", Channel: domain.Email}, domain.ErrKindUnknown, "preferences[1].kind"},
		"always on":           {domain.Preference{Kind: domain.Invitation, Channel: domain.Email}, domain.ErrKindUnknown, "preferences[1].kind"},
		"channel":             {domain.Preference{Kind: domain.TaskAssigned, Channel: "pigeon"}, domain.ErrChannelUnknown, "preferences[1].channel"},
		"spelling of channel": {domain.Preference{Kind: domain.TaskAssigned, Channel: "EMAIL"}, domain.ErrChannelUnknown, "preferences[1].channel"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := domain.CheckPreferences([]domain.Preference{good, test.bad})
			require.ErrorIs(t, err, test.want)
			require.Equal(t, test.field, errs.From(err).Violations[0].Field)
		})
	}
}

func drawPreferences(t *rapid.T, label string) []domain.Preference {
	kinds := append(domain.PreferenceKinds(), "gone")
	return rapid.SliceOf(rapid.Custom(func(t *rapid.T) domain.Preference {
		return domain.Preference{
			Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Channel: rapid.SampledFrom(domain.Channels()).Draw(t, "channel"),
			Enabled: rapid.Bool().Draw(t, "enabled"),
		}
	})).Draw(t, label)
}

func TestMergedPreferencesKeepTheLastWord(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rows := drawPreferences(t, "rows")
		merged := domain.MergePreferences(rows...)
		for i, row := range merged {
			last := rows[lastIndex(rows, row)]
			if last.Enabled != row.Enabled {
				t.Fatalf("%v became %v", rows, merged)
			}
			if lastIndex(merged, row) != i {
				t.Fatalf("%v is twice in %v", row, merged)
			}
		}
		for _, row := range rows {
			if lastIndex(merged, row) < 0 {
				t.Fatalf("%v is not in %v", row, merged)
			}
		}
	})
}

func TestCompletePreferencesHaveEveryRowOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		set := drawPreferences(t, "set")
		all := domain.CompletePreferences(set)
		if len(all) != len(domain.PreferenceKinds())*len(domain.Channels()) {
			t.Fatalf("%d rows", len(all))
		}
		for i, row := range all {
			if row.Kind != domain.PreferenceKinds()[i/2] || row.Channel != domain.Channels()[i%2] {
				t.Fatalf("row %d is %v", i, row)
			}
			wanted := true
			if at := lastIndex(set, row); at >= 0 {
				wanted = set[at].Enabled
			}
			if row.Enabled != wanted {
				t.Fatalf("%v from %v", row, set)
			}
		}
	})
}

func lastIndex(rows []domain.Preference, like domain.Preference) int {
	for i := len(rows) - 1; i >= 0; i-- {
		if rows[i].Kind == like.Kind && rows[i].Channel == like.Channel {
			return i
		}
	}
	return -1
}
