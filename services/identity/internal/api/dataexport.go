package api

import (
	"context"
	"strings"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/app"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

// DataExports implements DataExportService and DataExportMailService.
type DataExports struct {
	app    *app.App
	runner idempotency.Runner
}

// NewDataExports returns the handlers of DataExportService and DataExportMailService.
func NewDataExports(app *app.App, runner idempotency.Runner) *DataExports {
	return &DataExports{app, runner}
}

// CreateDataExport implements DataExportService.
func (h *DataExports) CreateDataExport(ctx context.Context, _ *identityv1.CreateDataExportRequest) (*identityv1.DataExport, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.DataExport, error) {
		export, err := h.app.CreateDataExport(ctx, tx)
		if err != nil {
			return nil, err
		}
		return encodeDataExport(export), nil
	})
}

// ListDataExports implements DataExportService.
func (h *DataExports) ListDataExports(ctx context.Context, request *identityv1.ListDataExportsRequest) (*identityv1.ListDataExportsResponse, error) {
	next, exports, err := h.app.ListDataExports(ctx, list.RequestOf(request))
	if err != nil {
		return nil, err
	}
	response := &identityv1.ListDataExportsResponse{NextPageToken: next}
	for _, export := range exports {
		response.DataExports = append(response.DataExports, encodeDataExport(export))
	}
	return response, nil
}

// GetDataExport implements DataExportService.
func (h *DataExports) GetDataExport(ctx context.Context, request *identityv1.GetDataExportRequest) (*identityv1.DataExport, error) {
	export, err := h.app.GetDataExport(ctx, id.ParseOrZero(request.GetDataExportId()))
	if err != nil {
		return nil, err
	}
	return encodeDataExport(export), nil
}

// DeleteDataExport implements DataExportService.
func (h *DataExports) DeleteDataExport(ctx context.Context, request *identityv1.DeleteDataExportRequest) (*identityv1.DeleteDataExportResponse, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*identityv1.DeleteDataExportResponse, error) {
		return &identityv1.DeleteDataExportResponse{}, h.app.DeleteDataExport(ctx, tx, id.ParseOrZero(request.GetDataExportId()))
	})
}

// DownloadDataExport implements DataExportService.
func (h *DataExports) DownloadDataExport(ctx context.Context, request *identityv1.DownloadDataExportRequest, send func(*httpbody.HttpBody) error) error {
	return h.app.DownloadDataExport(ctx, request.GetToken(), func(piece []byte) error {
		return send(&httpbody.HttpBody{ContentType: "application/zip", Data: piece})
	})
}

// GetDataExportMail implements DataExportMailService.
func (h *DataExports) GetDataExportMail(ctx context.Context, request *identityv1.GetDataExportMailRequest) (*identityv1.GetDataExportMailResponse, error) {
	mail, err := h.app.DataExportMail(ctx, id.ParseOrZero(request.GetDataExportId()))
	if err != nil {
		return nil, err
	}
	return &identityv1.GetDataExportMailResponse{
		Email: mail.User.Email, DisplayName: mail.User.DisplayName, Token: mail.Token, ExpireTime: timestamppb.New(mail.ExpiresAt),
		FailureReason: mail.FailureReason,
	}, nil
}

func encodeDataExport(export domain.DataExport) *identityv1.DataExport {
	encoded := &identityv1.DataExport{
		Id: export.ID.String(), State: identityv1.DataExport_State(identityv1.DataExport_State_value[strings.ToUpper(string(export.State))]),
		CreateTime: timestamppb.New(export.CreatedAt), FinishTime: encodeTime(export.FinishedAt), SizeBytes: export.SizeBytes,
		FailureReason: export.FailureReason,
	}
	if export.State != domain.DataExportRunning {
		encoded.ExpireTime = timestamppb.New(export.ExpiresAt)
	}
	return encoded
}
