package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/url"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/audit"
	"github.com/braidhq/braid/testkit/pgtest"
)

// What the databases say counts, and not how they were configured.
func TestServeWarnsOnlyOfLoginsThatOwnTables(t *testing.T) {
	t.Parallel()
	database := pgtest.Open(t, audit.Name, audit.Migrations()...)
	serving := database.Name + "_srv"
	for _, statement := range []string{
		`create role ` + serving + ` login password 'a'`,
		`grant ` + pg.AppRole(database.Name) + `, ` + pg.WorkerRole(database.Name) + ` to ` + serving,
	} {
		_, err := database.Admin.Exec(t.Context(), statement)
		require.NoError(t, err, statement)
	}
	address, err := url.Parse(database.URL)
	require.NoError(t, err)
	address.User = url.UserPassword(serving, "a")
	separate := pgtest.OpenDB(t, pg.Config{Service: audit.Name, URL: address.String()}, prometheus.NewRegistry())
	t.Cleanup(func() {
		separate.Close()
		_, err := database.Admin.Exec(context.WithoutCancel(t.Context()), `drop role `+serving)
		require.NoError(t, err)
	})

	warnings := func(open *pg.DB) string {
		var log bytes.Buffer
		p := &process{logger: slog.New(slog.NewTextHandler(&log, nil)), open: map[string]*pg.DB{audit.Name: open}}
		require.NoError(t, p.warnOfOwners(t.Context()))
		return log.String()
	}
	require.Contains(t, warnings(database.DB), "one login owns the tables")
	require.Contains(t, warnings(database.DB), "service=audit")
	require.Empty(t, warnings(separate))
}
