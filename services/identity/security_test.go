package identity_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/require"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity"
	"github.com/braidhq/braid/testkit/pgtest"
)

// hashes returns how many password hashes were computed.
func (h *harness) hashes() uint64 {
	h.t.Helper()
	families, err := h.registry.Gather()
	require.NoError(h.t, err)
	for _, family := range families {
		if family.GetName() == "braid_identity_password_hash_seconds" {
			return family.GetMetric()[0].GetHistogram().GetSampleCount()
		}
	}
	h.t.Fatal("no metric of password hashes")
	return 0
}

func TestKnownAndUnknownCostTheSame(t *testing.T) {
	t.Parallel()
	database := pgtest.Open(t, "identity", identity.Migrations()...)
	wire, url := pgtest.Tap(t, database.URL)
	db := pgtest.OpenDB(t, pg.Config{Service: "identity", URL: url}, prometheus.NewRegistry())
	h := assemble(t, database, db, testConfig())
	h.signUp("ada@example.com")
	login := h.signIn("ada@example.com")
	h.signUp("ben@example.com")
	bens := h.signIn("ben@example.com")
	bensSessions, err := h.me(bens.GetAccessToken()).ListSessions(t.Context(), &identityv1.ListSessionsRequest{})
	require.NoError(t, err)
	pending := h.mail(h.register("pending@example.com", goodPassword)).GetCode()
	h.register("expired@example.com", goodPassword)
	_, err = database.Admin.Exec(t.Context(), `update registration set expires_at = $1 where email_key = 'expired@example.com'`, h.clock.Now())
	require.NoError(t, err)
	h.captureExample()
	attempts := map[string]map[string]func() error{
		"discover": {
			"unknown": func() error { return fmt.Errorf("%v", h.discover("nobody@example.com")) },
			"known":   func() error { return fmt.Errorf("%v", h.discover("ada@example.com")) },
		},
		"login": {
			"unknown": func() error { _, err := h.login("nobody@example.com", "not the password"); return err },
			"known":   func() error { _, err := h.login("ada@example.com", "not the password"); return err },
			"pending": func() error { _, err := h.login("pending@example.com", goodPassword); return err },
		},
		"register": {
			"unknown": func() error { return h.askForAccount("somebody@example.com") },
			"known":   func() error { return h.askForAccount("ada@example.com") },
			"pending": func() error { return h.askForAccount("pending@example.com") },
		},
		"forgot": {
			"unknown": func() error { return h.askForReset("nobody@example.com") },
			"known":   func() error { return h.askForReset("ada@example.com") },
			"pending": func() error { return h.askForReset("pending@example.com") },
		},
		"resend": {
			"unknown": func() error { return h.askAgain("someone@example.com") },
			"known":   func() error { return h.askAgain("ben@example.com") },
			"pending": func() error { return h.askAgain("expired@example.com") },
		},
		"change address": {
			"unknown": func() error { return h.askForAddress(login.GetAccessToken(), "free@example.com") },
			"known":   func() error { return h.askForAddress(login.GetAccessToken(), "ben@example.com") },
		},
		"verify": {
			"unknown": func() error { _, err := h.verify("nobody@example.com", "000000"); return err },
			"known":   func() error { _, err := h.verify("ben@example.com", "000000"); return err },
			"wrong":   func() error { _, err := h.verify("pending@example.com", otherCode(pending)); return err },
			"expired": func() error { _, err := h.verify("expired@example.com", "000000"); return err },
		},
		"delete session": {
			"missing": func() error { return h.deleteSession(login.GetAccessToken(), id.New().String()) },
			"foreign": func() error {
				return h.deleteSession(login.GetAccessToken(), bensSessions.GetSessions()[0].GetId())
			},
		},
	}
	mailing := map[string]bool{"register": true, "forgot": true, "resend": true, "change address": true}
	for name, cases := range attempts {
		costs, answers := map[string]string{}, map[string]string{}
		for which, attempt := range cases {
			// Once to open connections and prepare statements, once to count.
			_ = attempt()
			hashed, told := h.hashes(), len(h.events())
			statements := wire.During(func() { answers[which] = fmt.Sprint(attempt()) })
			require.NotEmpty(t, statements)
			require.Equal(t, mailing[name], h.mailsSince(told) == 1, "%s: %s: a mail goes to whoever is asked for, and to nobody else", name, which)
			costs[which] = fmt.Sprintf("%d hashes\n%+v", h.hashes()-hashed, statements)
		}
		for which, cost := range costs {
			for other, otherCost := range costs {
				require.Equal(t, cost, otherCost, "%s: %s and %s", name, which, other)
				require.Equal(t, answers[which], answers[other], "%s: %s and %s", name, which, other)
			}
		}
	}
}

