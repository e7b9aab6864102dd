package notification_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/id"
)

func TestOwnersHearOfABrokenGlass(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.work()
	organizationID := id.New()
	_, ada := b.person(organizationID, "ada")
	_, ben := b.person(organizationID, "ben")
	_, cleo := b.person(organizationID, "cleo")
	b.owners.put(func() {
		b.owners.owning[organizationID.String()] = &organizationv1.ListActiveOwnersResponse{
			OrganizationDisplayName: "Acme", UserIds: []string{ada.String(), ben.String()},
		}
	})
	event := b.event(organizationID, ada, &organizationv1.SsoRequirementBypassed{
		OrganizationId: organizationID.String(), UserId: ada.String(), OwnerIds: []string{ada.String(), ben.String(), cleo.String()},
	})
	require.NoError(t, b.apply(event, event))
	require.Eventually(t, func() bool {
		return b.count(`select count(*) from delivery where event_id = $1 and state <> 'pending'`, event.ID.String()) == 2
	}, patience, 20*time.Millisecond)
	sent := b.mailer.all()
	require.Len(t, sent, 1, "Ada has a mail of her own, and Cleo is no owner any more")
	require.Equal(t, "ben@example.org", sent[0].To.Address)
	require.Contains(t, sent[0].Subject, "signed in past the provider of Acme")
}

func TestOwnersHearOfDeletionsAndPolicies(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.work()
	organizationID := id.New()
	_, ada := b.person(organizationID, "ada")
	_, ben := b.person(organizationID, "ben")
	owners := []string{ada.String(), ben.String()}
	b.owners.put(func() {
		b.owners.owning[organizationID.String()] = &organizationv1.ListActiveOwnersResponse{OrganizationDisplayName: "Acme", UserIds: owners}
	})
	for subject, message := range map[string]proto.Message{
		"Acme is about to be deleted":    &organizationv1.OrganizationDeletionRequested{OrganizationId: organizationID.String(), OwnerIds: owners},
		"Acme is not deleted":            &organizationv1.OrganizationDeletionCancelled{OrganizationId: organizationID.String(), OwnerIds: owners},
		"The policy of Acme has changed": &organizationv1.PolicyUpdated{OrganizationId: organizationID.String(), OwnerIds: owners},
	} {
		before := len(b.mailer.all())
		event := b.event(organizationID, ada, message)
		require.NoError(t, b.apply(event, event))
		require.Eventually(t, func() bool {
			return b.count(`select count(*) from delivery where event_id = $1 and state = 'sent'`, event.ID.String()) == 2
		}, patience, 20*time.Millisecond, subject)
		for _, sent := range b.mailer.all()[before:] {
			require.Equal(t, subject, sent.Subject)
		}
	}
}

func TestALinkIsMailedWhileItsLoginIsOpen(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.work()
	link := func(lifetime time.Duration) string {
		linkID := id.New().String()
		b.owners.put(func() {
			b.owners.links[linkID] = &identityv1.GetProviderLinkMailResponse{
				Email: "ada@example.org", Token: "the-token", ExpireTime: timestamppb.New(b.clock.Now().Add(lifetime)),
			}
		})
		return linkID
	}
	open := b.event(id.ID{}, id.New(), &identityv1.ProviderLinkRequested{UserId: id.New().String(), LinkId: link(time.Minute)})
	over := b.event(id.ID{}, id.New(), &identityv1.ProviderLinkRequested{UserId: id.New().String(), LinkId: link(-time.Minute)})
	require.NoError(t, b.apply(open, over))
	require.Empty(t, b.awaitState(open, "sent"))
	require.Contains(t, b.awaitState(over, "skipped"), "over")
	sent := b.mailer.all()
	require.Len(t, sent, 1)
	require.Contains(t, sent[0].Text, "https://braid.example.com/link-provider?token=the-token")
}
