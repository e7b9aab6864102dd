package app

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/deletion"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store"
	"github.com/braidhq/braid/services/identity/internal/token"
)

// cancellationLifetime is how long a deletion can be called off after a login that was right.
const cancellationLifetime = 10 * time.Minute

// CheckNotMissed refuses to let somebody go whose organizations would be without an owner. It asks another service, so no
// transaction may be open.
func (a *App) CheckNotMissed(ctx context.Context) error {
	organizations, err := a.Ownership.Sole(ctx, caller(ctx))
	if err != nil {
		return err
	}
	if len(organizations) > 0 {
		return domain.ErrSoleOwner.With("organizationIds", strings.Join(organizations, ","))
	}
	return nil
}

// DeleteMe asks for the deletion of the caller, which begins when the grace is over, and returns when that is. Whatever
// gets into the account ends at once.
func (a *App) DeleteMe(ctx context.Context, tx *pg.Tx) (time.Time, error) {
	userID, now := caller(ctx), a.Clock.Now()
	// The deletion is locked before the account, as the saga does.
	if _, err := deletion.Lock(ctx, tx, userID); err != nil && !errors.Is(err, errs.ErrNotFound) {
		return time.Time{}, err
	}
	// Of a login at the same time one sees the other.
	user, _, err := store.LockUserForSession(ctx, tx, userID)
	if err != nil {
		return time.Time{}, err
	}
	if user.LeavesAt != nil {
		return time.Time{}, domain.ErrDeletionPending.With("deletionTime", user.LeavesAt.UTC().Format(time.RFC3339))
	}
	requested := deletion.Deletion{
		SubjectID: userID, AttemptID: id.New(), State: deletion.AwaitingStart, RequestedAt: now, StartedAt: now.Add(a.DeletionGrace),
	}
	if err := store.ReplaceDeletion(ctx, tx, requested); err != nil {
		return time.Time{}, err
	}
	if err := store.SetLeaving(ctx, tx, userID, &requested.StartedAt); err != nil {
		return time.Time{}, err
	}
	if err := a.endSessions(ctx, tx, userID, id.ID{}, identityv1.SessionRevoked_DELETION_REQUESTED); err != nil {
		return time.Time{}, err
	}
	if _, err := a.endAccessTokens(ctx, tx, userID); err != nil {
		return time.Time{}, err
	}
	return requested.StartedAt, a.tellOfDeletion(ctx, tx, userID, &identityv1.UserDeletionRequested{
		UserId: userID.String(), AttemptId: requested.AttemptID.String(), StartTime: timestamppb.New(requested.StartedAt),
	})
}

// deletionPending is what a login is answered with that was right in all, of a user who is about to leave.
func (a *App) deletionPending(user domain.User) error {
	answer := domain.ErrDeletionPending.With("deletionTime", user.LeavesAt.UTC().Format(time.RFC3339))
	if now := a.Clock.Now(); now.Before(*user.LeavesAt) {
		answer = answer.With("cancellationToken", token.Cancellation(a.Keys, user.ID, *user.LeavesAt, now.Add(cancellationLifetime)))
	}
	return answer
}

// CancelMyDeletion calls off the deletion that a login has given a token for, while that has not begun.
func (a *App) CancelMyDeletion(ctx context.Context, cancellationToken string) error {
	userID := token.CancellationOwner(cancellationToken)
	if userID.IsZero() {
		return domain.ErrCancellationInvalid
	}
	ctx = actingAs(ctx, userID, id.ID{})
	err := a.DB.InTx(ctx, pg.Scope{UserID: userID}, func(ctx context.Context, tx *pg.Tx) error {
		cancelled, err := deletion.Lock(ctx, tx, userID)
		if err != nil {
			return err
		}
		now := a.Clock.Now()
		if cancelled.State != deletion.AwaitingStart || !token.IsCancellation(a.Keys, cancellationToken, cancelled.StartedAt, now) {
			return domain.ErrCancellationInvalid
		}
		cancelled.State, cancelled.EndedAt = deletion.Cancelled, &now
		deletion.SetState(tx, cancelled)
		if err := store.SetLeaving(ctx, tx, userID, nil); err != nil {
			return err
		}
		return a.tellOfDeletion(ctx, tx, userID, &identityv1.UserDeletionCancelled{
			UserId: userID.String(), AttemptId: cancelled.AttemptID.String(),
		})
	})
	if errors.Is(err, errs.ErrNotFound) {
		return domain.ErrCancellationInvalid
	}
	return err
}

// EnterDeletion does what a step of a user's deletion means for the account, and tells of it.
func (a *App) EnterDeletion(ctx context.Context, tx *pg.Tx, step deletion.Deletion, move deletion.Move) error {
	userID, attemptID := step.SubjectID.String(), step.AttemptID.String()
	var fact proto.Message
	switch move.State {
	case deletion.Erasing:
		fact = &identityv1.UserErasureStarted{UserId: userID, AttemptId: attemptID}
	case deletion.Failed:
		fact = &identityv1.UserDeletionFailed{
			UserId: userID, AttemptId: attemptID, Service: move.Refused.Service, Reason: move.Refused.LastError,
		}
		if err := store.KeepAccount(ctx, tx, step.SubjectID); err != nil {
			return err
		}
	case deletion.Deleted:
		fact = &identityv1.UserDeleted{UserId: userID, AttemptId: attemptID, ErasedRows: step.ErasedRows()}
		if err := store.DeleteAccount(ctx, tx, step.SubjectID); err != nil {
			return err
		}
	default:
		fact = &identityv1.UserDeletionStarted{UserId: userID, AttemptId: attemptID}
	}
	return a.tellOfDeletion(ctx, tx, step.SubjectID, fact)
}

func (a *App) tellOfDeletion(ctx context.Context, tx *pg.Tx, userID id.ID, fact proto.Message) error {
	return outbox.Append(ctx, tx, a.Clock, outbox.Event{Message: fact, Key: userID, Subject: "user/" + userID.String()})
}

// EraseAddress is the sweep over what is known by a user's address only.
func EraseAddress(ctx context.Context, tx *pg.Tx, userID id.ID, _ string, atMost int) (next string, erased int64, err error) {
	erased, err = store.EraseAddress(ctx, tx, userID, atMost)
	if erased > 0 {
		next = "more"
	}
	return next, erased, err
}

// DeletionMail is what the mails about a deletion say.
type DeletionMail struct {
	domain.User
	deletion.Deletion
}

// GetDeletionMail returns what the mails about a user's deletion say, as long as there is one and the account is there.
func (a *App) GetDeletionMail(ctx context.Context, userID id.ID) (mail DeletionMail, err error) {
	if mail.User, err = a.User(ctx, userID); err != nil {
		return DeletionMail{}, err
	}
	mail.Deletion, err = deletion.Get(ctx, a.DB.Read(pg.Scope{UserID: userID}), userID)
	return mail, err
}
