package pg_test

import (
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/testkit/pgtest"
)

func newRegistry() *prometheus.Registry { return prometheus.NewRegistry() }

func TestSessionsRunUnderTheirRole(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const query = `select current_user::text || ' ' || current_setting('statement_timeout') || ' ' ||
		current_setting('application_name') || ' ' || current_setting('idle_in_transaction_session_timeout')`
	for querier, want := range map[pg.Querier]string{
		b.DB.Read(b.mine):  pg.AppRole(b.Name) + " 5s braid-items 30s",
		b.DB.Point(b.mine): pg.AppRole(b.Name) + " 2s braid-items 30s",
		b.DB.WorkerRead():  pg.WorkerRole(b.Name) + " 30s braid-items 30s",
	} {
		var got string
		require.NoError(t, querier.QueryRow(t.Context(), query).Scan(&got))
		require.Equal(t, want, got)
	}
	owns, err := b.DB.LoginOwnsTables(t.Context())
	require.NoError(t, err)
	require.True(t, owns)
}

func TestRoleThatBypassesPoliciesIsRefused(t *testing.T) {
	t.Parallel()
	database := pgtest.Create(t, "items", items)
	_, err := database.Admin.Exec(t.Context(), `alter role `+pg.AppRole(database.Name)+` bypassrls`)
	require.NoError(t, err)
	_, err = pg.Open(t.Context(), pg.Config{Service: "items", URL: database.URL}, pgtest.Logger(t), newRegistry())
	require.ErrorContains(t, err, "row-level security")
}

func TestOpenSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	database := pgtest.Create(t, "items", items)
	open := func(address string) error {
		_, err := pg.Open(t.Context(), pg.Config{Service: "items", URL: address}, pgtest.Logger(t), newRegistry())
		return err
	}
	require.ErrorIs(t, open(strings.Replace(database.URL, database.Name, "postgres", 1)), pg.ErrNotPrepared)
	require.True(t, pg.IsUnavailable(open("postgres://someone@127.0.0.1:1/items")))
	err := open("postgres://someone:geheim@[::1/items")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "geheim")
}

func TestTransactionPoolerIsRefused(t *testing.T) {
	t.Parallel()
	database := pgtest.Create(t, "items", items)
	for shared, want := range map[bool]error{true: pg.ErrTransactionPooled, false: nil} {
		address := startPooler(t, database, shared)
		db, err := pg.Open(t.Context(), pg.Config{Service: "items", URL: address}, pgtest.Logger(t), newRegistry())
		require.ErrorIs(t, err, want)
		if err == nil {
			db.Close()
		}
	}
}

// startPooler stands in for a connection pooler: it lets anybody in under a made-up process number and passes messages
// on, either over one server connection that all clients take turns on (transaction pooling) or over one each.
func startPooler(t *testing.T, database *pgtest.Database, shared bool) string {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	var clients sync.WaitGroup
	var turn sync.Mutex
	connect := func() *pgconn.PgConn {
		config, err := pgconn.ParseConfig(database.URL)
		require.NoError(t, err)
		config.RuntimeParams["role"] = pg.AppRole(database.Name)
		server, err := pgconn.ConnectConfig(t.Context(), config)
		require.NoError(t, err)
		return server
	}
	var common *pgconn.PgConn
	if shared {
		common = connect()
		t.Cleanup(func() { _ = common.Close(t.Context()) })
	}
	t.Cleanup(func() { _ = listener.Close(); clients.Wait() })
	clients.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			clients.Go(func() {
				defer func() { _ = client.Close() }()
				if shared {
					relay(client, common, &turn)
					return
				}
				own := connect()
				defer func() { _ = own.Close(t.Context()) }()
				relay(client, own, &sync.Mutex{})
			})
		}
	})
	target := url.URL{Scheme: "postgres", User: url.User("anyone"), Host: listener.Addr().String(), Path: "/" + database.Name,
		RawQuery: "sslmode=disable"}
	return target.String()
}

// relay passes on one round trip (up to Sync or a simple query) at a time.
func relay(client net.Conn, server *pgconn.PgConn, turn *sync.Mutex) {
	backend := pgproto3.NewBackend(client, client)
	if _, err := backend.ReceiveStartupMessage(); err != nil {
		return
	}
	backend.Send(&pgproto3.AuthenticationOk{})
	backend.Send(&pgproto3.BackendKeyData{ProcessID: 4711, SecretKey: []byte{0, 0, 0, 1}})
	backend.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if backend.Flush() != nil {
		return
	}
	for {
		var batch []pgproto3.FrontendMessage
		for ended := false; !ended; {
			message, err := backend.Receive()
			if err != nil {
				return
			}
			frontend := server.Frontend()
			if len(batch) == 0 {
				turn.Lock()
			}
			batch = append(batch, message)
			frontend.Send(message)
			switch message.(type) {
			case *pgproto3.Sync, *pgproto3.Query:
				ended = true
			case *pgproto3.Terminate:
				turn.Unlock()
				return
			}
		}
		err := passAnswers(backend, server)
		turn.Unlock()
		if err != nil {
			return
		}
	}
}

func passAnswers(backend *pgproto3.Backend, server *pgconn.PgConn) error {
	if err := server.Frontend().Flush(); err != nil {
		return err
	}
	for {
		message, err := server.Frontend().Receive()
		if err != nil {
			return err
		}
		backend.Send(message)
		if _, ready := message.(*pgproto3.ReadyForQuery); ready {
			return backend.Flush()
		}
	}
}
