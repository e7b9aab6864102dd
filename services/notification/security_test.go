package notification_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/id"
)

func TestOwnersHearWhatGetsIntoTheirAccounts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.work()
	_, ada := b.person(id.New(), "ada")
	for text, message := range map[string]proto.Message{
		"Another authenticator app": &identityv1.FactorAdded{UserId: ada.String(), Name: "typed by somebody"},
		"was removed":               &identityv1.FactorRemoved{UserId: ada.String()},
		"only a copy is":            &identityv1.FactorSuspected{UserId: ada.String()},
		"New backup codes":          &identityv1.BackupCodesRegenerated{UserId: ada.String()},
		"in place of":               &identityv1.BackupCodeUsed{UserId: ada.String(), Left: 3},
		"such as Google":            &identityv1.ExternalIdentityLinked{UserId: ada.String()},
		"no longer gets into":       &identityv1.ExternalIdentityUnlinked{UserId: ada.String()},
		"they were not let in":      &identityv1.ExternalIdentityRefused{UserId: ada.String()},
		"requires its own provider": &identityv1.SsoBypassed{UserId: ada.String()},
		"removed all second":        &identityv1.FactorsReset{UserId: ada.String(), Reason: "typed by somebody"},
		"has removed all second":    &identityv1.FactorsResetByOperator{UserId: ada.String(), Reason: "typed by somebody"},
		"you are one from now on":   &identityv1.OperatorCreated{UserId: ada.String(), Role: "ADMIN"},
		"by one of its admins":      &identityv1.OperatorUpdated{UserId: ada.String(), Role: "ADMIN"},
		"or no longer":              &identityv1.OperatorRemoved{UserId: ada.String(), Role: "ADMIN"},
	} {
		before := len(b.mailer.all())
		event := b.event(id.ID{}, ada, message)
		require.NoError(t, b.apply(event))
		require.NoError(t, b.apply(event), "told twice")
		require.Empty(t, b.awaitState(event, "sent"))
		sent := b.mailer.all()[before:]
		require.Len(t, sent, 1, text)
		require.Contains(t, sent[0].Text, text)
		require.NotContains(t, sent[0].Text, "typed by somebody")
	}
}
