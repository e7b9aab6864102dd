package organization

import (
	"context"
	"errors"
	"fmt"

	"connectrpc.com/connect"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1connect"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

var errDirectory = errs.New(errs.Unavailable, "UNAVAILABLE", "The directory of users can't be asked at this moment.")

// directory asks identity about people.
type directory struct {
	client identityv1connect.DirectoryServiceClient
}

// GetPerson implements app.Directory.
func (d directory) GetPerson(ctx context.Context, userID id.ID) (domain.Person, error) {
	user, err := d.client.GetUser(ctx, &identityv1.GetUserRequest{UserId: userID.String()})
	switch {
	case err == nil:
		return domain.Person{
			UserID: userID, DisplayName: user.GetDisplayName(), Email: user.GetEmail(), Title: user.GetTitle(), AvatarPath: user.GetAvatarPath(),
		}, nil
	case connect.CodeOf(err) == connect.CodeNotFound:
		return domain.Person{}, errs.ErrNotFound.WithCause(err)
	case ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)):
		return domain.Person{}, fmt.Errorf("read user: %w", ctx.Err())
	}
	return domain.Person{}, errDirectory.WithCause(err)
}
