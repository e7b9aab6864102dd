package sensitive_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/sensitive"
)

func TestStripDropsMarkedFieldsAtEveryDepth(t *testing.T) {
	t.Parallel()
	event := &workflowv1.TaskCommented{
		Task:    &workflowv1.Task{Id: "t", Title: "kept", Description: "canary-description"},
		Comment: &workflowv1.Comment{Id: "c", Body: "canary-body"},
	}
	stripped, err := protojson.Marshal(sensitive.Strip(event))
	require.NoError(t, err)
	require.NotContains(t, string(stripped), "canary")
	require.Contains(t, string(stripped), "kept")
	require.Equal(t, "canary-body", event.GetComment().GetBody(), "the original must stay as it was")
}

func TestStripReturnsWhatHoldsNothingSensitive(t *testing.T) {
	t.Parallel()
	event := &identityv1.SessionRevoked{UserId: "u", SessionId: "s"}
	require.Same(t, event, sensitive.Strip(event))
}

func TestDecodeDropsUnknownFields(t *testing.T) {
	t.Parallel()
	data, err := proto.Marshal(&identityv1.LoginFailed{UserId: "u"})
	require.NoError(t, err)
	// Field 100, length-delimited: what a newer version might add.
	data = append(data, 0xa2, 0x06, 0x06)
	data = append(data, "canary"...)
	message, err := sensitive.Decode("braid.identity.v1.LoginFailed", data)
	require.NoError(t, err)
	again, err := proto.Marshal(message)
	require.NoError(t, err)
	require.NotContains(t, string(again), "canary")

	_, err = sensitive.Decode("braid.identity.v1.Nothing", nil)
	require.ErrorContains(t, err, "braid.identity.v1.Nothing")
}
