package app

import (
	"context"
	"time"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store"
	"github.com/braidhq/braid/services/identity/internal/token"
)

// Login begins a session, or asks for a second factor of who has one.
func (a *App) Login(ctx context.Context, email, password, deviceToken string, breakGlass bool) (Tokens, domain.User, error) {
	proven, err := a.provePassword(ctx, email, password, deviceToken)
	if err != nil {
		return Tokens{}, domain.User{}, err
	}
	if proven.sso, err = a.requireSSO(ctx, proven.User, "", breakGlass); err != nil {
		return Tokens{}, domain.User{}, err
	}
	begun, err := a.passFirstProof(ctx, proven, func(ctx context.Context, tx *pg.Tx) error {
		if proven.replacementHash == "" {
			return nil
		}
		return store.ReplacePasswordHash(ctx, tx, proven.User.ID, proven.replacementHash, a.Clock.Now())
	})
	return begun.Tokens, begun.user, settled(err, nil)
}

// proven is a user whose first proof was right, and what the session's transaction has to know of that.
type proven struct {
	store.Credential
	// methods are what was shown.
	methods []string
	// sso is the connection that the proof has passed.
	sso domain.SSOPassage
	// replacementHash is another hash of the same password; empty when the present one is good.
	replacementHash string
	// deviceKnown says that the login came with a device's token that stays good.
	deviceKnown bool
}

// provePassword returns the user whose password it is. An address without a user costs the same statements and the same
// hash as a wrong password, and every refusal but that of a right password under a lock is the same.
func (a *App) provePassword(ctx context.Context, email, password, deviceToken string) (proven, error) {
	address := domain.ParseAddress(email)
	known, err := a.tryPassword(ctx, passwordTry{
		address: address, password: password, deviceToken: deviceToken,
		refused: func(ctx context.Context, tx *pg.Tx, userID id.ID) error {
			// Derived in both cases, so that it takes the same time.
			key := token.AddressKey(a.Keys, address.Key)
			if !userID.IsZero() {
				key = userID
			}
			return a.loginFailed(ctx, tx, userID, key, domain.CutUserAgent(call.From(ctx).UserAgent))
		},
	})
	// A hash of earlier parameters is replaced while the password is at hand.
	if err == nil && a.Hasher.Outdated(known.PasswordHash) {
		known.replacementHash, err = a.Hasher.Hash(ctx, password)
	}
	return known, err
}

// passFirstProof goes on where the first proof was right, the password or what a provider said: to a session, or to asking
// for a second factor. What follows from the proof is written in the same transaction, which acts as the user.
func (a *App) passFirstProof(ctx context.Context, known proven, write func(ctx context.Context, tx *pg.Tx) error) (login, error) {
	userID, challengeToken := known.User.ID, token.NewChallenge()
	var begun login
	var factors domain.Factors
	err := a.DB.InTx(ctx, pg.Scope{UserID: userID}, func(ctx context.Context, tx *pg.Tx) (err error) {
		if err := write(ctx, tx); err != nil {
			return err
		}
		if err := store.HoldPassword(ctx, tx, userID, known.PasswordRevision); err != nil {
			return err
		}
		all, err := store.ListFactors(ctx, tx, userID)
		if err != nil {
			return err
		}
		if factors = all.Confirmed(""); len(factors) > 0 {
			challenge := a.newChallenge(ctx, domain.LoginChallenge, userID)
			challenge.PasswordRevision, challenge.DeviceKnown, challenge.Methods = known.PasswordRevision, known.deviceKnown, known.methods
			challenge.SSO = known.sso
			return store.CreateChallenge(ctx, tx, token.HashChallenge(challengeToken), challenge)
		}
		begun, err = a.beginSession(ctx, tx, opening{userID: userID, methods: known.methods, sso: known.sso, deviceKnown: known.deviceKnown})
		return err
	})
	if err == nil && len(factors) > 0 {
		err = domain.ErrFactorRequired.With("challengeToken", challengeToken).With("factors", factors.Ways())
	}
	if err != nil {
		return login{}, err
	}
	return begun, nil
}

// opening is what a session begins with.
type opening struct {
	userID id.ID
	// methods are what was shown; secured says whether the user has a second factor.
	methods []string
	secured bool
	// sso is the connection that was passed.
	sso domain.SSOPassage
	// deviceKnown says that the client holds a device's token that stays good.
	deviceKnown bool
}

// makeRoom ends the sessions that were not used for the longest time, so that there may be one more.
func (a *App) makeRoom(ctx context.Context, tx *pg.Tx, userID id.ID, now time.Time) error {
	removed, err := store.DeleteLeastUsedSessions(ctx, tx, userID, a.SessionLimits.PerUser-1, now)
	if err != nil {
		return err
	}
	return a.ended(ctx, tx, userID, removed, identityv1.SessionRevoked_TOO_MANY_SESSIONS)
}

// beginSession begins a session. The transaction must act as the user.
func (a *App) beginSession(ctx context.Context, tx *pg.Tx, with opening) (login, error) {
	work, now := call.From(ctx), a.Clock.Now()
	session := a.SessionLimits.Begin(with.userID, work.UserAgent, now)
	session.ClientAddress, session.AuthenticatedAt, session.Methods = clientOf(ctx).Address, now, domain.Combine(with.methods)
	session.SSO = with.sso
	tokens, err := a.issue(ctx, session, with.secured)
	if err != nil {
		return login{}, err
	}
	ctx = actingAs(ctx, with.userID, session.ID)
	// Of two logins at once the second sees the session of the first: together they must not be too many.
	user, err := store.LockUserForSession(ctx, tx, with.userID)
	if err != nil {
		return login{}, err
	}
	if err := a.makeRoom(ctx, tx, with.userID, now); err != nil {
		return login{}, err
	}
	if !with.deviceKnown {
		tokens.Device = token.NewDevice()
		if err := store.CreateDevice(ctx, tx, with.userID, token.HashDevice(tokens.Device), now); err != nil {
			return login{}, err
		}
	}
	if err := store.CreateSession(ctx, tx, session); err != nil {
		return login{}, err
	}
	if err := store.CreateRefreshToken(ctx, tx, token.HashRefresh(tokens.Refresh), session); err != nil {
		return login{}, err
	}
	if err := a.loginSucceeded(ctx, tx, session); err != nil {
		return login{}, err
	}
	return login{tokens, user}, a.noteDevice(ctx, tx, session)
}

// clientOf is who asks, as far as it can be seen.
func clientOf(ctx context.Context) domain.Client {
	work := call.From(ctx)
	client := domain.Client{UserAgent: domain.CutUserAgent(work.UserAgent)}
	if work.ClientAddress.IsValid() {
		client.Address = work.ClientAddress.String()
	}
	return client
}

func (a *App) issue(ctx context.Context, session domain.Session, secured bool) (Tokens, error) {
	access, err := a.Issuer.Issue(ctx, session, secured)
	return Tokens{Access: access, Refresh: token.NewRefresh()}, err
}
