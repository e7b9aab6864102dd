// Package api turns identity's requests into use cases and their results into answers: one file per service of the
// contract. The chain has authenticated, validated and authorized before anything here runs.
package api

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

func encodeUser(user domain.User) *identityv1.User {
	return &identityv1.User{
		Id: user.ID.String(), Email: user.Email, DisplayName: user.DisplayName,
		CreateTime: timestamppb.New(user.CreatedAt), UpdateTime: timestamppb.New(user.UpdatedAt), Etag: user.Etag(),
		Title: user.Title, Locale: user.Locale, TimeZone: user.TimeZone, AvatarPath: user.AvatarPath(),
	}
}

func encodeSession(session domain.Session, current id.ID) *identityv1.Session {
	return &identityv1.Session{
		Id: session.ID.String(), UserAgent: session.UserAgent, ClientAddress: session.ClientAddress,
		CreateTime: timestamppb.New(session.CreatedAt), LastUseTime: timestamppb.New(session.LastUsedAt),
		ExpireTime: timestamppb.New(session.ExpiresAt), Current: session.ID == current,
		Device: session.Device, Client: session.Client, EndTime: timestamppb.New(session.EndsAt),
	}
}

// encodeTime leaves out what never was.
func encodeTime(at *time.Time) *timestamppb.Timestamp {
	if at == nil {
		return nil
	}
	return timestamppb.New(*at)
}

// decodeTime returns nil for none.
func decodeTime(sent *timestamppb.Timestamp) *time.Time {
	if sent == nil {
		return nil
	}
	at := sent.AsTime()
	return &at
}
