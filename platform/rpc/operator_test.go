package rpc

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	optionsv1 "github.com/braidhq/braid/gen/go/braid/options/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

func TestOperatorsCallWithTheirRoleAndASecondFactor(t *testing.T) {
	t.Parallel()
	shown := call.Password | call.OneTimeCode | call.SeveralFactors | call.Strong
	session := func(role call.OperatorRole, methods call.Methods) call.Actor {
		return call.Actor{Kind: call.User, UserID: id.New(), SessionID: id.New(), Operator: role, Methods: methods}
	}
	machine := session(call.OperatorAdmin, shown)
	machine.Limits = &call.Limits{}
	robot := session(call.OperatorAdmin, shown)
	robot.Kind = call.ServiceAccount
	peer := session(call.OperatorAdmin, shown)
	peer.Kind = call.Service
	sessionless := session(call.OperatorAdmin, shown)
	sessionless.SessionID = id.ID{}
	for name, test := range map[string]struct {
		least          call.OperatorRole
		actor          call.Actor
		reason, action string
	}{
		"support for support":    {call.OperatorSupport, session(call.OperatorSupport, shown), "", ""},
		"system for support":     {call.OperatorSupport, session(call.OperatorSystem, shown), "", ""},
		"admin for support":      {call.OperatorSupport, session(call.OperatorAdmin, shown), "", ""},
		"admin for admin":        {call.OperatorAdmin, session(call.OperatorAdmin, shown), "", ""},
		"support for system":     {call.OperatorSystem, session(call.OperatorSupport, shown), "PERMISSION_DENIED", ""},
		"support for admin":      {call.OperatorAdmin, session(call.OperatorSupport, shown), "PERMISSION_DENIED", ""},
		"system for admin":       {call.OperatorAdmin, session(call.OperatorSystem, shown), "PERMISSION_DENIED", ""},
		"a person":               {call.OperatorSupport, session(0, shown), "PERMISSION_DENIED", ""},
		"a role nobody knows":    {call.OperatorSupport, session(99, shown), "PERMISSION_DENIED", ""},
		"a machine":              {call.OperatorSupport, machine, "PERMISSION_DENIED", ""},
		"a service account":      {call.OperatorSupport, robot, "PERMISSION_DENIED", ""},
		"another service":        {call.OperatorSupport, peer, "PERMISSION_DENIED", ""},
		"no session":             {call.OperatorSupport, sessionless, "PERMISSION_DENIED", ""},
		"no second factor":       {call.OperatorSupport, session(call.OperatorAdmin, call.Password|call.Strong), "POLICY_FORBIDS", "enrollFactor"},
		"a factor not shown":     {call.OperatorSupport, session(call.OperatorAdmin, call.Password), "POLICY_FORBIDS", "stepUp"},
		"a rule without a role":  {0, session(call.OperatorAdmin, shown), "PERMISSION_DENIED", ""},
		"neither role nor proof": {call.OperatorAdmin, session(call.OperatorSupport, 0), "PERMISSION_DENIED", ""},
	} {
		err := requireOperator(&Method{Rule: Operator, Operator: test.least}, &test.actor)
		require.Equal(t, test.reason == "", err == nil, name)
		if err != nil {
			require.Equal(t, errs.PermissionDenied, errs.KindOf(err), name)
			require.Equal(t, test.reason, errs.From(err).Reason, name)
			require.Equal(t, test.action, errs.From(err).Metadata["action"], name)
		}
	}
	for _, rule := range []Rule{Public, Authenticated, Internal, Organization} {
		require.NoError(t, requireOperator(&Method{Rule: rule}, &call.Actor{}))
	}
}

func TestOperatorRulesNameARoleAndTakeNoMachine(t *testing.T) {
	t.Parallel()
	rule := func(role string, machines optionsv1.Machines) *descriptorpb.MethodOptions {
		options := &descriptorpb.MethodOptions{}
		proto.SetExtension(options, optionsv1.E_Permission, &optionsv1.Permission{Rule: &optionsv1.Permission_Operator{Operator: role}})
		proto.SetExtension(options, optionsv1.E_Machines, machines)
		proto.SetExtension(options, optionsv1.E_StepUp, &optionsv1.StepUp{MaxAge: 60, Factor: true})
		return options
	}
	for _, role := range []string{"", "owner", "Admin", "king"} {
		require.Error(t, (&Method{}).readPermission(rule(role, 0)), role)
	}
	method := &Method{}
	options := rule("admin", optionsv1.Machines_MACHINES_ALLOWED)
	require.NoError(t, method.readPermission(options))
	require.NoError(t, method.readStepUp(options), "an operator is a person and can prove it again")
	method.readMachines(options)
	require.Equal(t, Operator, method.Rule)
	require.Equal(t, call.OperatorAdmin, method.Operator)
	require.False(t, method.Machines, "not even when the contract says so")
}
