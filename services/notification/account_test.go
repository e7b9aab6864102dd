package notification_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/notification/internal/mail"
)

// sentTo returns the mails that went to an address.
func (b *bench) sentTo(address string) (found []mail.Message) {
	for _, sent := range b.mailer.all() {
		if sent.To.Address == address {
			found = append(found, sent)
		}
	}
	return found
}

func (b *bench) passwordReset(token string, lifetime time.Duration, email string) bus.Event {
	resetID := id.New().String()
	b.owners.put(func() {
		b.owners.resets[resetID] = &identityv1.GetPasswordResetMailResponse{
			Email: email, Token: token, ExpireTime: timestamppb.New(b.clock.Now().Add(lifetime)),
		}
	})
	return b.event(id.ID{}, id.ID{}, &identityv1.PasswordResetRequested{ResetId: resetID})
}

func TestForgottenPasswordsAreMailedWhoeverAsks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.work()
	known, unknown := b.passwordReset("reset-token", time.Hour, "ada@example.org"), b.passwordReset("", time.Hour, "nobody@example.org")
	late := b.passwordReset("late", -time.Second, "late@example.org")
	gone := b.event(id.ID{}, id.ID{}, &identityv1.PasswordResetRequested{ResetId: id.New().String()})
	require.NoError(t, b.apply(known, unknown, late, gone))
	require.NoError(t, b.apply(known))
	require.Empty(t, b.awaitState(known, "sent"))
	require.Empty(t, b.awaitState(unknown, "sent"))
	require.Equal(t, "the reset is over", b.awaitState(late, "skipped"))
	require.Equal(t, "the reset is over", b.awaitState(gone, "skipped"))
	require.Len(t, b.mailer.all(), 2)
	require.Contains(t, b.sentTo("ada@example.org")[0].Text, "/reset-password?token=reset-token")
	require.Contains(t, b.sentTo("nobody@example.org")[0].Text, "There is none")
}

func TestOwnersHearOfAnotherPassword(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.work()
	_, ada := b.person(id.New(), "ada")
	changed := b.event(id.ID{}, ada, &identityv1.PasswordChanged{UserId: ada.String()})
	require.NoError(t, b.apply(changed))
	require.Empty(t, b.awaitState(changed, "sent"))
	require.Contains(t, b.mailer.all()[0].Text, "was changed")
}

func TestBothAddressesHearOfAChange(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.work()
	request := func(live bool, token string) bus.Event {
		changeID := id.New().String()
		b.owners.put(func() {
			b.owners.changes[changeID] = &identityv1.GetEmailChangeMailResponse{
				NewEmail: "new@example.org", OldEmail: "old@example.org", Token: token, Live: live, ExpireTime: timestamppb.New(b.clock.Now().Add(time.Hour)),
			}
		})
		return b.event(id.ID{}, id.New(), &identityv1.EmailChangeRequested{UserId: id.New().String(), ChangeId: changeID})
	}
	require.NoError(t, b.apply(request(true, "change-token")))
	require.Eventually(t, func() bool { return len(b.mailer.all()) == 2 }, patience, 5*time.Millisecond)
	require.Contains(t, b.sentTo("new@example.org")[0].Text, "/verify-email?token=change-token")
	require.NotContains(t, b.sentTo("old@example.org")[0].Text, "change-token")
	require.Contains(t, b.sentTo("old@example.org")[0].Text, "new@example.org")

	// Made before the mails went out: the old address hears of it all the same.
	require.NoError(t, b.apply(request(false, "")))
	require.Eventually(t, func() bool { return len(b.sentTo("old@example.org")) == 2 }, patience, 5*time.Millisecond)
	// The new one has an account already.
	require.NoError(t, b.apply(request(true, "")))
	require.Eventually(t, func() bool { return len(b.mailer.all()) == 5 }, patience, 5*time.Millisecond)
	require.Contains(t, b.sentTo("new@example.org")[1].Text, "already has one")
}
