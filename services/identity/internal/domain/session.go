package domain

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/braidhq/braid/platform/id"
)

const (
	// RetryWindow is how long the use of a refresh token may be repeated for the same answer.
	RetryWindow = 10 * time.Second

	maxUserAgent = 256
)

// Session is one login on one device. It ends by being removed.
type Session struct {
	ID            id.ID
	UserID        id.ID
	UserAgent     string
	ClientAddress string
	// Device and Client are what the User-Agent says, readably.
	Device     string
	Client     string
	CreatedAt  time.Time
	LastUsedAt time.Time
	// ExpiresAt is when it ends unless it is used before, EndsAt when it ends in any case; ExpiresAt is never later.
	ExpiresAt time.Time
	EndsAt    time.Time
	// AuthenticatedAt is when the person last proved who they are, Methods all that the session was proven with.
	AuthenticatedAt time.Time
	Methods         []string
	SSO             SSOPassage
	// LongestPause is for how long it was left alone at most since then, as far as its refreshing shows.
	LongestPause time.Duration
	// Secured says whether its person has a second factor, where that was asked.
	Secured bool
}

// SessionLimits are how long sessions live, and how many of them.
type SessionLimits struct {
	// Idle is how long a session lives without being used, Absolute how long however much it is used.
	Idle, Absolute time.Duration
	// PerUser is how many one person may have at once.
	PerUser int
}

// Begin returns a session that begins now, on what a User-Agent names.
func (l SessionLimits) Begin(userID id.ID, userAgent string, now time.Time) Session {
	device := ParseUserAgent(userAgent)
	session := Session{
		ID: id.New(), UserID: userID, UserAgent: CutUserAgent(userAgent), Device: device.Name(), Client: device.Client,
		CreatedAt: now, EndsAt: now.Add(l.Absolute),
	}
	return l.Use(session, now)
}

// Use returns the session as it is after being used now.
func (l SessionLimits) Use(session Session, now time.Time) Session {
	session.LastUsedAt, session.ExpiresAt = now, now.Add(l.Idle)
	if session.EndsAt.Before(session.ExpiresAt) {
		session.ExpiresAt = session.EndsAt
	}
	return session
}

// CutUserAgent keeps of a header what can be stored and shown: valid UTF-8, at most 256 bytes.
func CutUserAgent(header string) string {
	text := strings.ToValidUTF8(header, "\uFFFD")
	if len(text) <= maxUserAgent {
		return text
	}
	cut := maxUserAgent
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut]
}

// RefreshToken is what is known of a refresh token that someone presents.
type RefreshToken struct {
	SessionID        id.ID
	UserID           id.ID
	SessionExpiresAt time.Time
	ExpiresAt        time.Time
	// UsedAt is nil for one that was not used.
	UsedAt *time.Time
	// SealedAnswer is what its use was answered with; gone once the new token was used or the retry window has passed.
	SealedAnswer []byte
	// AuthenticatedAt, Methods and Secured are the session's and its person's: see Session and Session.Strong.
	AuthenticatedAt time.Time
	Methods         []string
	Secured         bool
	SSO             SSOPassage
	// LastUsedAt is when the session was used before, and LongestPause the longest time that it was left alone until then.
	LastUsedAt   time.Time
	LongestPause time.Duration
}

// Pause is for how long the session was left alone at most, when it is used now.
func (t RefreshToken) Pause(now time.Time) time.Duration {
	return max(t.LongestPause, now.Sub(t.LastUsedAt))
}

// Verdict is what follows from presenting a refresh token.
type Verdict int

// The verdicts.
const (
	// Expired tokens are refused without more.
	Expired Verdict = iota
	// Rotate trades the token for a new one.
	Rotate
	// Repeat gives the answer of the first use again: the client did not get it.
	Repeat
	// Reused means that two parties hold the token: the session ends.
	Reused
)

// Judge says what follows from presenting the token now.
func (t RefreshToken) Judge(now time.Time) Verdict {
	switch {
	case !now.Before(t.ExpiresAt) || !now.Before(t.SessionExpiresAt):
		return Expired
	case t.UsedAt == nil:
		return Rotate
	case len(t.SealedAnswer) > 0 && now.Sub(*t.UsedAt) < RetryWindow:
		return Repeat
	default:
		return Reused
	}
}
