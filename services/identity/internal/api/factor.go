package api

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/fieldmask"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/app"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

// Factors implements FactorService.
type Factors struct {
	app    *app.App
	runner idempotency.Runner
}

// NewFactors returns the handlers of FactorService.
func NewFactors(app *app.App, runner idempotency.Runner) *Factors { return &Factors{app, runner} }

// ListFactors implements FactorService.
func (f *Factors) ListFactors(ctx context.Context, _ *identityv1.ListFactorsRequest) (*identityv1.ListFactorsResponse, error) {
	factors, left, err := f.app.ListFactors(ctx)
	if err != nil {
		return nil, err
	}
	response := &identityv1.ListFactorsResponse{BackupCodesLeft: left}
	for _, factor := range factors {
		response.Factors = append(response.Factors, encodeFactor(factor))
	}
	return response, nil
}

// CreateTotpFactor implements FactorService.
func (f *Factors) CreateTotpFactor(ctx context.Context, request *identityv1.CreateTotpFactorRequest) (*identityv1.CreateTotpFactorResponse, error) {
	made, err := f.app.CreateTOTP(ctx, request.GetName())
	if err != nil {
		return nil, err
	}
	return &identityv1.CreateTotpFactorResponse{Id: made.ID.String(), Secret: made.Secret, OtpauthUri: made.URI}, nil
}

// ConfirmFactor implements FactorService.
func (f *Factors) ConfirmFactor(ctx context.Context, request *identityv1.ConfirmFactorRequest) (*identityv1.ConfirmFactorResponse, error) {
	factor, codes, err := f.app.ConfirmFactor(ctx, id.ParseOrZero(request.GetFactorId()), request.GetCode())
	if err != nil {
		return nil, err
	}
	return &identityv1.ConfirmFactorResponse{Factor: encodeFactor(factor), BackupCodes: codes}, nil
}

var factorFields = fieldmask.For(&identityv1.Factor{})

// UpdateFactor implements FactorService.
func (f *Factors) UpdateFactor(ctx context.Context, request *identityv1.UpdateFactorRequest) (*identityv1.Factor, error) {
	sent := request.GetFactor()
	fields, err := factorFields.Read(request.GetUpdateMask(), sent)
	if err != nil {
		return nil, err
	}
	var name *string
	if fields.Has("name") {
		name = &sent.Name
	}
	return idempotency.Run(ctx, f.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.Factor, error) {
		factor, err := f.app.RenameFactor(ctx, tx, id.ParseOrZero(request.GetFactorId()), name)
		if err != nil {
			return nil, err
		}
		encoded := encodeFactor(factor)
		return encoded, fields.Keeps(encoded, "factor")
	})
}

// DeleteFactor implements FactorService.
func (f *Factors) DeleteFactor(ctx context.Context, request *identityv1.DeleteFactorRequest) (*identityv1.DeleteFactorResponse, error) {
	return idempotency.Run(ctx, f.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.DeleteFactorResponse, error) {
		return &identityv1.DeleteFactorResponse{}, f.app.DeleteFactor(ctx, tx, id.ParseOrZero(request.GetFactorId()))
	})
}

// RegenerateBackupCodes implements FactorService.
func (f *Factors) RegenerateBackupCodes(ctx context.Context, _ *identityv1.RegenerateBackupCodesRequest) (*identityv1.RegenerateBackupCodesResponse, error) {
	codes, err := f.app.RegenerateBackupCodes(ctx)
	if err != nil {
		return nil, err
	}
	return &identityv1.RegenerateBackupCodesResponse{BackupCodes: codes}, nil
}

// BeginPasskeyRegistration implements FactorService.
func (f *Factors) BeginPasskeyRegistration(ctx context.Context, _ *identityv1.BeginPasskeyRegistrationRequest) (*identityv1.BeginPasskeyRegistrationResponse, error) {
	options, err := f.app.BeginPasskeyRegistration(ctx)
	if err != nil {
		return nil, err
	}
	response := &identityv1.BeginPasskeyRegistrationResponse{}
	response.PublicKey, err = encodeOptions(options)
	return response, err
}

// FinishPasskeyRegistration implements FactorService.
func (f *Factors) FinishPasskeyRegistration(ctx context.Context, request *identityv1.FinishPasskeyRegistrationRequest) (*identityv1.FinishPasskeyRegistrationResponse, error) {
	answer, err := decodeCredential(request.GetCredential())
	if err != nil {
		return nil, err
	}
	factor, codes, err := f.app.FinishPasskeyRegistration(ctx, answer, request.GetName())
	if err != nil {
		return nil, err
	}
	return &identityv1.FinishPasskeyRegistrationResponse{Factor: encodeFactor(factor), BackupCodes: codes}, nil
}

// encodeOptions makes of a browser's options what the contract carries: any object.
func encodeOptions(options []byte) (*structpb.Struct, error) {
	encoded := &structpb.Struct{}
	if err := protojson.Unmarshal(options, encoded); err != nil {
		return nil, fmt.Errorf("encode passkey options: %w", err)
	}
	return encoded, nil
}

func decodeCredential(credential *structpb.Struct) ([]byte, error) {
	text, err := protojson.Marshal(credential)
	if err != nil {
		return nil, domain.ErrPasskeyInvalid.WithCause(err)
	}
	return text, nil
}

func encodeFactor(factor domain.Factor) *identityv1.Factor {
	return &identityv1.Factor{
		Id: factor.ID.String(), Kind: app.EncodeFactorKind(factor.Kind), Name: factor.Name, Confirmed: factor.Confirmed(),
		CreateTime: timestamppb.New(factor.CreatedAt), LastUseTime: encodeOptional(factor.LastUsedAt),
		CloneWarningTime: encodeOptional(factor.CloneWarnedAt),
	}
}

func encodeOptional(moment *time.Time) *timestamppb.Timestamp {
	if moment == nil {
		return nil
	}
	return timestamppb.New(*moment)
}

// UserSecurity implements UserSecurityService, which only other services can call.
type UserSecurity struct{ app *app.App }

// NewUserSecurity returns the handlers of UserSecurityService.
func NewUserSecurity(app *app.App) *UserSecurity { return &UserSecurity{app} }

// GetUserSecurity implements UserSecurityService.
func (u *UserSecurity) GetUserSecurity(ctx context.Context, request *identityv1.GetUserSecurityRequest) (*identityv1.GetUserSecurityResponse, error) {
	userIDs := make([]id.ID, 0, len(request.GetUserIds()))
	for _, text := range request.GetUserIds() {
		userIDs = append(userIDs, id.ParseOrZero(text))
	}
	secured, err := u.app.SecuredUsers(ctx, userIDs)
	if err != nil {
		return nil, err
	}
	response := &identityv1.GetUserSecurityResponse{}
	for _, userID := range secured {
		response.SecuredUserIds = append(response.SecuredUserIds, userID.String())
	}
	return response, nil
}
