package domain_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/braidhq/braid/services/organization/internal/domain"
)

func newRoles(t require.TestingT) *domain.Roles {
	roles, err := domain.NewRoles(map[string]string{
		"workflow.task.read": domain.Viewer, "workflow.task.create": domain.Member,
		"organization.member.remove": domain.Admin, "organization.owner.only": domain.Owner,
	})
	require.NoError(t, err)
	return roles
}

func TestEachRoleHoldsAllOfTheOneBelow(t *testing.T) {
	t.Parallel()
	list := newRoles(t).List()
	require.Len(t, list, 4)
	for i, role := range list {
		require.Len(t, role.Allowed, i+1)
		require.True(t, slices.IsSorted(role.Allowed))
		require.NotEmpty(t, role.Description)
		if i > 0 {
			require.Subset(t, role.Allowed, list[i-1].Allowed)
		}
	}
}

func TestRolesOfOneProcessDoNotShareTheirPermissions(t *testing.T) {
	t.Parallel()
	newRoles(t)
	require.Len(t, newRoles(t).List()[3].Allowed, 4)
}

func TestPermissionOfUnknownRoleIsRefused(t *testing.T) {
	t.Parallel()
	_, err := domain.NewRoles(map[string]string{"workflow.task.read": "king"})
	require.ErrorContains(t, err, "king")
}

func TestHolderIsTheLeastRoleThatHoldsThePermission(t *testing.T) {
	t.Parallel()
	roles := newRoles(t)
	require.Equal(t, domain.Member, roles.Holder([]string{domain.Owner, domain.Member, domain.Viewer}, "workflow.task.create"))
	require.Equal(t, domain.Viewer, roles.Holder([]string{domain.Viewer}, "workflow.task.read"))
	require.Empty(t, roles.Holder([]string{domain.Viewer}, "workflow.task.create"))
	require.Empty(t, roles.Holder(nil, "workflow.task.read"))
	require.Empty(t, roles.Holder([]string{domain.Owner}, "workflow.task.unheard"))
	require.False(t, roles.Knows("workflow.task.unheard"))
	require.Nil(t, roles.Permissions(nil))
}

// byRank stands for what the evaluator says: whoever has a system role holds all that the lower ones give.
func byRank(roles *domain.Roles, actor []string) func(roleID string) error {
	return func(roleID string) error {
		for _, permission := range roles.Permissions([]string{roleID}) {
			if !slices.Contains(roles.Permissions(actor), permission) {
				return domain.ErrGrantExceedsOwn
			}
		}
		return nil
	}
}

func TestChangeOfRoles(t *testing.T) {
	t.Parallel()
	owner, admin, member := []string{domain.Owner}, []string{domain.Admin}, []string{domain.Member}
	for name, test := range map[string]struct {
		actor  []string
		change domain.Change
		want   error
	}{
		"an owner makes an owner":            {owner, domain.Change{Before: member, After: owner, Owners: 1}, nil},
		"an owner unmakes another":           {owner, domain.Change{Before: owner, After: member, Owners: 2}, nil},
		"the last owner can't step down":     {owner, domain.Change{Before: owner, After: admin, Owners: 1}, domain.ErrLastOwner},
		"one of two owners steps down":       {owner, domain.Change{Before: owner, After: admin, Owners: 2}, nil},
		"the last owner can't leave":         {owner, domain.Change{Before: owner, Leaving: true, Owners: 1}, domain.ErrLastOwner},
		"an owner leaves another behind":     {owner, domain.Change{Before: owner, Leaving: true, Owners: 2}, nil},
		"an admin makes no owner":            {admin, domain.Change{Before: member, After: owner, Owners: 1}, domain.ErrGrantExceedsOwn},
		"an admin makes themselves no owner": {admin, domain.Change{Before: admin, After: []string{domain.Admin, domain.Owner}, Owners: 1}, domain.ErrGrantExceedsOwn},
		"an admin unmakes no owner":          {admin, domain.Change{Before: owner, After: member, Owners: 2}, domain.ErrGrantExceedsOwn},
		"an admin removes no owner":          {admin, domain.Change{Before: owner, Owners: 2}, domain.ErrGrantExceedsOwn},
		"rank comes before the last owner":   {admin, domain.Change{Before: owner, Owners: 1}, domain.ErrGrantExceedsOwn},
		"an admin removes an admin":          {admin, domain.Change{Before: admin, Owners: 1}, nil},
		"an admin makes an admin":            {admin, domain.Change{Before: member, After: admin, Owners: 1}, nil},
		"an owner's other roles may change":  {admin, domain.Change{Before: []string{domain.Viewer, domain.Owner}, After: owner, Owners: 1}, nil},
		"a member leaves":                    {member, domain.Change{Before: member, Leaving: true, Owners: 1}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := test.change.Check(byRank(newRoles(t), test.actor))
			if test.want == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, test.want)
		})
	}
}

// Whatever is asked for by whomever: what Check lets through leaves an owner, and lifts nobody above the one who
// did it.
func TestAllowedChangesKeepAnOwnerAndTheOrderOfRanks(t *testing.T) {
	t.Parallel()
	roles := newRoles(t)
	ids := []string{domain.Viewer, domain.Member, domain.Admin, domain.Owner}
	rapid.Check(t, func(t *rapid.T) {
		members := [][]string{{domain.Owner}}
		for range rapid.IntRange(0, 5).Draw(t, "others") {
			members = append(members, roles.Sort(rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 1, 3, rapid.ID).Draw(t, "roles")))
		}
		for range rapid.IntRange(1, 20).Draw(t, "changes") {
			if len(members) == 0 {
				t.Fatal("nobody is left")
			}
			actor := rapid.IntRange(0, len(members)-1).Draw(t, "actor")
			target := rapid.IntRange(0, len(members)-1).Draw(t, "target")
			after := roles.Sort(rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 0, 3, rapid.ID).Draw(t, "after"))
			change := domain.Change{
				Before: members[target], After: after,
				Leaving: actor == target && len(after) == 0, Owners: owners(members),
			}
			if change.Check(byRank(roles, members[actor])) != nil {
				continue
			}
			if slices.Contains(after, domain.Owner) && !slices.Contains(change.Before, domain.Owner) && !slices.Contains(members[actor], domain.Owner) {
				t.Fatalf("%v made an owner", members[actor])
			}
			members[target] = after
			if len(after) == 0 {
				members = slices.Delete(members, target, target+1)
			}
			if owners(members) == 0 {
				t.Fatal("no owner is left")
			}
		}
	})
}

func owners(members [][]string) (count int) {
	for _, roleIDs := range members {
		if slices.Contains(roleIDs, domain.Owner) {
			count++
		}
	}
	return count
}
