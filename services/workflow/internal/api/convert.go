// Package api is the service's side of its contract: it decodes requests, calls a use case and encodes its outcome.
// The chain has authenticated, validated and authorized before.
package api

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/services/workflow/internal/domain"
)

// decodeTime reads a time that may be absent, cut to what the database keeps.
func decodeTime(value *timestamppb.Timestamp) time.Time {
	if value == nil {
		return time.Time{}
	}
	return value.AsTime().Truncate(time.Microsecond)
}

func decodePriority(priority workflowv1.Task_Priority) domain.Priority {
	return domain.Priority(priority)
}

// encodeAll encodes a page; never nil, so that an empty list is a list.
func encodeAll[From, To any](rows []From, encode func(From) *To) []*To {
	encoded := make([]*To, 0, len(rows))
	for _, row := range rows {
		encoded = append(encoded, encode(row))
	}
	return encoded
}
