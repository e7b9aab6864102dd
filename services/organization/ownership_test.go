package organization

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

func (b *testBundle) offer(path string, from, to person) (reason string) {
	return b.REST("POST", path+":transferOwnership", from.token, map[string]any{"userId": to.UserID.String()}).Reason()
}

func (b *testBundle) acceptOffer(path string, who person) (reason string) {
	return b.REST("POST", path+":acceptOwnership", who.token, map[string]any{}).Reason()
}

func TestOwnershipIsHandedOverInTwoSteps(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben, cleo, eve := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("cleo"), bundle.meet("eve")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "viewer")
	bundle.join(t, ada, path, cleo, "admin")
	bundle.takeEvents(t)

	require.Equal(t, "PERMISSION_DENIED", bundle.offer(path, cleo, ben))
	require.Equal(t, "TRANSFER_IMPOSSIBLE", bundle.offer(path, ada, ada))
	require.Equal(t, "NOT_FOUND", bundle.offer(path, ada, eve))
	require.Empty(t, bundle.offer(path, ada, cleo))
	require.Empty(t, bundle.offer(path, ada, ben), "another offer takes the place")
	open := bundle.REST("GET", path+"/ownership-transfer", ada.token, nil)
	require.Equal(t, ben.UserID.String(), open.Body["userId"], open.Text)
	require.Equal(t, "2026-01-09T03:04:05Z", open.Body["expireTime"])

	require.Equal(t, "TRANSFER_NOT_PENDING", bundle.acceptOffer(path, cleo))
	require.Equal(t, "TRANSFER_NOT_PENDING", bundle.acceptOffer(path, ada))
	require.Equal(t, "NOT_FOUND", bundle.acceptOffer(path, eve))
	require.Equal(t, "NOT_FOUND", bundle.acceptOffer("/api/v1/organizations/"+id.New().String(), ben))
	require.Empty(t, bundle.acceptOffer(path, ben))
	require.Equal(t, "TRANSFER_NOT_PENDING", bundle.acceptOffer(path, ben), "once")
	require.Equal(t, 404, bundle.REST("GET", path+"/ownership-transfer", ben.token, nil).Status)

	roles := map[any]any{}
	for _, member := range bundle.REST("GET", path+"/members", ada.token, nil).Body["members"].([]any) {
		roles[member.(map[string]any)["userId"]] = member.(map[string]any)["roleIds"].([]any)[0]
	}
	require.Equal(t, map[any]any{ada.UserID.String(): "admin", ben.UserID.String(): "owner", cleo.UserID.String(): "admin"}, roles)
	events := bundle.takeEvents(t)
	require.Equal(t, []string{
		"organization.ownership.offered", "organization.ownership.transfer_canceled", "organization.ownership.offered",
		"organization.member.roles_changed", "organization.member.roles_changed", "organization.ownership.transferred",
	}, types(events))
	require.Equal(t, []string{"owner"}, events[3].Payload.(*organizationv1.MemberRolesChanged).GetRoleIds(), "the new owner first")
}

func TestAnOfferEnds(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	co := bundle.meet("co")
	for name, end := range map[string]func(path string){
		"taken back": func(path string) {
			require.Equal(t, 200, bundle.REST("POST", path+":cancelOwnershipTransfer", co.token, map[string]any{}).Status)
		},
		"stepped down": func(path string) {
			require.Equal(t, 200, bundle.REST("PATCH", memberPath(path, ada), ada.token, map[string]any{"roleIds": []string{"admin"}}).Status)
		},
		"suspended": func(path string) {
			require.Equal(t, 200, bundle.REST("POST", memberPath(path, ada)+":suspend", co.token, map[string]any{}).Status)
		},
		"left": func(path string) {
			require.Equal(t, 200, bundle.REST("DELETE", memberPath(path, ada), ada.token, nil).Status)
		},
		"expired": func(string) { bundle.clock.Advance(domain.TransferLifetime) },
	} {
		_, path := bundle.found(t, ada, "Acme")
		bundle.join(t, ada, path, co, "owner")
		bundle.join(t, ada, path, ben, "member")
		require.Empty(t, bundle.offer(path, ada, ben), name)
		end(path)
		require.Equal(t, "TRANSFER_NOT_PENDING", bundle.acceptOffer(path, ben), name)
		if name != "stepped down" && name != "suspended" {
			require.Equal(t, 404, bundle.REST("GET", path+"/ownership-transfer", co.token, nil).Status, name)
		}
	}
}

func TestAnAcceptanceWaitsForWhoLeaves(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben, co := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("co")
	organizationID, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, co, "owner")
	bundle.join(t, ada, path, ben, "member")
	require.Empty(t, bundle.offer(path, ada, ben))
	left, accepted := bundle.collide(t, organizationID, ada, func(ctx context.Context, tx *pg.Tx) error {
		_, err := bundle.app.RemoveMember(ctx, tx, organizationID, ada.UserID)
		return err
	}, ben, func(ctx context.Context, tx *pg.Tx) error {
		_, err := bundle.app.AcceptOwnership(ctx, tx, organizationID)
		return err
	})
	require.NoError(t, left)
	require.ErrorIs(t, accepted, domain.ErrTransferNotPending)
}

// Whatever people do to each other at the same time, an active owner is left after every single change.
func TestAnOwnerIsLeftInEveryRace(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	people := []person{bundle.meet("ada"), bundle.meet("ben"), bundle.meet("cleo")}
	organizationID, path := bundle.found(t, people[0], "Acme")
	for _, joining := range people[1:] {
		bundle.join(t, people[0], path, joining, "owner")
	}
	var running sync.WaitGroup
	for worker := range 4 {
		running.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 7))
			for range 30 {
				actor, target := people[random.IntN(3)], people[random.IntN(3)]
				switch random.IntN(6) {
				case 0:
					bundle.offer(path, actor, target)
				case 1:
					bundle.acceptOffer(path, actor)
				case 2:
					bundle.REST("POST", memberPath(path, target)+":suspend", actor.token, map[string]any{})
				case 3:
					bundle.REST("POST", memberPath(path, target)+":resume", actor.token, map[string]any{})
				case 4:
					bundle.REST("PATCH", memberPath(path, target), actor.token, map[string]any{"roleIds": []string{"admin"}})
				default:
					bundle.REST("PATCH", memberPath(path, target), actor.token, map[string]any{"roleIds": []string{"owner"}})
				}
				var owners int
				err := bundle.database.Admin.QueryRow(t.Context(), `select count(*) from member
where organization_id = $1 and 'owner' = any (role_ids) and suspended_at is null`, organizationID).Scan(&owners)
				if err != nil || owners == 0 {
					t.Errorf("%d active owners are left, %v", owners, err)
				}
			}
		})
	}
	running.Wait()
}
