package app

import (
	"context"

	"google.golang.org/protobuf/proto"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

// EncodeFactorKind is a kind as answers and events name it.
func EncodeFactorKind(kind domain.FactorKind) identityv1.Factor_Kind {
	if kind == domain.Passkey {
		return identityv1.Factor_PASSKEY
	}
	return identityv1.Factor_TOTP
}

// tellUser appends an event about something of a user's.
func (a *App) tellUser(ctx context.Context, tx *pg.Tx, userID id.ID, subject string, message proto.Message) error {
	return outbox.Append(ctx, tx, a.Clock, outbox.Event{Message: message, Key: userID, Subject: subject})
}

func (a *App) factorAdded(ctx context.Context, tx *pg.Tx, factor domain.Factor) error {
	return a.tellUser(ctx, tx, factor.UserID, "factor/"+factor.ID.String(), &identityv1.FactorAdded{
		UserId: factor.UserID.String(), FactorId: factor.ID.String(), Kind: EncodeFactorKind(factor.Kind).String(), Name: factor.Name,
	})
}

func (a *App) factorUpdated(ctx context.Context, tx *pg.Tx, factor domain.Factor) error {
	return a.tellUser(ctx, tx, factor.UserID, "factor/"+factor.ID.String(), &identityv1.FactorUpdated{
		UserId: factor.UserID.String(), FactorId: factor.ID.String(), Name: factor.Name,
	})
}

func (a *App) factorRemoved(ctx context.Context, tx *pg.Tx, factor domain.Factor, last bool) error {
	return a.tellUser(ctx, tx, factor.UserID, "factor/"+factor.ID.String(), &identityv1.FactorRemoved{
		UserId: factor.UserID.String(), FactorId: factor.ID.String(), Kind: EncodeFactorKind(factor.Kind).String(), Last: last,
	})
}

func (a *App) factorSuspected(ctx context.Context, tx *pg.Tx, factor domain.Factor) error {
	return a.tellUser(ctx, tx, factor.UserID, "factor/"+factor.ID.String(), &identityv1.FactorSuspected{
		UserId: factor.UserID.String(), FactorId: factor.ID.String(),
	})
}

func (a *App) factorRefused(ctx context.Context, tx *pg.Tx, userID id.ID) error {
	return a.tellUser(ctx, tx, userID, "user/"+userID.String(), &identityv1.FactorRefused{
		UserId: userID.String(), UserAgent: domain.CutUserAgent(call.From(ctx).UserAgent),
	})
}

func (a *App) backupCodesRegenerated(ctx context.Context, tx *pg.Tx, userID id.ID) error {
	return a.tellUser(ctx, tx, userID, "user/"+userID.String(), &identityv1.BackupCodesRegenerated{UserId: userID.String()})
}

func (a *App) backupCodeUsed(ctx context.Context, tx *pg.Tx, userID id.ID, left int32) error {
	return a.tellUser(ctx, tx, userID, "user/"+userID.String(), &identityv1.BackupCodeUsed{UserId: userID.String(), Left: left})
}

func (a *App) sessionRaised(ctx context.Context, tx *pg.Tx, session domain.Session) error {
	return a.tellUser(ctx, tx, session.UserID, "session/"+session.ID.String(), &identityv1.SessionRaised{
		UserId: session.UserID.String(), SessionId: session.ID.String(), Methods: session.Methods,
	})
}
