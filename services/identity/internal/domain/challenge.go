package domain

import (
	"time"

	"github.com/braidhq/braid/platform/id"
)

const (
	// ChallengeLifetime is how long there is to answer a challenge.
	ChallengeLifetime = 5 * time.Minute
	// ChallengeTries is how many codes a challenge may be answered with.
	ChallengeTries = 5
	// LinkMailLifetime is how long there is once a mail was asked for.
	LinkMailLifetime = 30 * time.Minute
)

// ChallengeKind is what a challenge asks for.
type ChallengeKind string

// The kinds.
const (
	// LoginChallenge asks for a second factor after the password.
	LoginChallenge ChallengeKind = "login"
	// PasskeyChallenge asks for the signature of a passkey, RegistrationChallenge for a new one.
	PasskeyChallenge      ChallengeKind = "passkey"
	RegistrationChallenge ChallengeKind = "registration"
	// ProviderChallenge is the state of a login at a provider, LinkChallenge asks for the password of the account that the
	// person who came from there may own.
	ProviderChallenge ChallengeKind = "provider"
	LinkChallenge     ChallengeKind = "link"
)

// Client is what a challenge is bound to: who was given it answers it.
type Client struct {
	UserAgent string
	Address   string
}

// Challenge is something that somebody was asked to prove.
type Challenge struct {
	Kind ChallengeKind
	// UserID is zero while it is open who will answer.
	UserID id.ID
	Client Client
	// Ceremony is what a signature is checked against.
	Ceremony []byte
	// Methods are what the first step was proven with, SSO is the connection that it passed.
	Methods   []string
	SSO       SSOPassage
	Tries     int32
	ExpiresAt time.Time
	// PasswordRevision is that of the password which the first step of a login was; DeviceKnown says that it came with a
	// device's token that stays good.
	PasswordRevision int32
	DeviceKnown      bool
	// MailID and MailNonce are of a mail that proves the address; zero and nil for none.
	MailID    id.ID
	MailNonce []byte
}

// Check refuses what is not this kind of challenge, is over, or is somebody else's.
func (c Challenge) Check(kind ChallengeKind, client Client, now time.Time) error {
	if c.Kind != kind || c.Client != client || c.Tries >= ChallengeTries || !now.Before(c.ExpiresAt) {
		return ErrChallengeExpired
	}
	return nil
}
