package mailbox_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/secret"
	"github.com/braidhq/braid/services/notification"
	"github.com/braidhq/braid/services/notification/internal/mail"
	"github.com/braidhq/braid/services/notification/internal/mailbox"
	"github.com/braidhq/braid/services/notification/internal/smtp"
	"github.com/braidhq/braid/testkit/pgtest"
)

func newKeys(t *testing.T) *secret.Keys {
	t.Helper()
	directory := t.TempDir()
	require.NoError(t, secret.Init(directory, []string{"notification"}))
	keys, err := secret.Load(directory, "notification")
	require.NoError(t, err)
	return keys
}

// newMailbox returns a mailbox that listens until the test ends.
func newMailbox(t *testing.T, database *pgtest.Database, keys *secret.Keys, kept int) *mailbox.Mailbox {
	t.Helper()
	caught := mailbox.New(mailbox.Config{
		Name: "notification.mailbox", DB: database.DB, Sealer: keys, MaxMessages: kept, Clock: clock.System{}, Logger: pgtest.Logger(t),
	})
	part := caught.Part()
	require.Error(t, part.Ready())
	require.NoError(t, part.Start(t.Context()))
	require.NoError(t, part.Ready())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- part.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
		require.NoError(t, part.Stop(context.WithoutCancel(t.Context())))
	})
	return caught
}

func newSender(target func() smtp.Target) *smtp.Sender {
	return smtp.NewSender(smtp.Config{Target: target, HELO: "test", Timeout: 10 * time.Second})
}

func newMail(to, subject, html string) mail.Message {
	return mail.Message{
		Content:    mail.Content{Subject: subject, Text: "Grüße\ncode: 424242\n", HTML: html},
		DeliveryID: id.New(), CorrelationID: "work-7", From: netmail.Address{Name: "Braid", Address: "braid@example.com"},
		To: netmail.Address{Name: "Zoë", Address: to}, Time: time.Now(),
	}
}

func get(t *testing.T, caught *mailbox.Mailbox, path, accept string) *httptest.ResponseRecorder {
	t.Helper()
	mux := http.NewServeMux()
	for pattern, page := range caught.Pages() {
		mux.Handle(pattern, page)
	}
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	request.Header.Set("Accept", accept)
	recorder := httptest.NewRecorder()
	mux.ServeHTTP(recorder, request)
	return recorder
}

func list(t *testing.T, caught *mailbox.Mailbox, query string) []mailbox.Message {
	t.Helper()
	answer := get(t, caught, "/mailbox/messages"+query, "application/json")
	require.Equal(t, http.StatusOK, answer.Code, answer.Body.String())
	require.Equal(t, "application/json", answer.Header().Get("Content-Type"))
	var body struct{ Messages []mailbox.Message }
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &body))
	require.NotNil(t, body.Messages)
	return body.Messages
}

func TestCaughtMails(t *testing.T) {
	t.Parallel()
	database := pgtest.Open(t, "notification", notification.Migrations()...)
	keys := newKeys(t)
	caught := newMailbox(t, database, keys, 3)
	require.Empty(t, list(t, caught, ""))

	sender := newSender(caught.Target)
	first := newMail("ben@example.org", "For Ben ☕", "<p>Grüße</p>")
	require.NoError(t, sender.Send(t.Context(), first))
	require.NoError(t, sender.Send(t.Context(), newMail("eve@example.org", "For Eve", "<p></p>")))

	messages := list(t, caught, "")
	require.Len(t, messages, 2)
	require.Equal(t, "For Eve", messages[0].Subject, "the newest is first")
	message := list(t, caught, "?to=BEN@example.org")[0]
	require.Equal(t, "For Ben ☕", message.Subject)
	require.Equal(t, []string{"ben@example.org"}, message.To)
	require.Equal(t, `"Braid" <braid@example.com>`, message.From)
	require.Equal(t, "Grüße\ncode: 424242\n", message.Text)
	require.Equal(t, "<p>Grüße</p>", message.HTML)
	require.Equal(t, "<"+first.DeliveryID.String()+"@example.com>", message.Headers["messageId"])
	require.Equal(t, "work-7", message.Headers["xCorrelationId"])
	require.Len(t, list(t, caught, "?limit=1"), 1)

	// What is kept says nothing to one who has only the database.
	var kept []byte
	require.NoError(t, database.Admin.QueryRow(t.Context(), `select string_agg(content, '') from mailbox_message`).Scan(&kept))
	require.NotContains(t, string(kept), "424242")
	require.NotContains(t, string(kept), "example.org")

	// Another process finds the mails again, and only the newest are kept.
	again := newMailbox(t, database, keys, 3)
	require.Len(t, list(t, again, ""), 2)
	for _, subject := range []string{"three", "four"} {
		require.NoError(t, newSender(again.Target).Send(t.Context(), newMail("ben@example.org", subject, "")))
	}
	var subjects []string
	for _, message := range list(t, again, "") {
		subjects = append(subjects, message.Subject)
	}
	require.Equal(t, []string{"four", "three", "For Eve"}, subjects)
}

