package api

import (
	"context"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/fieldmask"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/app"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

// SSOConnections implements SsoConnectionService.
type SSOConnections struct {
	app    *app.App
	runner idempotency.Runner
}

// NewSSOConnections returns the handlers of SsoConnectionService.
func NewSSOConnections(app *app.App, runner idempotency.Runner) *SSOConnections {
	return &SSOConnections{app, runner}
}

// CreateSsoConnection implements SsoConnectionService.
func (s *SSOConnections) CreateSsoConnection(ctx context.Context, request *identityv1.CreateSsoConnectionRequest) (*identityv1.SsoConnection, error) {
	if err := s.app.CheckIssuer(ctx, request.GetIssuer()); err != nil {
		return nil, err
	}
	return idempotency.Run(ctx, s.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.SsoConnection, error) {
		made, err := s.app.CreateSSOConnection(ctx, tx, app.NewSSOConnection{
			DisplayName: request.GetDisplayName(), Issuer: request.GetIssuer(), ClientID: request.GetClientId(),
			Secret: request.GetClientSecret(), DefaultRoleID: request.GetDefaultRoleId(), Required: request.GetRequired(),
		})
		if err != nil {
			return nil, err
		}
		return encodeConnection(made), nil
	})
}

// ListSsoConnections implements SsoConnectionService.
func (s *SSOConnections) ListSsoConnections(ctx context.Context, _ *identityv1.ListSsoConnectionsRequest) (*identityv1.ListSsoConnectionsResponse, error) {
	connections, err := s.app.ListSSOConnections(ctx)
	if err != nil {
		return nil, err
	}
	response := &identityv1.ListSsoConnectionsResponse{}
	for _, connection := range connections {
		response.SsoConnections = append(response.SsoConnections, encodeConnection(connection))
	}
	return response, nil
}

// GetSsoConnection implements SsoConnectionService.
func (s *SSOConnections) GetSsoConnection(ctx context.Context, request *identityv1.GetSsoConnectionRequest) (*identityv1.SsoConnection, error) {
	connection, err := s.app.GetSSOConnection(ctx, id.ParseOrZero(request.GetSsoConnectionId()))
	if err != nil {
		return nil, err
	}
	return encodeConnection(connection), nil
}

var connectionFields = fieldmask.For(&identityv1.SsoConnection{})

// UpdateSsoConnection implements SsoConnectionService.
func (s *SSOConnections) UpdateSsoConnection(ctx context.Context, request *identityv1.UpdateSsoConnectionRequest) (*identityv1.SsoConnection, error) {
	sent := request.GetSsoConnection()
	fields, err := connectionFields.Read(request.GetUpdateMask(), sent)
	if err != nil {
		return nil, err
	}
	change := domain.SSOConnectionChange{Etag: sent.GetEtag()}
	for _, text := range []struct {
		field protoreflect.Name
		value *string
		into  **string
	}{
		{"display_name", &sent.DisplayName, &change.DisplayName}, {"issuer", &sent.Issuer, &change.Issuer},
		{"client_id", &sent.ClientId, &change.ClientID}, {"default_role_id", &sent.DefaultRoleId, &change.DefaultRoleID},
	} {
		if fields.Has(text.field) {
			*text.into = text.value
		}
	}
	if fields.Has("client_secret") {
		change.Secret = sent.GetClientSecret()
	}
	if fields.Has("required") {
		change.Required = &sent.Required
	}
	if change.Issuer != nil {
		if err := s.app.CheckIssuer(ctx, sent.GetIssuer()); err != nil {
			return nil, err
		}
	}
	return idempotency.Run(ctx, s.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.SsoConnection, error) {
		changed, err := s.app.UpdateSSOConnection(ctx, tx, id.ParseOrZero(request.GetSsoConnectionId()), change)
		if err != nil {
			return nil, err
		}
		return encodeConnection(changed), nil
	})
}

// DeleteSsoConnection implements SsoConnectionService.
func (s *SSOConnections) DeleteSsoConnection(ctx context.Context, request *identityv1.DeleteSsoConnectionRequest) (*identityv1.DeleteSsoConnectionResponse, error) {
	return idempotency.Run(ctx, s.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.DeleteSsoConnectionResponse, error) {
		return &identityv1.DeleteSsoConnectionResponse{}, s.app.DeleteSSOConnection(ctx, tx, id.ParseOrZero(request.GetSsoConnectionId()))
	})
}

// encodeConnection leaves the secret out: it is write-only.
func encodeConnection(connection domain.SSOConnection) *identityv1.SsoConnection {
	return &identityv1.SsoConnection{
		Id: connection.ID.String(), DisplayName: connection.DisplayName, Issuer: connection.Issuer, ClientId: connection.ClientID,
		DefaultRoleId: connection.DefaultRoleID, Required: connection.Required, CreateTime: timestamppb.New(connection.CreatedAt),
		UpdateTime: timestamppb.New(connection.UpdatedAt), Etag: connection.Etag(),
	}
}
