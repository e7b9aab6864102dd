package identity_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1connect"
	platformv1 "github.com/braidhq/braid/gen/go/braid/platform/v1"
	"github.com/braidhq/braid/platform/module"
	"github.com/braidhq/braid/platform/person"
	"github.com/braidhq/braid/services/identity/internal/app"
)

// elsewhere stands for another service with one section of each person's things, in pages of 500.
type elsewhere struct {
	mu    sync.Mutex
	items map[string][]string
	down  bool
	// held runs in the next question, once.
	held func()
}

func (e *elsewhere) hold(held func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.held = held
}

func (e *elsewhere) set(userID string, items []string, down bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.items[userID], e.down = items, down
}

func (e *elsewhere) mount(mux *http.ServeMux, service string) {
	list, read := person.Procedure(service, "ListPersonSections"), person.Procedure(service, "ReadPersonSection")
	mux.Handle(list, connect.NewUnaryHandlerSimple(list,
		func(context.Context, *platformv1.ListPersonSectionsRequest) (*platformv1.ListPersonSectionsResponse, error) {
			return &platformv1.ListPersonSectionsResponse{Sections: []*platformv1.PersonSection{{Name: "comments", Title: "Comments you wrote"}}}, nil
		}))
	mux.Handle(read, connect.NewUnaryHandlerSimple(read, e.read))
}

func (e *elsewhere) read(_ context.Context, request *platformv1.ReadPersonSectionRequest) (*platformv1.ReadPersonSectionResponse, error) {
	e.mu.Lock()
	held := e.held
	e.held = nil
	e.mu.Unlock()
	if held != nil {
		held()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.down {
		return nil, connect.NewError(connect.CodeUnavailable, errors.New("down"))
	}
	begin, _ := strconv.Atoi(request.GetPageToken())
	items := e.items[request.GetUserId()][begin:]
	if len(items) <= 500 {
		return &platformv1.ReadPersonSectionResponse{Items: items}, nil
	}
	return &platformv1.ReadPersonSectionResponse{Items: items[:500], NextPageToken: strconv.Itoa(begin + 500)}, nil
}

func (h *harness) exports(accessToken string) identityv1connect.DataExportServiceClient {
	return identityv1connect.NewDataExportServiceClient(h.as(accessToken), h.url)
}

// workJobs works the service's jobs until the test ends.
func (h *harness) workJobs() {
	h.t.Helper()
	for _, part := range h.service.Parts {
		if part.Name == "identity.jobs" {
			h.work(part)
		}
	}
}

func (h *harness) work(part module.Part) {
	h.t.Helper()
	require.NoError(h.t, part.Start(h.t.Context()))
	ctx, cancel := context.WithCancel(context.WithoutCancel(h.t.Context()))
	done := make(chan error, 1)
	go func() { done <- part.Run(ctx) }()
	h.t.Cleanup(func() {
		cancel()
		require.NoError(h.t, <-done)
		require.NoError(h.t, part.Stop(context.WithoutCancel(h.t.Context())))
	})
}

// ask asks for an export.
func (h *harness) ask(accessToken string) *identityv1.DataExport {
	h.t.Helper()
	export, err := h.exports(accessToken).CreateDataExport(h.t.Context(), &identityv1.CreateDataExportRequest{})
	require.NoError(h.t, err)
	require.Equal(h.t, identityv1.DataExport_RUNNING, export.GetState())
	require.Nil(h.t, export.GetExpireTime())
	return export
}

// ended waits until an export no longer runs.
func (h *harness) ended(accessToken, exportID string) (export *identityv1.DataExport) {
	h.t.Helper()
	require.Eventually(h.t, func() bool {
		var err error
		export, err = h.exports(accessToken).GetDataExport(h.t.Context(), &identityv1.GetDataExportRequest{DataExportId: exportID})
		return err == nil && export.GetState() != identityv1.DataExport_RUNNING
	}, 30*time.Second, 20*time.Millisecond)
	return export
}

func (h *harness) exportMail(exportID string) *identityv1.GetDataExportMailResponse {
	h.t.Helper()
	mail, err := identityv1connect.NewDataExportMailServiceClient(h.asService(), h.url).
		GetDataExportMail(h.t.Context(), &identityv1.GetDataExportMailRequest{DataExportId: exportID})
	require.NoError(h.t, err)
	return mail
}

// download fetches an archive as a browser does.
func (h *harness) download(mailed string) (status int, header http.Header, body []byte) {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.url+"/api/v1/data-exports/"+mailed, nil)
	require.NoError(h.t, err)
	response, err := h.client.Do(request)
	require.NoError(h.t, err)
	defer func() { _ = response.Body.Close() }()
	body, err = io.ReadAll(response.Body)
	require.NoError(h.t, err)
	return response.StatusCode, response.Header, body
}

