package domain

import (
	"bytes"
	"crypto/subtle"
	"time"

	"github.com/braidhq/braid/platform/id"
)

const (
	// CodeLifetime is how long a mailed code works.
	CodeLifetime = 15 * time.Minute
	// CodesToAddress is how many wrong codes an address may be tried with in CodeLifetime, by all clients together.
	CodesToAddress = 50
	// MaxPending is how many registrations of one address wait side by side; the oldest make room.
	MaxPending = 10
)

// Registration is an account that was asked for. Several of one address wait side by side, each with the password and
// the code of whoever asked: only who reads the mailbox can make one of them real.
type Registration struct {
	ID           id.ID
	Address      Address
	DisplayName  string
	PasswordHash string
	// Nonce and ID are what the code is derived from; CodeHash is how it is recognized.
	Nonce    []byte
	CodeHash []byte
	// TokenHash is how the token of the mail's link is recognized, ClientKey which network asked.
	TokenHash []byte
	ClientKey []byte
	// AccountExists says that the address already had an account, so that no code proves it.
	AccountExists bool
	// Hollow says that a code was asked for again and nothing waited for one.
	Hollow    bool
	CreatedAt time.Time
	ExpiresAt time.Time
}

// NewestOf returns the id of the newest registration that a client has asked for; zero when there is none. The pending ones
// are given with the newest first.
func NewestOf(pending []Registration, clientKey []byte) id.ID {
	for _, registration := range pending {
		if bytes.Equal(registration.ClientKey, clientKey) {
			return registration.ID
		}
	}
	return id.ID{}
}

// MatchCode returns the registration that a code belongs to. hash is computed MaxPending times, whatever is pending,
// so that the time it takes doesn't tell an address in use from one that is not.
func MatchCode(pending []Registration, hash func(registrationID id.ID) []byte) (Registration, bool) {
	var match Registration
	found := 0
	for i := range MaxPending {
		candidate := Registration{}
		if i < len(pending) {
			candidate = pending[i]
		}
		same := subtle.ConstantTimeCompare(hash(candidate.ID), candidate.CodeHash)
		if same == 1 && !candidate.AccountExists && found == 0 {
			match, found = candidate, 1
		}
	}
	return match, found == 1
}
