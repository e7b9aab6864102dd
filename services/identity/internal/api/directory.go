package api

import (
	"context"
	"errors"

	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/identity/internal/app"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

// Directory implements DirectoryService, which only other services can call.
type Directory struct{ app *app.App }

// NewDirectory returns the handlers of DirectoryService.
func NewDirectory(app *app.App) *Directory { return &Directory{app} }

// GetUser implements DirectoryService.
func (d *Directory) GetUser(ctx context.Context, request *identityv1.GetUserRequest) (*identityv1.User, error) {
	userID, err := id.Parse(request.GetUserId())
	if err != nil {
		return nil, domain.ErrNotFound
	}
	user, err := d.app.User(ctx, userID)
	if err != nil {
		return nil, err
	}
	return encodeUser(user), nil
}

// GetSessionState implements DirectoryService.
func (d *Directory) GetSessionState(ctx context.Context, request *identityv1.GetSessionStateRequest) (*identityv1.GetSessionStateResponse, error) {
	sessionID, err := id.Parse(request.GetSessionId())
	if err != nil {
		return &identityv1.GetSessionStateResponse{}, nil
	}
	session, err := d.app.LiveSession(ctx, sessionID)
	if errors.Is(err, domain.ErrNotFound) {
		return &identityv1.GetSessionStateResponse{}, nil
	}
	if err != nil {
		return nil, err
	}
	return &identityv1.GetSessionStateResponse{Live: true, UserId: session.UserID.String()}, nil
}

// GetRegistrationMail implements DirectoryService.
func (d *Directory) GetRegistrationMail(ctx context.Context, request *identityv1.GetRegistrationMailRequest) (*identityv1.GetRegistrationMailResponse, error) {
	registrationID, err := id.Parse(request.GetRegistrationId())
	if err != nil {
		return nil, domain.ErrNotFound
	}
	mail, err := d.app.RegistrationMail(ctx, registrationID)
	if err != nil {
		return nil, err
	}
	return &identityv1.GetRegistrationMailResponse{
		Email: mail.Email, DisplayName: mail.DisplayName, Code: mail.Code, AccountExists: mail.AccountExists,
		ExpireTime: timestamppb.New(mail.ExpiresAt),
	}, nil
}
