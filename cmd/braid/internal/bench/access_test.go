package bench

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/id"
)

// What is measured must be what the report says: as many roles, as deep, and every condition looked at.
func TestTheWorldOfAccess(t *testing.T) {
	t.Parallel()
	made := newWorld(&person{id: id.New()}, &person{id: id.New()})
	require.Len(t, made.roles, worldRoles)
	graph, err := access.NewGraph(nil, made.roles)
	require.NoError(t, err)
	ask := func(assignment access.Assignment, change func(*access.Question)) bool {
		holdings, err := graph.Hold(access.Subject{ID: made.organization.member.id.String(), Kind: access.User}, []access.Assignment{assignment})
		require.NoError(t, err)
		now := time.Now()
		question := &access.Question{
			Permission: worldPermission, Now: now, Address: netip.MustParseAddr("127.0.0.1"), Login: access.Login{Factor: access.Password, Time: now},
			Resource: &access.Resource{Type: worldResource, ProjectID: made.projectID.String()},
		}
		change(question)
		return holdings.Decide(question).Allowed
	}
	unchanged := func(*access.Question) {}
	elsewhere := func(question *access.Question) { question.Address = netip.MustParseAddr("192.0.2.1") }
	for _, roleID := range []string{made.deep, made.conditional} {
		require.True(t, ask(made.assignment(roleID, ""), unchanged))
		require.True(t, ask(made.assignment(roleID, ownCondition), unchanged))
		require.False(t, ask(made.assignment(roleID, ownCondition), elsewhere))
	}
	require.True(t, ask(made.assignment(made.deep, ""), elsewhere))
	require.False(t, ask(made.assignment(made.conditional, ""), elsewhere))
	require.False(t, ask(made.assignment(made.conditional, ""), func(question *access.Question) { question.Login.Factor = access.SSO }))
	require.False(t, ask(made.assignment(made.spare, ""), unchanged), "a role that is changed must not change the answer")

	// One step more would be too many: the question goes as far as it may.
	for _, roleID := range []string{made.deep, made.conditional} {
		tooDeep := append(made.roles[:len(made.roles):len(made.roles)], access.Role{ID: "below", Parents: []access.Parent{{RoleID: roleID, Mode: access.Full}}})
		_, err := access.NewGraph(nil, tooDeep)
		require.ErrorIs(t, err, access.ErrRoleTooDeep)
	}
}

func TestACheckMustBeAllowed(t *testing.T) {
	t.Parallel()
	revision, err := allowedAt([]byte(`{"allowed":true,"reason":"role:a","accessRevision":"7"}`))
	require.NoError(t, err)
	require.EqualValues(t, 7, revision)
	for _, body := range []string{`{"allowed":false,"accessRevision":"7"}`, `{"reason":"unknown_permission"}`, `nothing`} {
		_, err := allowedAt([]byte(body))
		require.Error(t, err, body)
	}
}

func TestWhatOthersMeetMeanwhile(t *testing.T) {
	t.Parallel()
	of := func(latencies ...time.Duration) outcome {
		return outcome{latencies: latencies, requests: len(latencies)}
	}
	calm := []outcome{of(time.Millisecond), of(10 * time.Millisecond), of(time.Millisecond)}
	found := &report{judged: true}
	// Round by round: the second was slow without the load as well.
	found.addMeanwhile("work", calm, []outcome{of(2 * time.Millisecond), of(15 * time.Millisecond), of(1900 * time.Microsecond)}, 2)
	found.addMeanwhile("work", calm, []outcome{of(3 * time.Millisecond), of(15 * time.Millisecond), of(3 * time.Millisecond)}, 2)
	require.Equal(t, "1.90", found.rows[0].ratio)
	require.Equal(t, "yes", found.rows[0].met)
	require.Equal(t, "3.00", found.rows[1].ratio)
	require.Equal(t, "no", found.rows[1].met)
}
