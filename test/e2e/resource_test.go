package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/test/client"
)

// creatorOf finds the method that makes what a path variable stands for: the POST on the collection that the variable
// picks one of. It is nil where things come to be otherwise.
func creatorOf(methods []*rpc.Method, variable string) *rpc.Method {
	for _, method := range methods {
		collection, _, uses := strings.Cut(method.Path, "/{"+variable+"}")
		if !uses {
			continue
		}
		for _, creator := range methods {
			if creator.HTTPMethod == http.MethodPost && creator.Path == collection {
				return creator
			}
		}
	}
	return nil
}

// create makes what a path variable stands for, as somebody who may, and returns its id, or the name of what has none.
func (s *suite) create(t *testing.T, who *client.Person, creator *rpc.Method, known values) string {
	t.Helper()
	answer := s.send(t, who, makeRequest(t, creator, known))
	require.Equal(t, http.StatusOK, answer.Status, "%s: %s", creator.Procedure, answer.Raw)
	for _, key := range []string{"id", "name"} {
		if made := answer.Text(key); made != "" {
			return made
		}
	}
	require.Fail(t, "the answer has neither id nor name", "%s: %s", creator.Procedure, answer.Raw)
	return ""
}

// createMissing makes what nobody has made by hand yet of the variables, and adds it.
func (s *suite) createMissing(t *testing.T, who *client.Person, variables []string, made values) {
	t.Helper()
	shared, methods := examples(), catalog(t)
	for _, variable := range variables {
		if value, known := made[variable]; known && value != shared[variable] {
			continue
		}
		if creator := creatorOf(methods, variable); creator != nil {
			made[variable] = s.create(t, who, creator, shared.with(made))
		}
	}
}
