package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/test/client"
)

func testIdempotency(t *testing.T, s *suite) {
	at := s.place(t)
	project := s.project(t, at.organization, at.owner, "IDE")
	titles := func(prefix string) []string {
		var found []string
		for _, title := range textsOf(s.get(t, at.owner, project+"/tasks?pageSize=200").List("tasks"), "title") {
			if strings.HasPrefix(title, prefix) {
				found = append(found, title)
			}
		}
		return found
	}
	key := func() client.Option { return client.WithHeader("Idempotency-Key", id.New().String()) }
	t.Run("SameAnswerTwice", func(t *testing.T) {
		t.Parallel()
		named, body := key(), map[string]any{"title": "Replayed"}
		first := s.must(t, at.owner, http.MethodPost, project+"/tasks", body, named)
		require.Empty(t, first.Header.Get("Idempotency-Replayed"))
		second := s.must(t, at.owner, http.MethodPost, project+"/tasks", body, named)
		require.Equal(t, "true", second.Header.Get("Idempotency-Replayed"))
		require.Equal(t, string(first.Raw), string(second.Raw))
		s.refused(t, http.StatusConflict, "IDEMPOTENCY_KEY_REUSED", at.owner, http.MethodPost, project+"/tasks", map[string]any{"title": "Replayed otherwise"}, named)
		require.Len(t, titles("Replayed"), 1)
		// The key belongs to this method and this resource: elsewhere it is another request.
		path := at.organization + "/tasks/" + first.Text("id")
		s.must(t, at.owner, http.MethodPost, path+"/comments", map[string]any{"body": "x"}, named)
		deleting := key()
		s.must(t, at.owner, http.MethodDelete, path, nil, deleting)
		again := s.must(t, at.owner, http.MethodDelete, path, nil, deleting)
		require.Equal(t, "true", again.Header.Get("Idempotency-Replayed"))
	})
	t.Run("ManyAtOnce", func(t *testing.T) {
		t.Parallel()
		const clients = 8
		named, body := key(), map[string]any{"title": "Race"}
		answers := make([]client.Answer, clients)
		var running sync.WaitGroup
		for i := range clients {
			running.Go(func() {
				var err error
				if answers[i], err = s.Do(t.Context(), at.owner, http.MethodPost, project+"/tasks", body, named); err != nil {
					t.Error(err)
				}
			})
		}
		running.Wait()
		done := map[string]int{}
		for _, answer := range answers {
			if answer.Status == http.StatusConflict {
				require.Equal(t, "IDEMPOTENCY_KEY_IN_USE", answer.Reason(), "%s", answer.Raw)
				continue
			}
			require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Raw)
			done[fmt.Sprint(answer.Text("id"), answer.Header.Get("Idempotency-Replayed") == "")]++
		}
		require.LessOrEqual(t, len(done), 2, "one made it, the others heard of it")
		require.Len(t, titles("Race"), 1)
	})
	t.Run("KeysArePersonal", func(t *testing.T) {
		t.Parallel()
		ben := s.signUp(t, "Ben")
		s.join(t, at.organization, at.owner, ben, "member")
		named, body := key(), map[string]any{"title": "Personal"}
		first := s.must(t, at.owner, http.MethodPost, project+"/tasks", body, named)
		second := s.must(t, ben, http.MethodPost, project+"/tasks", body, named)
		require.NotEqual(t, first.Text("id"), second.Text("id"))
	})
	t.Run("FailuresAreNotKept", func(t *testing.T) {
		t.Parallel()
		testFailuresAreNotKept(t, s, at, key())
	})
	t.Run("SecretsAreNotKept", func(t *testing.T) {
		t.Parallel()
		named, body := key(), map[string]any{"email": at.owner.Email, "password": at.owner.Password}
		first := s.must(t, nil, http.MethodPost, "/api/v1/auth/login", body, named)
		second := s.must(t, nil, http.MethodPost, "/api/v1/auth/login", body, named)
		require.Empty(t, second.Header.Get("Idempotency-Replayed"))
		require.NotEqual(t, first.Text("refreshToken"), second.Text("refreshToken"))
	})
}

func testFailuresAreNotKept(t *testing.T, s *suite, at place, named client.Option) {
	body := map[string]any{"key": "LTR", "displayName": "Later"}
	ben := s.signUp(t, "Ben")
	s.join(t, at.organization, at.owner, ben, "member")
	s.refused(t, http.StatusForbidden, "PERMISSION_DENIED", ben, http.MethodPost, at.organization+"/projects", body, named)
	s.must(t, at.owner, http.MethodPatch, at.organization+"/members/"+ben.ID, map[string]any{"roleIds": []string{"admin"}})
	made := s.must(t, ben, http.MethodPost, at.organization+"/projects", body, named)
	require.Empty(t, made.Header.Get("Idempotency-Replayed"))
}
