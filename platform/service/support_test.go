package service

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	platformv1 "github.com/braidhq/braid/gen/go/braid/platform/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
)

func TestAnOperatorsRequestIsAnEventOfItsOwn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.process(t)
	recorder := supportRecorder{p.db, b.clock}
	work := &call.Call{
		Procedure: "/x/Get", SupportOrganizationID: id.New(), SupportGrantID: id.New(), CorrelationID: "one",
		Actor: call.Actor{Kind: call.User, UserID: id.New(), Operator: call.OperatorSupport, Token: "secret-token"},
	}
	task := id.New()
	accessed := rpc.SupportAccess{Procedure: work.Procedure, ReadOnly: true, Resources: []call.Resource{{Type: "project", ID: id.New()}, {Type: "task", ID: task}}}
	for range 2 {
		require.NoError(t, recorder.SupportAccessed(call.With(t.Context(), work), accessed))
	}
	acting := *work
	acting.Actor.ImpersonatorID = id.New()
	require.NoError(t, recorder.SupportAccessed(call.With(t.Context(), &acting), accessed))

	rows, err := b.Admin.Query(t.Context(), `select type, subject, organization_id, attributes::text, payload from outbox order by position`)
	require.NoError(t, err)
	defer rows.Close()
	var told []*platformv1.SupportAccessed
	for rows.Next() {
		var kind, subject, attributes string
		var organizationID id.ID
		var payload []byte
		require.NoError(t, rows.Scan(&kind, &subject, &organizationID, &attributes, &payload))
		require.Equal(t, "platform.support.accessed", kind)
		require.Equal(t, "task/"+task.String(), subject)
		require.Equal(t, work.SupportOrganizationID, organizationID)
		require.NotContains(t, attributes, "secret-token")
		one := &platformv1.SupportAccessed{}
		require.NoError(t, proto.Unmarshal(payload, one))
		told = append(told, one)
		if len(told) == 3 {
			require.Contains(t, attributes, acting.Actor.ImpersonatorID.String(), "both are in the event")
			require.Contains(t, attributes, work.Actor.UserID.String())
		}
	}
	require.NoError(t, rows.Err())
	require.Len(t, told, 3)
	require.Equal(t, work.Actor.UserID.String(), told[0].GetOperatorId())
	require.Equal(t, acting.Actor.ImpersonatorID.String(), told[2].GetOperatorId())
	require.Equal(t, work.SupportGrantID.String(), told[0].GetSupportGrantId())
	require.Len(t, told[0].GetResources(), 2)
}
