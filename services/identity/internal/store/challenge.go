package store

import (
	"context"
	"encoding/hex"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store/db"
)

// UseChallenge lets what follows in the transaction touch one challenge: the one that the caller holds. It costs no round
// trip.
func UseChallenge(tx *pg.Tx, hash []byte) {
	tx.Queue(`select set_config('app.challenge', $1, true)`, hex.EncodeToString(hash))
}

// CreateChallenge queues a challenge, and lets the transaction touch it.
func CreateChallenge(ctx context.Context, tx *pg.Tx, hash []byte, challenge domain.Challenge) error {
	UseChallenge(tx, hash)
	return queue(tx).InsertChallenge(ctx, db.InsertChallengeParams{
		Hash: hash, Kind: string(challenge.Kind), AccountID: challenge.UserID, UserAgent: challenge.Client.UserAgent,
		ClientAddress: challenge.Client.Address, Ceremony: challenge.Ceremony, ExpiresAt: challenge.ExpiresAt,
		PasswordRevision: challenge.PasswordRevision, DeviceKnown: challenge.DeviceKnown, Methods: append([]string{}, challenge.Methods...),
		SsoConnectionID: challenge.SSO.ConnectionID, SsoBypassed: challenge.SSO.Bypassed,
	})
}

// LockChallenge returns a challenge and makes others wait who want to answer it; ErrNotFound when there is none. The
// transaction must use it.
func LockChallenge(ctx context.Context, tx *pg.Tx, hash []byte) (domain.Challenge, error) {
	row, err := db.New(tx).LockChallenge(ctx, hash)
	return domain.Challenge{
		Kind: domain.ChallengeKind(row.Kind), UserID: row.AccountID,
		Client:   domain.Client{UserAgent: row.UserAgent, Address: row.ClientAddress},
		Ceremony: row.Ceremony, Tries: row.Tries, ExpiresAt: row.ExpiresAt,
		PasswordRevision: row.PasswordRevision, DeviceKnown: row.DeviceKnown, Methods: row.Methods,
		SSO: domain.SSOPassage{ConnectionID: row.SsoConnectionID, Bypassed: row.SsoBypassed}, MailID: row.MailID, MailNonce: row.MailNonce,
	}, explain("load challenge", err)
}

// MailChallenge queues that a mail may answer a challenge, and until when. The transaction must use it.
func MailChallenge(ctx context.Context, tx *pg.Tx, hash []byte, challenge domain.Challenge) error {
	return queue(tx).MailChallenge(ctx, db.MailChallengeParams{
		Hash: hash, MailID: challenge.MailID, MailNonce: challenge.MailNonce, ExpiresAt: challenge.ExpiresAt,
	})
}

// FindLinkMail returns whose account a mail is about, what its token is derived with and when it ends, whoever asks;
// ErrNotFound when there is none.
func FindLinkMail(ctx context.Context, querier pg.Querier, mailID id.ID) (domain.Challenge, error) {
	found := domain.Challenge{MailID: mailID}
	err := querier.QueryRow(ctx, `select account_id, nonce, expires_at from find_link_mail($1)`, mailID).
		Scan(&found.UserID, &found.MailNonce, &found.ExpiresAt)
	return found, explain("find mail of link", err)
}

// CountChallengeTry queues one wrong answer.
func CountChallengeTry(ctx context.Context, tx *pg.Tx, hash []byte) error {
	UseChallenge(tx, hash)
	return queue(tx).CountChallengeTry(ctx, hash)
}

// DeleteChallenge queues the end of a challenge.
func DeleteChallenge(ctx context.Context, tx *pg.Tx, hash []byte) error {
	UseChallenge(tx, hash)
	return queue(tx).DeleteChallenge(ctx, hash)
}