// captureExample has the addresses of example.com sign in by a connection, if they like.
func (h *harness) captureExample() {
	h.t.Helper()
	_, err := h.database.Admin.Exec(h.t.Context(), `with domain as (insert into verified_domain (organization_id, domain_id, domain, capture, verified_at)
    values (gen_random_uuid(), gen_random_uuid(), 'example.com', true, now()) returning organization_id)
insert into sso_connection (organization_id, id, display_name, issuer, client_id, sealed_secret, default_role_id, required, revision, created_at, updated_at)
select organization_id, gen_random_uuid(), 'Corp', 'https://corp.example', 'x', '', 'member', false, 1, now(), now() from domain`)
	require.NoError(h.t, err)
}

func (h *harness) askForAccount(email string) error {
	_, err := h.auth.Register(h.t.Context(), &identityv1.RegisterRequest{Email: email, Password: goodPassword, DisplayName: "Eve"})
	return err
}

// mailsSince counts the events after a number of them that somebody gets a mail for.
func (h *harness) mailsSince(told int) (mails int) {
	h.t.Helper()
	for _, event := range h.events()[told:] {
		switch event.message.(type) {
		case *identityv1.RegistrationRequested, *identityv1.PasswordResetRequested, *identityv1.EmailChangeRequested:
			mails++
		}
	}
	return mails
}

func (h *harness) askForReset(email string) error {
	_, err := h.passwords("").ForgotPassword(h.t.Context(), &identityv1.ForgotPasswordRequest{Email: email})
	return err
}

func (h *harness) askAgain(email string) error {
	_, err := h.emails("").ResendVerification(h.t.Context(), &identityv1.ResendVerificationRequest{Email: email})
	return err
}

func (h *harness) askForAddress(accessToken, email string) error {
	_, err := h.emails(accessToken).ChangeEmail(h.t.Context(), &identityv1.ChangeEmailRequest{NewEmail: email})
	return err
}

func (h *harness) deleteSession(accessToken, sessionID string) error {
	_, err := h.me(accessToken).DeleteSession(h.t.Context(), &identityv1.DeleteSessionRequest{SessionId: sessionID})
	return err
}

func TestNoSecretIsLoggedToldOrStored(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	secrets := map[string]string{"password": goodPassword, "wrong password": "the wrong canary of a password"}
	code := h.mail(h.register("ada@example.com", goodPassword)).GetCode()
	secrets["code"] = code
	wrong := otherCode(code)
	secrets["wrong code"] = wrong
	_, err := h.verify("ada@example.com", wrong)
	require.Error(t, err)
	_, err = h.verify("ada@example.com", code)
	require.NoError(t, err)
	secrets["pending code"] = h.mail(h.register("ben@example.com", goodPassword)).GetCode()
	_, err = h.login("ada@example.com", secrets["wrong password"])
	require.Error(t, err)
	login := h.signIn("ada@example.com")
	secrets["access token"], secrets["refresh token"] = login.GetAccessToken(), login.GetRefreshToken()
	secrets["device token"] = login.GetDeviceToken()
	secrets["reset token"] = h.forgot("ada@example.com").GetToken()
	secrets["change token"] = h.changeEmail(login.GetAccessToken(), "new@example.com").GetToken()
	secrets["link token"] = h.resend("ben@example.com").GetToken()
	refreshed, err := h.refresh(login.GetRefreshToken())
	require.NoError(t, err)
	secrets["second access token"], secrets["second refresh token"] = refreshed.GetAccessToken(), refreshed.GetRefreshToken()
	require.True(t, h.active(refreshed.GetAccessToken()))
	status, _ := h.rest("PATCH", "/api/v1/me", refreshed.GetAccessToken(), `{"displayName":"Ada L."}`)
	require.Equal(t, 200, status)
	// The sealed answer is there at this moment: it must not be readable, not even by the service's own keys.
	require.Equal(t, 1, h.count(`select count(*) from refresh_token where sealed_answer is not null`))
	stored := h.dump()
	h.clock.Advance(time.Minute)
	_, err = h.refresh(login.GetRefreshToken())
	require.Equal(t, "REFRESH_TOKEN_INVALID", reasonOf(t, err))
	_, err = h.refresh("canary-of-an-unknown-refresh-token")
	require.Error(t, err)
	secrets["unknown refresh token"] = "canary-of-an-unknown-refresh-token"
	h.database.DB.Close()
	_, err = h.login("ada@example.com", goodPassword)
	require.Equal(t, "UNAVAILABLE", reasonOf(t, err), "also what goes wrong is logged without secrets")

	logs := h.logs.String()
	require.Contains(t, logs, "request refused", "the log was read")
	require.Contains(t, stored, "identity.login.succeeded", "the outbox was read")
	for name, secret := range secrets {
		for place, text := range map[string]string{"log": logs, "database": stored} {
			require.NotContains(t, text, secret, "%s in the %s", name, place)
			require.NotContains(t, text, hex.EncodeToString([]byte(secret)), "%s in the %s", name, place)
		}
	}
}

