package domain

import (
	"time"

	"github.com/braidhq/braid/platform/id"
)

const (
	// ResetLifetime is how long the token of a forgotten password works.
	ResetLifetime = 30 * time.Minute
	// EmailChangeLifetime is how long the token of another address works.
	EmailChangeLifetime = time.Hour
	// ExpiredKept is how long a token that has expired is still known as one that did.
	ExpiredKept = 24 * time.Hour
)

// PasswordReset is a password that somebody has forgotten, or says so.
type PasswordReset struct {
	ID      id.ID
	Address Address
	// Nonce and ID are what the token is derived from; TokenHash is how it is recognized.
	Nonce     []byte
	TokenHash []byte
	CreatedAt time.Time
	ExpiresAt time.Time
}

// EmailChange is another address that a user wants to have.
type EmailChange struct {
	ID        id.ID
	UserID    id.ID
	Address   Address
	Nonce     []byte
	TokenHash []byte
	CreatedAt time.Time
	ExpiresAt time.Time
}
