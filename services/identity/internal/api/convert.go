// Package api turns identity's requests into use cases and their results into answers: one file per service of the
// contract. The chain has authenticated, validated and authorized before anything here runs.
package api

import (
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

func encodeUser(user domain.User) *identityv1.User {
	return &identityv1.User{
		Id: user.ID.String(), Email: user.Email, DisplayName: user.DisplayName,
		CreateTime: timestamppb.New(user.CreatedAt), UpdateTime: timestamppb.New(user.UpdatedAt), Etag: user.Etag(),
	}
}

func encodeSession(session domain.Session, current id.ID) *identityv1.Session {
	return &identityv1.Session{
		Id: session.ID.String(), UserAgent: session.UserAgent, ClientAddress: session.ClientAddress,
		CreateTime: timestamppb.New(session.CreatedAt), LastUseTime: timestamppb.New(session.LastUsedAt),
		ExpireTime: timestamppb.New(session.ExpiresAt), Current: session.ID == current,
	}
}

// decodeProfile reads what is to change. Without a mask these are the fields present; fields that only we write are
// passed over, because clients send back what they were given.
func decodeProfile(request *identityv1.UpdateMeRequest) (domain.ProfileChange, error) {
	user := request.GetUser()
	change := domain.ProfileChange{Etag: user.GetEtag()}
	paths := request.GetUpdateMask().GetPaths()
	if len(paths) == 0 && user.GetDisplayName() != "" {
		change.DisplayName = &user.DisplayName
	}
	if len(paths) == 0 && user.GetEmail() != "" {
		change.Email = &user.Email
	}
	for _, path := range paths {
		switch path {
		case "*", "display_name":
			change.DisplayName = &user.DisplayName
		case "email":
			change.Email = &user.Email
		case "id", "create_time", "update_time", "etag":
		default:
			return domain.ProfileChange{}, errs.Invalid("updateMask", "field_mask.unknown_path",
				fmt.Sprintf("%q can't be updated; only displayName can", path))
		}
	}
	return change, nil
}
