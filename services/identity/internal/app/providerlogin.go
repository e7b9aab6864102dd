package app

import (
	"context"
	"errors"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store"
	"github.com/braidhq/braid/services/identity/internal/token"
)

// FinishProviderLogin signs in whom a provider has named: a user who is linked to the person, or somebody new. An account
// with the same address is not taken by that: whoever has the address at the provider may not be who has it here.
func (a *App) FinishProviderLogin(ctx context.Context, returned Returned) (Tokens, domain.User, error) {
	person, err := a.meetPerson(ctx, returned, id.ID{})
	if err != nil {
		return Tokens{}, domain.User{}, err
	}
	joining, err := a.joiningBy(ctx, &person)
	if err != nil {
		return Tokens{}, domain.User{}, err
	}
	link, err := store.FindExternalIdentity(ctx, a.DB.Point(pg.Scope{}), person)
	switch {
	case errors.Is(err, errs.ErrNotFound):
		return a.meetStranger(ctx, person, joining)
	case err != nil:
		return Tokens{}, domain.User{}, err
	}
	credential, err := a.credentialOf(ctx, link.UserID)
	if err != nil {
		return Tokens{}, domain.User{}, err
	}
	passed, err := a.requireSSO(ctx, credential.User, person.Source, false)
	if err != nil {
		return Tokens{}, domain.User{}, err
	}
	known := proven{Credential: credential, methods: []string{domain.ByProvider}, sso: passed}
	begun, err := a.passFirstProof(ctx, known, func(ctx context.Context, tx *pg.Tx) error {
		return store.UseExternalIdentity(ctx, tx, link.ID, person.Email, a.Clock.Now())
	})
	return begun.Tokens, begun.user, settled(err, nil)
}

// credentialOf returns a user with the password's hash, which is empty when there is none.
func (a *App) credentialOf(ctx context.Context, userID id.ID) (store.Credential, error) {
	user, err := a.User(ctx, userID)
	if err != nil {
		return store.Credential{}, err
	}
	credential, err := store.FindCredential(ctx, a.DB.Point(pg.Scope{}), domain.ParseAddress(user.Email))
	if err == nil && credential.User.ID != userID {
		// The address has changed between the two.
		err = domain.ErrLoginStateInvalid
	}
	return credential, err
}

// meetStranger makes an account for somebody nobody here is linked to, or asks for the password of the one that has the
// address.
func (a *App) meetStranger(ctx context.Context, person domain.Person, joining *domain.SSOConnection) (Tokens, domain.User, error) {
	if !person.Vouched {
		return Tokens{}, domain.User{}, domain.ErrEmailUnverified
	}
	credential, err := store.FindCredential(ctx, a.DB.Point(pg.Scope{}), person.Address())
	if err != nil {
		return Tokens{}, domain.User{}, err
	}
	if !credential.User.ID.IsZero() {
		return Tokens{}, domain.User{}, a.askToLink(ctx, person, credential.User.ID)
	}
	user := domain.NewUser(person.Email, person.Name(), a.Clock.Now())
	passed, err := a.requireSSO(ctx, user, person.Source, false)
	if err != nil {
		return Tokens{}, domain.User{}, err
	}
	known := proven{Credential: store.NewCredential(user), methods: []string{domain.ByProvider}, sso: passed}
	begun, err := a.passFirstProof(ctx, known, func(ctx context.Context, tx *pg.Tx) error {
		ctx = actingAs(ctx, user.ID, id.ID{})
		store.UseAddress(tx, person.Address())
		if err := store.CreateUser(ctx, tx, user, person.Address(), ""); err != nil {
			return err
		}
		if err := store.DeletePending(ctx, tx, person.Address()); err != nil {
			return err
		}
		if err := a.userRegistered(ctx, tx, user); err != nil {
			return err
		}
		return a.link(ctx, tx, user, person, joining)
	})
	if store.IsAddressTaken(err) || store.IsIdentityTaken(err) {
		// Somebody else was faster; the next try finds them.
		err = domain.ErrLoginStateInvalid
	}
	return begun.Tokens, begun.user, err
}

// link ties a person to a user, and has the user join the connection's organization, if any. The transaction must act as
// the user.
func (a *App) link(ctx context.Context, tx *pg.Tx, user domain.User, person domain.Person, joining *domain.SSOConnection) error {
	made := domain.NewExternalIdentity(user.ID, person, a.Clock.Now())
	if err := store.CreateExternalIdentity(ctx, tx, made); err != nil {
		return err
	}
	if err := a.identityLinked(ctx, tx, made); err != nil || joining == nil {
		return err
	}
	return a.userProvisioned(ctx, tx, user, *joining)
}

