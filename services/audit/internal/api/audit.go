// Package api speaks the contract of the audit: it decodes requests, runs a use case and encodes the answer.
// Authentication, validation and the method's permission are behind it already; it decides nothing itself.
package api

import (
	"context"
	"encoding/hex"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	auditv1 "github.com/braidhq/braid/gen/go/braid/audit/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/services/audit/internal/app"
	"github.com/braidhq/braid/services/audit/internal/domain"
)

// Handler implements AuditService.
type Handler struct{ app *app.App }

// New returns the handler over the use cases.
func New(app *app.App) *Handler { return &Handler{app: app} }

// ListAuditEvents lists an organization's records.
func (h *Handler) ListAuditEvents(ctx context.Context, request *auditv1.ListAuditEventsRequest) (*auditv1.ListAuditEventsResponse, error) {
	next, records, err := h.app.ListRecords(ctx, id.ParseOrZero(request.GetOrganizationId()), list.RequestOf(request))
	if err != nil {
		return nil, err
	}
	response := &auditv1.ListAuditEventsResponse{NextPageToken: next}
	for _, record := range records {
		encoded, err := encodeRecord(record)
		if err != nil {
			return nil, err
		}
		response.AuditEvents = append(response.AuditEvents, encoded)
	}
	return response, nil
}

// GetAuditEvent returns one record.
func (h *Handler) GetAuditEvent(ctx context.Context, request *auditv1.GetAuditEventRequest) (*auditv1.AuditEvent, error) {
	record, err := h.app.GetRecord(ctx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetAuditEventId()))
	if err != nil {
		return nil, err
	}
	return encodeRecord(record)
}

func encodeRecord(record domain.Record) (*auditv1.AuditEvent, error) {
	encoded := &auditv1.AuditEvent{
		Id: record.ID.String(), EventId: record.EventID.String(), Action: record.Action,
		ActorKind: record.ActorKind, ActorId: record.ActorID.String(), CredentialId: record.CredentialID.String(),
		ImpersonatorId: record.ImpersonatorID.String(),
		ResourceType:   record.Resource.Type, ResourceId: record.Resource.ID,
		CorrelationId: record.CorrelationID, Source: record.Source, CreateTime: timestamppb.New(record.OccurredAt),
		BodyHash: hex.EncodeToString(record.BodyHash), Erased: record.Body == nil,
	}
	if record.Body == nil {
		return encoded, nil
	}
	encoded.ClientAddress = record.Body.ClientAddress
	if record.Body.Payload != nil {
		encoded.Payload = &structpb.Struct{}
		if err := protojson.Unmarshal(record.Body.Payload, encoded.Payload); err != nil {
			return nil, fmt.Errorf("read payload of record %s: %w", record.ID, err)
		}
	}
	return encoded, nil
}
