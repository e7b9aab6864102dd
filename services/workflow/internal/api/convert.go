// Package api is the service's side of its contract: it decodes requests, calls a use case and encodes its outcome.
// The chain has authenticated, validated and authorized before.
package api

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/services/workflow/internal/domain"
)

// latestTime is the last that RFC 3339 can write; PostgreSQL could keep later ones.
var latestTime = time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)

// decodeTime reads a time that may be absent, cut to what the database keeps.
func decodeTime(field string, value *timestamppb.Timestamp) (time.Time, error) {
	if value == nil {
		return time.Time{}, nil
	}
	decoded := value.AsTime().Truncate(time.Microsecond)
	if value.CheckValid() != nil || decoded.IsZero() || decoded.After(latestTime) {
		return time.Time{}, errs.Invalid(field, "timestamp", "must be a time of the years 1 to 9999")
	}
	return decoded, nil
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
