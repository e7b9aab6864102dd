package service

import (
	"context"
	"fmt"

	platformv1 "github.com/braidhq/braid/gen/go/braid/platform/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/rpc"
)

// supportRecorder tells the audit of what operators do in an organization, by the outbox. Unlike a refusal each request is
// an event of its own, and is committed before it is answered: what nobody could see afterwards must not happen.
type supportRecorder struct {
	db    *pg.DB
	clock clock.Clock
}

// SupportAccessed implements rpc.SupportRecorder.
func (s supportRecorder) SupportAccessed(ctx context.Context, accessed rpc.SupportAccess) error {
	work := call.From(ctx)
	organizationID, operatorID := work.SupportOrganizationID, work.Actor.UserID
	if !work.Actor.ImpersonatorID.IsZero() {
		operatorID = work.Actor.ImpersonatorID
	}
	told := &platformv1.SupportAccessed{
		OrganizationId: organizationID.String(), SupportGrantId: work.SupportGrantID.String(), OperatorId: operatorID.String(),
		Procedure: accessed.Procedure, ReadOnly: accessed.ReadOnly,
	}
	subject := subjectOf("organization", organizationID)
	for _, resource := range accessed.Resources {
		told.Resources = append(told.Resources, &platformv1.SupportedResource{Type: resource.Type, Id: resource.ID.String()})
		subject = subjectOf(resource.Type, resource.ID)
	}
	err := s.db.InTx(ctx, pg.Scope{OrganizationID: organizationID}, func(ctx context.Context, tx *pg.Tx) error {
		return outbox.Append(ctx, tx, s.clock, outbox.Event{Message: told, Key: organizationID, OrganizationID: organizationID, Subject: subject})
	})
	if err != nil {
		return fmt.Errorf("record support access: %w", err)
	}
	return nil
}

func subjectOf(kind string, of id.ID) string { return kind + "/" + of.String() }
