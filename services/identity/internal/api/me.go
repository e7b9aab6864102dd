package api

import (
	"context"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/fieldmask"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/app"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

// Me implements MeService.
type Me struct {
	app    *app.App
	runner idempotency.Runner
}

// NewMe returns the handlers of MeService.
func NewMe(app *app.App, runner idempotency.Runner) *Me { return &Me{app, runner} }

// GetMe implements MeService.
func (m *Me) GetMe(ctx context.Context, _ *identityv1.GetMeRequest) (*identityv1.User, error) {
	user, err := m.app.User(ctx, call.From(ctx).Actor.UserID)
	if err != nil {
		return nil, err
	}
	return encodeUser(user), nil
}

var userFields = fieldmask.For(&identityv1.User{})

// UpdateMe implements MeService.
func (m *Me) UpdateMe(ctx context.Context, request *identityv1.UpdateMeRequest) (*identityv1.User, error) {
	sent := request.GetUser()
	fields, err := userFields.Read(request.GetUpdateMask(), sent)
	if err != nil {
		return nil, err
	}
	change := domain.ProfileChange{Etag: sent.GetEtag()}
	if fields.Has("display_name") {
		change.DisplayName = &sent.DisplayName
	}
	if fields.Has("title") {
		change.Title = &sent.Title
	}
	if fields.Has("locale") {
		change.Locale = &sent.Locale
	}
	if fields.Has("time_zone") {
		change.TimeZone = &sent.TimeZone
	}
	return idempotency.Run(ctx, m.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.User, error) {
		user, err := m.app.UpdateMe(ctx, tx, change)
		if err != nil {
			return nil, err
		}
		encoded := encodeUser(user)
		return encoded, fields.Keeps(encoded, "user")
	})
}

// ListSessions implements MeService.
func (m *Me) ListSessions(ctx context.Context, request *identityv1.ListSessionsRequest) (*identityv1.ListSessionsResponse, error) {
	next, sessions, err := m.app.ListSessions(ctx, list.RequestOf(request))
	if err != nil {
		return nil, err
	}
	response := &identityv1.ListSessionsResponse{NextPageToken: next}
	for _, session := range sessions {
		response.Sessions = append(response.Sessions, encodeSession(session, call.From(ctx).Actor.SessionID))
	}
	return response, nil
}

// DeleteSession implements MeService.
func (m *Me) DeleteSession(ctx context.Context, request *identityv1.DeleteSessionRequest) (*identityv1.DeleteSessionResponse, error) {
	return idempotency.Run(ctx, m.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.DeleteSessionResponse, error) {
		return &identityv1.DeleteSessionResponse{}, m.app.DeleteSession(ctx, tx, id.ParseOrZero(request.GetSessionId()))
	})
}
