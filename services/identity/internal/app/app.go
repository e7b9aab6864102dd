// Package app holds identity's use cases, one file per noun: what is read, decided by the domain, written and told, in
// which transaction. It knows no protocol. No password, token or code leaves it but in an answer.
package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/secret"
	"github.com/braidhq/braid/services/identity/internal/avatar"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/passkey"
	"github.com/braidhq/braid/services/identity/internal/password"
	"github.com/braidhq/braid/services/identity/internal/token"
)

// App is identity's use cases with what they need.
type App struct {
	DB     *pg.DB
	Keys   *secret.Keys
	Hasher *password.Hasher
	// Passkeys asks browsers for passkeys and verifies them.
	Passkeys *passkey.Party
	// Avatars makes pictures of people.
	Avatars *avatar.Encoder
	Rules   *password.Rules
	Issuer  *token.Issuer
	// Providers are who else can say who somebody is; Membership answers who belongs where.
	Providers  Providers
	Membership Membership
	Limits     Limits
	// Invitations answers for those who register with an invitation's token.
	Invitations Invitations
	// SupportGrants answers by what operators are let into organizations.
	SupportGrants SupportGrants
	// Ownership answers who would be missed; DeletionGrace is how long the deletion of an account can be cancelled.
	Ownership     Ownership
	DeletionGrace time.Duration
	// Authenticator hears of ended sessions at once, before their events come around.
	Authenticator *authn.Authenticator
	SessionLimits domain.SessionLimits
	// Permissions are the names that a scope may be: permissions of the contract, and services.
	Permissions map[string]bool
	// Exports collects what there is of people.
	Exports Exports
	// PublicURL is where clients reach this deployment: the issuer and audience of OAuth 2.
	PublicURL string
	Clock     clock.Clock
	Logger    *slog.Logger
}

// Tokens are what a client holds of a session.
type Tokens struct {
	Access  string `json:"access"`
	Refresh string `json:"refresh"`
	// Device is the token of a device that the login made known; empty when none did.
	Device string `json:"-"`
}

// Invitations is where people are invited: the organization service. It answers ErrNotFound for a token that is not good.
type Invitations interface {
	// Address returns the address that a token was mailed to and the organization's name.
	Address(ctx context.Context, invitationToken string) (email, organization string, err error)
	// Join makes a user with that address a member.
	Join(ctx context.Context, invitationToken string, userID id.ID) (organizationID string, err error)
}

// Ownership is where organizations are: the organization service.
type Ownership interface {
	// Sole returns the organizations that would be without an owner if the user went.
	Sole(ctx context.Context, userID id.ID) ([]string, error)
}

// Format implements fmt.Formatter: tokens are never shown.
func (Tokens) Format(state fmt.State, _ rune) { _, _ = state.Write([]byte("tokens")) }

// actingAs returns a context in which events say that the user did it: who logs in is nobody until it has worked.
func actingAs(ctx context.Context, userID, sessionID id.ID) context.Context {
	acting := *call.From(ctx)
	acting.Actor = call.Actor{Kind: call.User, UserID: userID, SessionID: sessionID}
	return call.With(ctx, &acting)
}
