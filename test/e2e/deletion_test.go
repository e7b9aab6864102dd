package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/test/client"
)

// testDeletion fills an organization with whatever people make, has it deleted, and looks into the databases of all
// services: of every table that says in a column whose its rows are, none is left. Which tables and services these are
// is asked of the server, so that those to come are held to it too.
func testDeletion(t *testing.T, s *suite) {
	doomed, spared := s.tenant(t, "doomed"), s.tenant(t, "spared")
	s.enrich(t, doomed)
	s.settle(t, doomed)
	other := s.settle(t, spared)
	rows, err := s.running.RowsOf(t.Context(), idOf(doomed.path))
	require.NoError(t, err)
	for _, table := range []string{
		"organization.member", "organization.invitation", "workflow.project", "workflow.task", "workflow.comment", "workflow.idempotency",
		"notification.notification", "audit.audit_record", "audit.membership_change",
	} {
		require.NotZero(t, rows[table], "%s: it would prove nothing", table)
	}

	// Within the grace it can be read and not changed, and called off.
	name := s.get(t, doomed.owner, doomed.path).Text("displayName")
	s.refused(t, http.StatusForbidden, "PERMISSION_DENIED", doomed.second, http.MethodPost, doomed.path+":delete", map[string]any{"confirmName": name})
	s.refused(t, http.StatusBadRequest, "NAME_MISMATCH", doomed.owner, http.MethodPost, doomed.path+":delete", map[string]any{"confirmName": "x"})
	s.must(t, doomed.owner, http.MethodPost, doomed.path+":delete", map[string]any{"confirmName": name})
	for _, who := range []*client.Person{doomed.owner, doomed.second} {
		s.await(t, func() error {
			answer := s.do(t, who, http.MethodPost, doomed.path+"/projects", map[string]any{"key": projectKey(), "displayName": "Late"})
			if answer.Reason() != "DELETION_PENDING" && answer.Reason() != "PERMISSION_DENIED" {
				return fmt.Errorf("answered %d: %s", answer.Status, answer.Raw)
			}
			return nil
		})
	}
	require.Equal(t, "PENDING_DELETION", s.get(t, doomed.second, doomed.path).Text("state"))
	s.must(t, doomed.owner, http.MethodPost, doomed.path+":cancelDeletion", map[string]any{})
	s.await(t, func() error {
		answer := s.do(t, doomed.owner, http.MethodPost, doomed.path+"/projects", map[string]any{"key": projectKey(), "displayName": "Goes on"})
		if answer.Status != http.StatusOK {
			return fmt.Errorf("answered %d: %s", answer.Status, answer.Raw)
		}
		return nil
	})

	s.must(t, doomed.owner, http.MethodPost, doomed.path+":delete", map[string]any{"confirmName": name})
	s.awaitDeletion(t, doomed)
	s.refused(t, http.StatusNotFound, "NOT_FOUND", doomed.owner, http.MethodGet, doomed.path, nil)
	s.refused(t, http.StatusNotFound, "NOT_FOUND", doomed.second, http.MethodGet, doomed.path+"/deletion", nil)
	s.await(t, func() error {
		rows, err := s.running.RowsOf(t.Context(), idOf(doomed.path))
		require.NoError(t, err)
		for _, permanent := range []string{"audit.audit_record", "audit.audit_entry"} {
			delete(rows, permanent)
		}
		if len(rows) > 0 {
			return fmt.Errorf("there is left: %v", rows)
		}
		return nil
	})
	s.checkTombstone(t, idOf(doomed.path))
	// The other tenant has heard nothing of it.
	require.Equal(t, other, s.settle(t, spared))
}

// enrich adds what tenant does not make: a refused access, and answers that are kept for the same request again.
func (s *suite) enrich(t *testing.T, made tenant) {
	s.refused(t, http.StatusForbidden, "PERMISSION_DENIED", made.second, http.MethodPatch, made.path, map[string]any{"displayName": "Mine"})
	for i := range 5 {
		key := client.WithHeader("Idempotency-Key", fmt.Sprintf("%s-%d", idOf(made.path), i))
		s.must(t, made.owner, http.MethodPost, made.path+"/projects", map[string]any{"key": projectKey(), "displayName": "Kept"}, key)
	}
}

// checkTombstone looks at what the audit keeps: the permanent records, that of the deletion among them, without bodies.
func (s *suite) checkTombstone(t *testing.T, organizationID string) {
	s.await(t, func() error {
		actions, err := s.running.ActionsOf(t.Context(), organizationID)
		require.NoError(t, err)
		return containsAll(actions, "organization.organization.created", "organization.organization.deletion_requested",
			"organization.organization.deletion_cancelled", "organization.organization.erasure_started", "organization.organization.deleted",
			"workflow.task.created", "platform.organization.erased")
	})
	s.await(t, func() error {
		bodies, err := s.running.BodiesOf(t.Context(), organizationID)
		require.NoError(t, err)
		if bodies > 0 {
			return fmt.Errorf("%d bodies are left", bodies)
		}
		return nil
	})
}

var errNotDeleted = errors.New("it is not deleted")

// deletionPatience is for the grace and for what takes its turn beside all other tests.
const deletionPatience = time.Minute

// awaitDeletion waits for the end, which the former owner can still read.
func (s *suite) awaitDeletion(t *testing.T, doomed tenant) {
	var last client.Answer
	require.NoError(t, client.AwaitFor(t.Context(), deletionPatience, func() error {
		last = s.get(t, doomed.owner, doomed.path+"/deletion")
		if last.Text("state") != "DELETED" {
			return fmt.Errorf("%w: %s", errNotDeleted, last.Raw)
		}
		return nil
	}))
	steps := last.List("steps")
	services, err := s.running.Services(t.Context())
	require.NoError(t, err)
	require.ElementsMatch(t, services, textsOf(steps, "service"))
	for _, step := range steps {
		assert.Equal(t, "ERASED", step["state"], "%v", step)
		assert.NotEmpty(t, step["answerTime"], "%v", step)
	}
	require.NotEmpty(t, last.Text("endTime"))
}