func TestPagesShowMailsAndRunNothing(t *testing.T) {
	t.Parallel()
	database := pgtest.Open(t, "notification", notification.Migrations()...)
	caught := newMailbox(t, database, newKeys(t), 10)
	evil := `<script>alert(1)</script>"><img src=x onerror=alert(2)>`
	require.NoError(t, newSender(caught.Target).Send(t.Context(), newMail("ben@example.org", evil, evil)))
	message := list(t, caught, "")[0]
	path := "/mailbox/messages/" + message.ID.String()

	for _, page := range []string{"/mailbox", path} {
		answer := get(t, caught, page, "text/html")
		require.Equal(t, http.StatusOK, answer.Code)
		require.Contains(t, answer.Header().Get("Content-Type"), "text/html")
		require.Contains(t, answer.Header().Get("Content-Security-Policy"), "default-src 'none'")
		require.NotContains(t, answer.Body.String(), "<script>")
		require.NotContains(t, answer.Body.String(), "<img")
		require.Contains(t, answer.Body.String(), "&lt;script&gt;")
	}
	require.Contains(t, get(t, caught, path, "text/html").Body.String(), "<iframe sandbox ")
	require.Contains(t, get(t, caught, "/mailbox?to="+strings.Repeat("%22%3E", 2), "text/html").Body.String(), "No mails yet.")

	var alone mailbox.Message
	require.NoError(t, json.Unmarshal(get(t, caught, path, "application/json").Body.Bytes(), &alone))
	require.Equal(t, message, alone)
	require.Equal(t, http.StatusNotFound, get(t, caught, "/mailbox/messages/"+id.New().String(), "").Code)
	require.Equal(t, http.StatusNotFound, get(t, caught, "/mailbox/messages/none", "").Code)
	require.Equal(t, http.StatusBadRequest, get(t, caught, "/mailbox/messages?limit=none", "").Code)
}

func TestOnlyThisProcessPutsMailsIn(t *testing.T) {
	t.Parallel()
	database := pgtest.Open(t, "notification", notification.Migrations()...)
	caught := newMailbox(t, database, newKeys(t), 10)
	for name, spoil := range map[string]func(*smtp.Target){
		"no login":       func(target *smtp.Target) { target.Username = "" },
		"wrong password": func(target *smtp.Target) { target.Password = "guess" },
		"wrong name":     func(target *smtp.Target) { target.Username = "root" },
	} {
		t.Run(name, func(t *testing.T) {
			target := caught.Target()
			spoil(&target)
			err := newSender(func() smtp.Target { return target }).Send(t.Context(), newMail("ben@example.org", "Hello", ""))
			require.Error(t, err)
			require.Empty(t, list(t, caught, ""))
		})
	}
}

func TestAMailIsTakenOnlyWhenItIsKept(t *testing.T) {
	t.Parallel()
	database := pgtest.Open(t, "notification", notification.Migrations()...)
	caught := newMailbox(t, database, newKeys(t), 10)
	_, err := database.Owner.Exec(t.Context(), `alter table mailbox_message rename to gone`)
	require.NoError(t, err)
	err = newSender(caught.Target).Send(t.Context(), newMail("ben@example.org", "Hello", ""))
	var failure *smtp.Failure
	require.ErrorAs(t, err, &failure)
	require.Equal(t, 451, failure.Code)
	require.False(t, failure.Permanent)
	require.Equal(t, http.StatusServiceUnavailable, get(t, caught, "/mailbox", "").Code)
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, pgtest.IgnoreServer()...) }
