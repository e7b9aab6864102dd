package main

import (
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
)

// What the services' own port refuses before any service sees it is found in the logs like everything else.
func TestServiceDoorNamesWhatItRefuses(t *testing.T) {
	t.Parallel()
	p := &process{logger: slog.New(slog.DiscardHandler), handlers: map[string]*lateHandler{}}
	door, err := p.serviceDoor()
	require.NoError(t, err)
	for name, one := range map[string]struct {
		method, path, correlation string
		status                    int
		allow                     string
	}{
		"unknown":          {"GET", "/nowhere", "", 404, ""},
		"named":            {"GET", "/nowhere", "mine", 404, ""},
		"named wrongly":    {"GET", "/nowhere", "not mine", 404, ""},
		"unknown RPC":      {"POST", "/braid.workflow.v1.TaskService/Nothing", "", 404, ""},
		"another method":   {"PUT", "/api/v1/me", "", 405, "GET"},
		"not running here": {"GET", "/api/v1/me", "", 503, ""},
	} {
		request := httptest.NewRequestWithContext(t.Context(), one.method, one.path, strings.NewReader("{}"))
		request.Header.Set("Content-Type", "application/json")
		if one.correlation != "" {
			request.Header.Set(rpc.CorrelationHeader, one.correlation)
		}
		recorder := httptest.NewRecorder()
		door.ServeHTTP(recorder, request)
		require.Equal(t, one.status, recorder.Code, name)
		require.Contains(t, recorder.Header().Get("Allow"), one.allow, name)
		named := recorder.Header().Get(rpc.CorrelationHeader)
		if one.correlation == "mine" {
			require.Equal(t, "mine", named, name)
		} else {
			_, err := id.Parse(named)
			require.NoError(t, err, "%s: %q", name, named)
		}
		require.True(t, json.Valid(recorder.Body.Bytes()), name)
		require.Contains(t, recorder.Body.String(), `"`+named+`"`, name)
	}
}
