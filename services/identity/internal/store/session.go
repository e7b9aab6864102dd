package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store/db"
)

// Sessions declares the list of a user's sessions.
var Sessions = list.Spec{
	Name: "sessions",
	Fields: map[string]list.Field{
		"userAgent":     {Column: "user_agent", Type: list.Text},
		"device":        {Column: "device", Type: list.Text},
		"client":        {Column: "client", Type: list.String},
		"clientAddress": {Column: "client_address", Type: list.String},
		"createTime":    {Column: "created_at", Type: list.Time},
		"lastUseTime":   {Column: "last_used_at", Type: list.Time},
		"expireTime":    {Column: "expires_at", Type: list.Time},
	},
	Orders: map[string]list.Order{
		"createTime":  {Column: "created_at", Type: list.Time},
		"lastUseTime": {Column: "last_used_at", Type: list.Time},
		"expireTime":  {Column: "expires_at", Type: list.Time},
	},
	Default:  "createTime desc",
	Tiebreak: list.Order{Column: "id", Type: list.ID},
}

// CreateSession queues a session. The transaction must act as its user.
func CreateSession(ctx context.Context, tx *pg.Tx, session domain.Session) error {
	return queue(tx).InsertSession(ctx, db.InsertSessionParams{
		ID: session.ID, AccountID: session.UserID, UserAgent: session.UserAgent, ClientAddress: session.ClientAddress,
		CreatedAt: session.CreatedAt, LastUsedAt: session.LastUsedAt, ExpiresAt: session.ExpiresAt,
		EndsAt: session.EndsAt, Device: session.Device, Client: session.Client,
		AuthenticatedAt: session.AuthenticatedAt, Methods: session.Methods,
		SsoConnectionID: session.SSO.ConnectionID, SsoBypassed: session.SSO.Bypassed,
	})
}

// LockSession returns how a live session of a user was proven, and keeps others from changing it; ErrNotFound when there
// is none.
func LockSession(ctx context.Context, tx *pg.Tx, userID, sessionID id.ID, now time.Time) (domain.Session, error) {
	row, err := db.New(tx).LockSession(ctx, sessionID, userID, now)
	return domain.Session{
		ID: sessionID, UserID: userID, AuthenticatedAt: row.AuthenticatedAt.UTC(), Methods: row.Methods,
		SSO:      domain.SSOPassage{ConnectionID: row.SsoConnectionID, Bypassed: row.SsoBypassed},
		Operator: domain.OperatorRole(row.Operator),
	}, explain("lock session", err)
}

// RaiseSession queues what the session was proven with, and when. It was not left alone since.
func RaiseSession(ctx context.Context, tx *pg.Tx, session domain.Session) error {
	return queue(tx).RaiseSession(ctx, db.RaiseSessionParams{
		ID: session.ID, AccountID: session.UserID, AuthenticatedAt: session.AuthenticatedAt, Methods: session.Methods,
	})
}

// LockUserForSession is LockUser for what changes the user's sessions: it does not wait for those who only refer to the
// user. What the user may do with the deployment stays as it is until the transaction ends.
func LockUserForSession(ctx context.Context, tx *pg.Tx, userID id.ID) (domain.User, domain.OperatorRole, error) {
	row, err := db.New(tx).LockAccountForSession(ctx, userID)
	return userOf(row.Account), domain.OperatorRole(row.Operator), explain("lock user", err)
}

// DeleteSessions removes a user's live sessions with their tokens, all but one (zero: all), and names them.
func DeleteSessions(ctx context.Context, tx *pg.Tx, userID, kept id.ID, now time.Time) ([]id.ID, error) {
	removed, err := db.New(tx).DeleteSessions(ctx, userID, now, kept)
	return removed, explain("delete sessions", err)
}

// DeleteLeastUsedSessions removes a user's live sessions but a number of those used last, and names them.
func DeleteLeastUsedSessions(ctx context.Context, tx *pg.Tx, userID id.ID, kept int, now time.Time) ([]id.ID, error) {
	removed, err := db.New(tx).DeleteLeastUsedSessions(ctx, userID, now, int32(kept))
	return removed, explain("delete least used sessions", err)
}

// DeleteSession removes a user's live session with its tokens and reports whether there was one.
func DeleteSession(ctx context.Context, tx *pg.Tx, userID, sessionID id.ID, now time.Time) (bool, error) {
	removed, err := db.New(tx).DeleteSession(ctx, sessionID, userID, now)
	return removed > 0, explain("delete session", err)
}

