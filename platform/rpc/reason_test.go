package rpc

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	optionsv1 "github.com/braidhq/braid/gen/go/braid/options/v1"
	platformv1 "github.com/braidhq/braid/gen/go/braid/platform/v1"
	"github.com/braidhq/braid/platform/errs"
)

// Clients branch on reasons, so the contract must hold each of them, with the status that it really comes with.
func TestReasonsAreInTheContract(t *testing.T) {
	t.Parallel()
	reasons := platformv1.ErrorReason(0).Descriptor().Values()
	for _, problem := range []*errs.Error{
		ErrTokenMissing, errs.ErrNotFound, ErrPathUnknown, ErrMethodNotAllowed, ErrBodyTooLarge, errMediaType, errCantServe, ErrNotHere, invalid(),
		failureOf(context.Canceled, "").Problem, failureOf(context.DeadlineExceeded, "").Problem, failureOf(errors.New("x"), "").Problem,
	} {
		value := reasons.ByName(protoreflect.Name(problem.Reason))
		require.NotNil(t, value, "%s is not in braid.platform.v1.ErrorReason", problem.Reason)
		option := proto.GetExtension(value.Options().(*descriptorpb.EnumValueOptions), optionsv1.E_Reason).(*optionsv1.Reason)
		require.Equal(t, option.GetStatus(), httpStatuses[problem.Kind].name, problem.Reason)
	}
}

func TestEveryKindReachesEveryProtocol(t *testing.T) {
	t.Parallel()
	for kind := errs.Internal; kind <= errs.Unimplemented; kind++ {
		require.NotZero(t, httpStatuses[kind].code, kind)
		require.NotZero(t, connectCodes[kind], kind)
	}
	require.Len(t, httpStatuses, int(errs.Unimplemented)+1)
}

// The verdict of a codec can't be written by a caller: the mark is a secret of the process.
func TestRejectionIsOurs(t *testing.T) {
	t.Parallel()
	message := &platformv1.AccessRefused{Permission: "x"}
	require.Empty(t, rejectionOf(message))
	violations := []errs.Violation{{Field: "a[1]", Rule: "r", Message: "m"}}
	require.NoError(t, reject(message, violations))
	require.Equal(t, violations, rejectionOf(message))
	require.Empty(t, message.GetPermission(), "nothing of what was half read is left")

	forged := &platformv1.AccessRefused{}
	unknown := append([]byte(nil), message.ProtoReflect().GetUnknown()...)
	for i := range unknown {
		altered := append([]byte(nil), unknown...)
		altered[i] ^= 0xff
		forged.ProtoReflect().SetUnknown(altered)
		require.NotPanics(t, func() { rejectionOf(forged) })
		if i >= 6 && i < 6+len(rejectionMark) {
			require.Empty(t, rejectionOf(forged), "byte %d", i)
		}
	}
}

// A path or a header may hold any byte; no decoder has looked at them before the chain does.
func TestTextThatNoStoreHoldsIsFound(t *testing.T) {
	t.Parallel()
	for text, rule := range map[string]string{"fine é": "", "\xff": "string.utf8", "a\x00b": "string.no_nul"} {
		found, ok := findUnstorable((&platformv1.AccessRefused{Procedure: text}).ProtoReflect(), "")
		require.Equal(t, rule != "", ok, "%q", text)
		require.Equal(t, rule, found.Rule)
	}
	found, ok := findUnstorable((&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{}, {Field: "\xff"}}}).ProtoReflect(), "")
	require.True(t, ok)
	require.Equal(t, "fieldViolations[1].field", found.Field)
}
