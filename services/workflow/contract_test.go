package workflow

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/reflect/protoreflect"

	platformv1 "github.com/braidhq/braid/gen/go/braid/platform/v1"
	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/services/workflow/internal/domain"
	"github.com/braidhq/braid/services/workflow/internal/store"
)

// The contract enumerates every reason a client may meet.
func TestReasonsAreInTheContract(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, enum := range []protoreflect.EnumDescriptor{
		workflowv1.ErrorReason(0).Descriptor(), platformv1.ErrorReason(0).Descriptor(),
	} {
		for i := range enum.Values().Len() {
			known[string(enum.Values().Get(i).Name())] = true
		}
	}
	for _, refusal := range []*errs.Error{
		errs.ErrNotFound, domain.ErrProjectArchived, domain.ErrProjectKeyTaken, domain.ErrTransitionNotAllowed,
		domain.ErrAssigneeNotMember, errs.ErrETagMismatch, domain.ErrNotAuthor, errs.Invalid("x", "y", "z"),
	} {
		require.True(t, known[refusal.Reason], refusal.Reason)
	}
}

func TestListsAreDeclaredInFull(t *testing.T) {
	t.Parallel()
	require.NoError(t, store.Projects.Validate())
	require.NoError(t, store.Tasks.Validate())
	require.NoError(t, store.Comments.Validate())
}

func TestPrioritiesAreTheContracts(t *testing.T) {
	t.Parallel()
	for priority, name := range map[domain.Priority]string{domain.Low: "LOW", domain.Normal: "NORMAL", domain.High: "HIGH", domain.Urgent: "URGENT"} {
		require.Equal(t, name, workflowv1.Task_Priority(priority).String())
	}
}

func TestConfigSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	var keys []string
	report := func(key, _ string) { keys = append(keys, key) }
	(&Config{}).Validate(report)
	require.Equal(t, []string{"change_retention", "watch_heartbeat", "max_streams", "max_streams_per_user"}, keys)
}