// askToLink refuses, tells the account's owner by an event, and keeps who came, for the password to be shown.
func (a *App) askToLink(ctx context.Context, person domain.Person, userID id.ID) error {
	linkToken := token.NewChallenge()
	hash := token.HashChallenge(linkToken)
	challenge := a.newChallenge(ctx, domain.LinkChallenge, userID)
	var err error
	if challenge.Ceremony, err = a.sealCeremony(hash, person); err != nil {
		return err
	}
	err = a.DB.InTx(ctx, pg.Scope{}, func(ctx context.Context, tx *pg.Tx) error {
		if err := store.CreateChallenge(ctx, tx, hash, challenge); err != nil {
			return err
		}
		return a.identityRefused(ctx, tx, userID, person.Source)
	})
	if err != nil {
		return err
	}
	return domain.ErrLinkRequired.With("linkToken", linkToken)
}

// LinkProviderLogin links whom LINK_REQUIRED was answered to the account that the password is of, or the mail was sent to,
// and goes on with the login. The try is counted and kept before the password is hashed, outside any transaction.
func (a *App) LinkProviderLogin(ctx context.Context, linkToken, password, mailToken string) (Tokens, domain.User, error) {
	hash := token.HashChallenge(linkToken)
	var challenge domain.Challenge
	err := a.DB.InTx(ctx, pg.Scope{}, func(ctx context.Context, tx *pg.Tx) (err error) {
		if challenge, err = a.openChallenge(ctx, tx, hash, domain.LinkChallenge); err != nil {
			return err
		}
		if err := store.CountChallengeTry(ctx, tx, hash); err != nil {
			return err
		}
		store.ActAs(tx, challenge.UserID)
		return a.takeTry(ctx, tx, challenge.UserID)
	})
	if err != nil {
		return Tokens{}, domain.User{}, err
	}
	var person domain.Person
	if err := a.unsealCeremony(hash, challenge.Ceremony, &person); err != nil {
		return Tokens{}, domain.User{}, err
	}
	credential, err := a.credentialOf(ctx, challenge.UserID)
	if err != nil {
		return Tokens{}, domain.User{}, err
	}
	right, methods := a.linkMailed(challenge, mailToken), []string{domain.ByProvider}
	if password != "" {
		methods = append(methods, domain.ByPassword)
		if right, err = a.Hasher.Verify(ctx, credential.PasswordHash, password); err != nil {
			return Tokens{}, domain.User{}, err
		}
	}
	if !right {
		return Tokens{}, domain.User{}, a.refuseLink(ctx, challenge.UserID, password == "")
	}
	return a.linkAndPass(ctx, proven{Credential: credential, methods: methods}, person, hash)
}

func (a *App) refuseLink(ctx context.Context, userID id.ID, mailed bool) error {
	err := a.DB.InTx(ctx, pg.Scope{UserID: userID}, func(ctx context.Context, tx *pg.Tx) error {
		return a.factorRefused(ctx, tx, userID)
	})
	if err != nil {
		return err
	}
	if mailed {
		return domain.ErrLinkInvalid
	}
	return domain.ErrCredentialsInvalid
}

// linkAndPass goes on where the provider and the password, or the mail, have both said yes.
func (a *App) linkAndPass(ctx context.Context, known proven, person domain.Person, hash []byte) (Tokens, domain.User, error) {
	joining, err := a.joiningBy(ctx, &person)
	if err != nil {
		return Tokens{}, domain.User{}, err
	}
	user := known.User
	if known.sso, err = a.requireSSO(ctx, user, person.Source, false); err != nil {
		return Tokens{}, domain.User{}, err
	}
	begun, err := a.passFirstProof(ctx, known, func(ctx context.Context, tx *pg.Tx) error {
		// Of two at once the second finds the challenge gone.
		store.UseChallenge(tx, hash)
		if _, err := store.LockChallenge(ctx, tx, hash); errors.Is(err, errs.ErrNotFound) {
			return domain.ErrChallengeExpired
		} else if err != nil {
			return err
		}
		if err := store.DeleteChallenge(ctx, tx, hash); err != nil {
			return err
		}
		if err := store.ResetTries(ctx, tx, user.ID); err != nil {
			return err
		}
		return a.linkChecked(actingAs(ctx, user.ID, id.ID{}), tx, user, person, joining)
	})
	if store.IsIdentityTaken(err) {
		err = domain.ErrIdentityTaken
	}
	return begun.Tokens, begun.user, settled(err, nil)
}

// linkChecked is link for a user who may have links already.
func (a *App) linkChecked(ctx context.Context, tx *pg.Tx, user domain.User, person domain.Person, joining *domain.SSOConnection) error {
	// It holds back what else changes the user's ways in.
	if _, err := store.LockFactors(ctx, tx, user.ID); err != nil {
		return err
	}
	links, err := store.ListExternalIdentities(ctx, tx, user.ID)
	if err != nil {
		return err
	}
	if err := links.CheckNew(person); err != nil {
		return err
	}
	return a.link(ctx, tx, user, person, joining)
}
