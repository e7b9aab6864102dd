package notification_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
)

func TestAnOfferedOwnershipIsMailedWhileItIsOpen(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.work()
	organizationID := id.New()
	offer := func(pending bool, lifetime time.Duration) bus.Event {
		transferID := id.New()
		b.owners.put(func() {
			b.owners.offers[organizationID.String()+"/"+transferID.String()] = &organizationv1.GetOwnershipMailResponse{
				Email: "ben@example.org", OrganizationDisplayName: "Acme\r\nBcc: eve@example.org", OwnerDisplayName: "Ada", Pending: pending,
				ExpireTime: timestamppb.New(b.clock.Now().Add(lifetime)),
			}
		})
		return b.event(organizationID, id.New(), &organizationv1.OwnershipOffered{
			OrganizationId: organizationID.String(), TransferId: transferID.String(), OwnerId: id.New().String(), UserId: id.New().String(),
		})
	}
	open, taken, expired := offer(true, time.Hour), offer(false, time.Hour), offer(true, -time.Hour)
	require.NoError(t, b.apply(open, taken, expired, open))
	require.Empty(t, b.awaitState(open, "sent"))
	for _, over := range []bus.Event{taken, expired} {
		require.Contains(t, b.awaitState(over, "skipped"), "no longer waits")
	}
	sent := b.mailer.all()
	require.Len(t, sent, 1)
	require.Equal(t, "ben@example.org", sent[0].To.Address)
	require.Equal(t, "Ada offers you to own Acme Bcc: eve@example.org", sent[0].Subject)
	require.Contains(t, sent[0].Text, "https://braid.example.com/organizations/"+organizationID.String())
}

func TestEachOwnerIsToldOfALostDomain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.work()
	organizationID, domainID := id.New(), id.New()
	_, ada := b.person(organizationID, "ada")
	_, ben := b.person(organizationID, "ben")
	_, cleo := b.person(organizationID, "cleo")
	b.rest.Roles.Remove(organizationID, cleo)
	told := &organizationv1.GetDomainMailResponse{
		Domain: "example.org", OrganizationDisplayName: "Acme", RecordName: "_braid-challenge.example.org", RecordValue: "braid-verification=x", Lost: true,
	}
	b.owners.put(func() { b.owners.domains[organizationID.String()+"/"+domainID.String()] = told })
	lost := func(owners ...id.ID) bus.Event {
		fact := &organizationv1.DomainLost{OrganizationId: organizationID.String(), DomainId: domainID.String(), Name: "example.org"}
		for _, owner := range owners {
			fact.OwnerIds = append(fact.OwnerIds, owner.String())
		}
		return b.event(organizationID, id.ID{}, fact)
	}
	event := lost(ada, ben, cleo)
	require.NoError(t, b.apply(event, event))
	require.Eventually(t, func() bool {
		return b.count(`select count(*) from delivery where event_id = $1 and state <> 'pending'`, event.ID.String()) == 3
	}, patience, 20*time.Millisecond)
	var to []string
	for _, sent := range b.mailer.all() {
		to = append(to, sent.To.Address)
		require.True(t, strings.Contains(sent.Text, "value: braid-verification=x"), sent.Text)
	}
	require.ElementsMatch(t, []string{"ada@example.org", "ben@example.org"}, to, "who has left hears nothing")

	b.owners.put(func() { told.Lost = false })
	again := lost(ada)
	require.NoError(t, b.apply(again))
	require.Contains(t, b.awaitState(again, "skipped"), "verified again")
}