// unpack returns an archive's files.
func unpack(t *testing.T, archive []byte) map[string]string {
	t.Helper()
	reader, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	require.NoError(t, err)
	files := map[string]string{}
	for _, file := range reader.File {
		opened, err := file.Open()
		require.NoError(t, err)
		content, err := io.ReadAll(opened)
		require.NoError(t, err)
		files[file.Name] = string(content)
	}
	return files
}

func itemsOf(t *testing.T, file string) (items []map[string]any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(file), &items), file)
	return items
}

// secretValues are what stands in columns that hold bytes, in the ways that they could be written, and password hashes.
func (h *harness) secretValues() map[string][]string {
	h.t.Helper()
	rows, err := h.database.Admin.Query(h.t.Context(), `select table_name, column_name from information_schema.columns
		where table_schema = 'public' and (data_type = 'bytea' or column_name = 'password_hash') and table_name not in ('avatar', 'outbox')`)
	require.NoError(h.t, err)
	columns, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct{ Table, Name string }])
	require.NoError(h.t, err)
	found := map[string][]string{}
	for _, column := range columns {
		name := column.Table + "." + column.Name
		rows, err := h.database.Admin.Query(h.t.Context(), fmt.Sprintf(`select convert_to('', 'UTF8') || %s::%s from %s where octet_length(%[1]s) > 7`,
			column.Name, map[bool]string{true: "text::bytea", false: "bytea"}[column.Name == "password_hash"], column.Table))
		require.NoError(h.t, err, name)
		values, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
		require.NoError(h.t, err, name)
		for _, value := range values {
			found[name] = append(found[name], string(value), hex.EncodeToString(value),
				base64.RawStdEncoding.EncodeToString(value), base64.RawURLEncoding.EncodeToString(value))
		}
	}
	return found
}

func (h *harness) jobsLeft() (left int) {
	h.t.Helper()
	require.NoError(h.t, h.database.Admin.QueryRow(h.t.Context(), `select count(*) from river_job where finalized_at is null`).Scan(&left))
	return left
}

// hurry makes jobs that wait for their next try due.
func (h *harness) hurry() {
	h.t.Helper()
	_, err := h.database.Admin.Exec(h.t.Context(), `update river_job set state = 'available', scheduled_at = now() - interval '1 second' where state in ('retryable', 'scheduled')`)
	require.NoError(h.t, err)
}

// useCases are the service's own, without its handlers.
func (h *harness) useCases() *app.App {
	cases := &app.App{DB: h.database.DB, Keys: h.material.keys, Clock: h.clock, Logger: newLogger(h.logs), PublicURL: "http://braid.test"}
	for _, name := range []string{"identity", "organization"} {
		client, address := h.clients.Dial(name)
		cases.Exports.Services = append(cases.Exports.Services, person.NewClient(name, client, address))
	}
	return cases
}

func (h *harness) cleanUp() error {
	return app.NewCleanup(h.useCases(), prometheus.NewRegistry()).Once(h.t.Context())
}