// FindSession returns a session's user, end and strength, whoever asks; ErrNotFound when there is none.
func FindSession(ctx context.Context, querier pg.Querier, sessionID id.ID) (domain.Session, error) {
	found := domain.Session{ID: sessionID}
	err := querier.QueryRow(ctx, `select account_id, expires_at, methods, secured from find_session($1), find_standing($1)`, sessionID).
		Scan(&found.UserID, &found.ExpiresAt, &found.Methods, &found.Secured)
	return found, explain("load session", err)
}

// ListSessions returns a page of a user's live sessions and the token of the next.
func ListSessions(ctx context.Context, querier pg.Querier, userID id.ID, query *list.Query, now time.Time) (string, []domain.Session, error) {
	sql, arguments := query.Build(`select id, account_id, user_agent, client_address, created_at, last_used_at, expires_at,
ends_at, device, client from session where account_id = $1 and expires_at > $2`, userID, now)
	rows, err := querier.Query(ctx, sql, arguments...)
	if err != nil {
		return "", nil, explain("list sessions", err)
	}
	sessions, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (session domain.Session, err error) {
		err = row.Scan(&session.ID, &session.UserID, &session.UserAgent, &session.ClientAddress, &session.CreatedAt,
			&session.LastUsedAt, &session.ExpiresAt, &session.EndsAt, &session.Device, &session.Client)
		return session, err
	})
	if err != nil {
		return "", nil, explain("list sessions", err)
	}
	next, page := list.Page(query, sessions, func(session domain.Session, order string) any {
		switch order {
		case "createTime":
			return session.CreatedAt
		case "lastUseTime":
			return session.LastUsedAt
		case "expireTime":
			return session.ExpiresAt
		default:
			return session.ID
		}
	})
	return next, page, nil
}

// CreateRefreshToken queues the session's next token, known by its hash.
func CreateRefreshToken(ctx context.Context, tx *pg.Tx, hash []byte, session domain.Session) error {
	return queue(tx).InsertRefreshToken(ctx, db.InsertRefreshTokenParams{
		Hash: hash, SessionID: session.ID, AccountID: session.UserID,
		CreatedAt: session.LastUsedAt, ExpiresAt: session.ExpiresAt,
	})
}

// ClaimRefreshToken returns what is known of a token and locks its session until the transaction ends; ErrNotFound
// when nothing is known.
func ClaimRefreshToken(ctx context.Context, tx *pg.Tx, hash []byte) (domain.RefreshToken, error) {
	var token domain.RefreshToken
	var pause int32
	err := tx.QueryRow(ctx, `select session_id, account_id, session_expires_at, expires_at, used_at, sealed_answer,
    authenticated_at, methods, secured, last_used_at, longest_pause, sso_connection_id, sso_bypassed,
    coalesce(find_operator(account_id), '')
from claim_refresh_token($1), find_standing(session_id)`, hash).Scan(&token.SessionID, &token.UserID,
		&token.SessionExpiresAt, &token.ExpiresAt, &token.UsedAt, &token.SealedAnswer,
		&token.AuthenticatedAt, &token.Methods, &token.Secured, &token.LastUsedAt, &pause, &token.SSO.ConnectionID, &token.SSO.Bypassed,
		&token.Operator)
	token.LongestPause = time.Duration(pause) * time.Second
	return token, explain("claim refresh token", err)
}

// RotateRefreshToken queues the use of a token: it is marked, its answer kept for a retry, the answer to its predecessor
// wiped, the session extended and the next token stored. The transaction must act as the session's user.
func RotateRefreshToken(ctx context.Context, tx *pg.Tx, usedHash, sealedAnswer, nextHash []byte, session domain.Session) error {
	queries := queue(tx)
	return errors.Join(
		queries.WipeAnswers(ctx, session.ID, session.UserID),
		queries.UseRefreshToken(ctx, &session.LastUsedAt, sealedAnswer, usedHash),
		queries.ExtendSession(ctx, db.ExtendSessionParams{
			ID: session.ID, AccountID: session.UserID, LastUsedAt: session.LastUsedAt, ExpiresAt: session.ExpiresAt,
			LongestPause: int32(session.LongestPause / time.Second),
		}),
		CreateRefreshToken(ctx, tx, nextHash, session),
	)
}

// ForgetSecondFactor queues that no session of a person has shown a second factor any more: there is none left.
func ForgetSecondFactor(ctx context.Context, tx *pg.Tx, userID id.ID) error {
	return queue(tx).ForgetSecondFactor(ctx, userID)
}
