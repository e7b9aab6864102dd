package api

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/app"
)

// Sessions implements SessionService.
type Sessions struct {
	app    *app.App
	runner idempotency.Runner
}

// NewSessions returns the handlers of SessionService.
func NewSessions(app *app.App, runner idempotency.Runner) *Sessions { return &Sessions{app, runner} }

// RevokeOtherSessions implements SessionService.
func (s *Sessions) RevokeOtherSessions(ctx context.Context, _ *identityv1.RevokeOtherSessionsRequest) (*identityv1.RevokeOtherSessionsResponse, error) {
	return idempotency.Run(ctx, s.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.RevokeOtherSessionsResponse, error) {
		count, err := s.app.RevokeSessions(ctx, tx, true)
		return &identityv1.RevokeOtherSessionsResponse{RevokedCount: int32(count)}, err
	})
}

// RevokeAllSessions implements SessionService.
func (s *Sessions) RevokeAllSessions(ctx context.Context, _ *identityv1.RevokeAllSessionsRequest) (*identityv1.RevokeAllSessionsResponse, error) {
	return idempotency.Run(ctx, s.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.RevokeAllSessionsResponse, error) {
		count, err := s.app.RevokeSessions(ctx, tx, false)
		return &identityv1.RevokeAllSessionsResponse{RevokedCount: int32(count)}, err
	})
}

// Devices implements DeviceService, which only other services can call.
type Devices struct{ app *app.App }

// NewDevices returns the handlers of DeviceService.
func NewDevices(app *app.App) *Devices { return &Devices{app} }

// GetNewDeviceMail implements DeviceService.
func (d *Devices) GetNewDeviceMail(ctx context.Context, request *identityv1.GetNewDeviceMailRequest) (*identityv1.GetNewDeviceMailResponse, error) {
	user, device, err := d.app.NewDevice(ctx, id.ParseOrZero(request.GetUserId()), id.ParseOrZero(request.GetDeviceId()))
	if err != nil {
		return nil, err
	}
	return &identityv1.GetNewDeviceMailResponse{
		Email: user.Email, DisplayName: user.DisplayName, Device: device.Name, ClientAddress: device.Address,
		FirstSeenTime: timestamppb.New(device.FirstSeenAt),
	}, nil
}
