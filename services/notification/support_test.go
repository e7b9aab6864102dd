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

func TestOwnersAreMailedAboutSupport(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.work()
	organizationID, grantID := id.New(), id.New()
	_, ada := b.person(organizationID, "ada")
	_, ben := b.person(organizationID, "ben")
	_, cleo := b.person(organizationID, "cleo")
	b.rest.Roles.Remove(organizationID, cleo)
	grant := &organizationv1.SupportGrant{
		Id: grantID.String(), Kind: organizationv1.SupportGrant_GRANT, Access: organizationv1.SupportGrant_WRITE, Reason: "Ticket 42\n\nNobody needs to look.",
		ExpireTime: timestamppb.New(b.clock.Now().Add(time.Hour)),
	}
	b.owners.put(func() {
		b.owners.grants[organizationID.String()+"/"+grantID.String()] = &organizationv1.GetSupportGrantMailResponse{
			OrganizationDisplayName: "Acme\r\nBcc: eve@example.org", SupportGrant: grant,
		}
	})
	tell := func(message proto.Message) (subjects, texts []string, to []string) {
		before := len(b.mailer.all())
		event := b.event(organizationID, id.New(), message)
		require.NoError(t, b.apply(event, event))
		require.Eventually(t, func() bool {
			return b.count(`select count(*) from delivery where event_id = $1 and state <> 'pending'`, event.ID.String()) == 3
		}, patience, 20*time.Millisecond)
		for _, sent := range b.mailer.all()[before:] {
			subjects, texts, to = append(subjects, sent.Subject), append(texts, sent.Text), append(to, sent.To.Address)
		}
		return subjects, texts, to
	}
	owners := []string{ada.String(), ben.String(), cleo.String()}
	subjects, texts, to := tell(&organizationv1.SupportGrantCreated{OrganizationId: organizationID.String(), SupportGrant: grant, OwnerIds: owners})
	require.ElementsMatch(t, []string{"ada@example.org", "ben@example.org"}, to, "who has left hears nothing")
	require.Equal(t, "Support may look into Acme Bcc: eve@example.org", subjects[0])
	require.Contains(t, texts[0], "\n\n> Ticket 42\n> Nobody needs to look.\n\n", "what somebody wrote is shown as that")
	require.Contains(t, texts[0], "to read and to write")
	require.Contains(t, texts[0], "https://braid.example.com/organizations/"+organizationID.String()+"/support-grants")

	subjects, _, _ = tell(&organizationv1.SupportGrantUsed{OrganizationId: organizationID.String(), SupportGrantId: grantID.String(), OwnerIds: owners})
	require.Equal(t, "Support has come to Acme Bcc: eve@example.org", subjects[0])

	b.owners.put(func() {
		grant.Kind, grant.Access = organizationv1.SupportGrant_BREAK_GLASS, organizationv1.SupportGrant_READ
	})
	subjects, texts, to = tell(&organizationv1.SupportGrantCreated{OrganizationId: organizationID.String(), SupportGrant: grant, OwnerIds: owners})
	require.Equal(t, "Support has opened Acme Bcc: eve@example.org without being asked", subjects[0])
	require.Contains(t, texts[0], "to read, until")
	require.Len(t, to, 2)
}

func TestWhoeverIsImpersonatedIsMailed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.work()
	organizationID := id.New()
	_, ada := b.person(organizationID, "ada")
	event := b.event(organizationID, id.New(), &identityv1.ImpersonationStarted{UserId: ada.String(), OrganizationId: organizationID.String(), Reason: "typed by somebody"})
	require.NoError(t, b.apply(event, event))
	require.Empty(t, b.awaitState(event, "sent"))
	sent := b.mailer.all()
	require.Len(t, sent, 1)
	require.Equal(t, "ada@example.org", sent[0].To.Address)
	require.Contains(t, sent[0].Text, "acts in your name")
	require.NotContains(t, sent[0].Text, "typed by somebody")
}
