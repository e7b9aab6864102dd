package gateway

import (
	"context"
	"errors"
	"slices"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
)

// health answers gRPC's own health question as /readyz does: for the whole, and alike for each public service.
type health struct {
	gateway  *Gateway
	services []string
}

var errUnknownService = errors.New("no service has this name")

// Check implements grpchealth.Checker.
func (h health) Check(_ context.Context, request *grpchealth.CheckRequest) (*grpchealth.CheckResponse, error) {
	switch {
	case request.Service != "" && !slices.Contains(h.services, request.Service):
		return nil, connect.NewError(connect.CodeNotFound, errUnknownService)
	case len(h.gateway.Ready()) > 0:
		return &grpchealth.CheckResponse{Status: grpchealth.StatusNotServing}, nil
	}
	return &grpchealth.CheckResponse{Status: grpchealth.StatusServing}, nil
}