// dump returns every row of every table as text, without the times.
func (h *harness) dump() string {
	h.t.Helper()
	rows, err := h.database.Admin.Query(h.t.Context(), `select tablename from pg_tables where schemaname = 'public'`)
	require.NoError(h.t, err)
	defer rows.Close()
	var tables []string
	for rows.Next() {
		var name string
		require.NoError(h.t, rows.Scan(&name))
		tables = append(tables, name)
	}
	require.NoError(h.t, rows.Err())
	require.Contains(h.t, tables, "outbox")
	var text strings.Builder
	for _, table := range tables {
		if strings.Contains(table, "version") || strings.Contains(table, "migration") {
			continue
		}
		var content string
		require.NoError(h.t, h.database.Admin.QueryRow(h.t.Context(), `select coalesce(string_agg(r::text, E'\n'), '') from `+table+` r`).Scan(&content))
		text.WriteString(content)
	}
	return text.String()
}

func TestRowsAreVisibleOnlyToTheirUser(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	user := h.signUp("ada@example.com")
	h.signIn("ada@example.com")
	h.register("ben@example.com", goodPassword)
	scope := pg.Scope{UserID: id.MustParse(user.GetId())}
	countIn := func(scope pg.Scope, table string) int {
		var count int
		err := h.database.DB.Read(scope).QueryRow(t.Context(), `select count(*) from `+table).Scan(&count)
		require.NoError(t, err)
		return count
	}
	for _, table := range []string{"account", "session"} {
		require.Equal(t, 1, countIn(scope, table), table)
		require.Zero(t, countIn(pg.Scope{UserID: id.New()}, table), table)
		require.Zero(t, countIn(pg.Scope{}, table), table)
	}
	require.Zero(t, countIn(scope, "registration"), "what is pending is visible only to who names the address")

	ctx := context.Background()
	for name, sql := range map[string]string{
		"read password hashes":     `select password_hash from credential`,
		"read sealed signing keys": `select sealed_private from signing_key`,
		"make a signing key":       `insert into signing_key values ('x', '', '', now())`,
		"move a session":           `update session set account_id = $1`,
		"change a refresh token":   `update refresh_token set account_id = $1`,
		"change an address":        `update credential set email_key = 'x' where account_id = $1`,
		"read budgets":             `select key from budget`,
		"read reset tokens":        `select nonce from password_reset where account_id = $1`,
		"read wished addresses":    `select email from email_change where account_id = $1`,
		"write an address":         `update account set email = 'x' where id = $1`,
		"delete an account":        `delete from account where id = $1`,
		"prolong a registration":   `update registration set expires_at = expires_at + interval '1 day'`,
		"read the outbox":          `select payload from outbox`,
	} {
		err := h.database.DB.InTx(ctx, scope, func(ctx context.Context, tx *pg.Tx) error {
			arguments := []any{}
			if strings.Contains(sql, "$1") {
				arguments = append(arguments, scope.UserID)
			}
			_, err := tx.Exec(ctx, sql, arguments...)
			return err
		})
		require.ErrorContains(t, err, "permission denied", name)
	}
	err := h.database.DB.InTx(ctx, scope, func(ctx context.Context, tx *pg.Tx) error {
		_, err := tx.Exec(ctx, `insert into session (id, account_id, user_agent, client_address, created_at, last_used_at, expires_at)
values ($1, $2, '', '', now(), now(), now())`, id.New(), id.New())
		return err
	})
	require.ErrorContains(t, err, "row-level security", "nobody begins a session for another")
	for name, sql := range map[string]string{
		"accounts": `select count(*) from account`, "credentials": `select count(*) from credential`,
	} {
		err := h.database.DB.WorkerRead().QueryRow(ctx, sql).Scan(new(int))
		require.ErrorContains(t, err, "permission denied", "the worker has no business with %s", name)
	}
}

func TestTokenOfAnotherUsersSessionIsRefused(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, ben := h.signUp("ada@example.com"), h.signUp("ben@example.com")
	h.signIn("ada@example.com")
	err := h.database.DB.InTx(t.Context(), pg.Scope{UserID: id.MustParse(ben.GetId())}, func(ctx context.Context, tx *pg.Tx) error {
		_, err := tx.Exec(ctx, `insert into refresh_token (hash, session_id, account_id, created_at, expires_at)
values ('x', $1, $2, now(), now())`, h.onlySession(ada.GetId()), ben.GetId())
		return err
	})
	require.ErrorContains(t, err, "foreign key", "a token belongs to a session of the same user")
}

func (h *harness) onlySession(userID string) (sessionID id.ID) {
	h.t.Helper()
	var text string
	require.NoError(h.t, h.database.Admin.QueryRow(h.t.Context(), `select id::text from session where account_id = $1`, userID).Scan(&text))
	return id.MustParse(text)
}

func TestMetricsFollowTheRules(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	families, err := h.registry.Gather()
	require.NoError(t, err)
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	require.NoError(t, err)
	for _, problem := range problems {
		require.False(t, strings.HasPrefix(problem.Metric, "braid_identity"), "%s: %s", problem.Metric, problem.Text)
	}
}
