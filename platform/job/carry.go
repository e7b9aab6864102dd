package job

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"

	"go.opentelemetry.io/otel/propagation"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
)

// metadata is what River keeps beside the arguments. Only the key "braid" is ours.
type metadata struct {
	Braid *carriedCall `json:"braid,omitempty"`
}

// carriedCall is the call that enqueued a job, as far as its work may know it: no token, no request.
type carriedCall struct {
	CorrelationID  string            `json:"correlationId,omitempty"`
	OrganizationID id.ID             `json:"organizationId,omitzero"`
	ActorKind      call.ActorKind    `json:"actorKind,omitempty"`
	UserID         id.ID             `json:"userId,omitzero"`
	SessionID      id.ID             `json:"sessionId,omitzero"`
	CredentialID   id.ID             `json:"credentialId,omitzero"`
	ImpersonatorID id.ID             `json:"impersonatorId,omitzero"`
	Service        string            `json:"service,omitempty"`
	ClientAddress  netip.Addr        `json:"clientAddress,omitzero"`
	Trace          map[string]string `json:"trace,omitempty"`
}

// tracePropagator writes W3C trace context. Baggage stays behind: it is whatever a client sent.
var tracePropagator = propagation.TraceContext{}

// carry encodes the call and the trace in ctx.
func carry(ctx context.Context) ([]byte, error) {
	current := call.From(ctx)
	carried := &carriedCall{
		CorrelationID:  current.CorrelationID,
		OrganizationID: current.OrganizationID,
		ActorKind:      current.Actor.Kind,
		UserID:         current.Actor.UserID,
		SessionID:      current.Actor.SessionID,
		CredentialID:   current.Actor.CredentialID,
		ImpersonatorID: current.Actor.ImpersonatorID,
		Service:        current.Actor.Service,
		ClientAddress:  current.ClientAddress,
		Trace:          map[string]string{},
	}
	tracePropagator.Inject(ctx, propagation.MapCarrier(carried.Trace))
	encoded, err := json.Marshal(metadata{Braid: carried})
	if err != nil {
		return nil, fmt.Errorf("encode call: %w", err)
	}
	return encoded, nil
}

// restore returns ctx with the call and the trace that a job carries. A job without them, such as a periodic one, is
// the system's own and starts a correlation of its own.
func restore(ctx context.Context, encoded []byte) context.Context {
	var stored metadata
	if err := json.Unmarshal(encoded, &stored); err != nil || stored.Braid == nil {
		return call.With(ctx, &call.Call{CorrelationID: id.New().String(), Actor: call.Actor{Kind: call.System}})
	}
	carried := stored.Braid
	ctx = tracePropagator.Extract(ctx, propagation.MapCarrier(carried.Trace))
	return call.With(ctx, &call.Call{
		CorrelationID:  carried.CorrelationID,
		OrganizationID: carried.OrganizationID,
		Actor: call.Actor{
			Kind:           carried.ActorKind,
			UserID:         carried.UserID,
			SessionID:      carried.SessionID,
			CredentialID:   carried.CredentialID,
			ImpersonatorID: carried.ImpersonatorID,
			Service:        carried.Service,
		},
		ClientAddress: carried.ClientAddress,
	})
}
