package api

import (
	"context"
	"errors"

	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/identity/internal/app"
)

// Directory implements DirectoryService, which only other services can call.
type Directory struct{ app *app.App }

// NewDirectory returns the handlers of DirectoryService.
func NewDirectory(app *app.App) *Directory { return &Directory{app} }

// GetUser implements DirectoryService.
func (d *Directory) GetUser(ctx context.Context, request *identityv1.GetUserRequest) (*identityv1.User, error) {
	user, err := d.app.User(ctx, id.ParseOrZero(request.GetUserId()))
	if err != nil {
		return nil, err
	}
	return encodeUser(user), nil
}

// GetSessionState implements DirectoryService.
func (d *Directory) GetSessionState(ctx context.Context, request *identityv1.GetSessionStateRequest) (*identityv1.GetSessionStateResponse, error) {
	session, err := d.app.LiveSession(ctx, id.ParseOrZero(request.GetSessionId()))
	if errors.Is(err, errs.ErrNotFound) {
		return &identityv1.GetSessionStateResponse{}, nil
	}
	if err != nil {
		return nil, err
	}
	return &identityv1.GetSessionStateResponse{Live: true, UserId: session.UserID.String(), Weak: !session.Strong(session.Secured)}, nil
}

// GetRegistrationMail implements DirectoryService.
func (d *Directory) GetRegistrationMail(ctx context.Context, request *identityv1.GetRegistrationMailRequest) (*identityv1.GetRegistrationMailResponse, error) {
	mail, err := d.app.RegistrationMail(ctx, id.ParseOrZero(request.GetRegistrationId()))
	if err != nil {
		return nil, err
	}
	return &identityv1.GetRegistrationMailResponse{
		Email: mail.Email, DisplayName: mail.DisplayName, Code: mail.Code, AccountExists: mail.AccountExists,
		ExpireTime: timestamppb.New(mail.ExpiresAt), Token: mail.Token, NothingPending: mail.NothingPending,
	}, nil
}
