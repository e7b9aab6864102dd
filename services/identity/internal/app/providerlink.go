package app

import (
	"context"
	"crypto/subtle"
	"time"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store"
	"github.com/braidhq/braid/services/identity/internal/token"
)

// LinkMail is what the mail says that proves an address to link.
type LinkMail struct {
	Email, Token string
	ExpiresAt    time.Time
}

// MailProviderLink has a token mailed to the account that LINK_REQUIRED was answered about. Another mail makes the one
// before worth nothing. Beyond the budget of mails nothing is sent, and nothing is said.
func (a *App) MailProviderLink(ctx context.Context, linkToken string) error {
	hash := token.HashChallenge(linkToken)
	return a.DB.InTx(ctx, pg.Scope{}, func(ctx context.Context, tx *pg.Tx) error {
		challenge, err := a.openChallenge(ctx, tx, hash, domain.LinkChallenge)
		if err != nil {
			return err
		}
		store.ActAs(tx, challenge.UserID)
		user, err := store.GetUser(ctx, tx, challenge.UserID)
		if err != nil {
			return err
		}
		allowed, err := a.mayMail(ctx, tx, domain.ParseAddress(user.Email))
		if err != nil || !allowed {
			return err
		}
		var person domain.Person
		if err := a.unsealCeremony(hash, challenge.Ceremony, &person); err != nil {
			return err
		}
		challenge.MailID, challenge.MailNonce = id.New(), token.NewNonce()
		challenge.ExpiresAt = a.Clock.Now().Add(domain.LinkMailLifetime)
		if err := store.MailChallenge(ctx, tx, hash, challenge); err != nil {
			return err
		}
		return outbox.Append(ctx, tx, a.Clock, outbox.Event{
			Message: &identityv1.ProviderLinkRequested{
				UserId: user.ID.String(), LinkId: challenge.MailID.String(), ProviderId: domain.SourceID(person.Source),
			},
			Key: user.ID, Subject: "user/" + user.ID.String(),
		})
	})
}

// ProviderLinkMail derives the mail, for notification.
func (a *App) ProviderLinkMail(ctx context.Context, mailID id.ID) (LinkMail, error) {
	found, err := store.FindLinkMail(ctx, a.DB.Point(pg.Scope{}), mailID)
	if err != nil {
		return LinkMail{}, err
	}
	user, err := a.User(ctx, found.UserID)
	return LinkMail{Email: user.Email, Token: a.linkMailToken(found), ExpiresAt: found.ExpiresAt}, err
}

func (a *App) linkMailToken(challenge domain.Challenge) string {
	return token.Mailed(a.Keys, token.ForProviderLink, challenge.MailID, challenge.MailNonce)
}

// linkMailed reports whether a token is that of the mail about a challenge.
func (a *App) linkMailed(challenge domain.Challenge, mailToken string) bool {
	return !challenge.MailID.IsZero() && subtle.ConstantTimeCompare([]byte(mailToken), []byte(a.linkMailToken(challenge))) == 1
}
