package obs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
)

// sink is a writer that can be looked at while others write, and that can be broken.
type sink struct {
	mu     sync.Mutex
	text   bytes.Buffer
	writes int
	broken error
}

func (s *sink) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	if s.broken != nil {
		return 0, s.broken
	}
	return s.text.Write(data)
}

func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// logged returns what one call of log writes, as JSON.
func logged(t *testing.T, log func(*slog.Logger)) map[string]any {
	t.Helper()
	out := &sink{}
	logger, closeLog := NewLogger(out, LogOptions{Level: slog.LevelDebug})
	log(logger)
	require.NoError(t, closeLog())
	var line map[string]any
	require.NoError(t, json.Unmarshal([]byte(out.String()), &line), out.String())
	delete(line, "time")
	return line
}

func TestLineCarriesWhatTheContextKnows(t *testing.T) {
	t.Parallel()
	organization, user := id.New(), id.New()
	ctx := call.With(t.Context(), &call.Call{
		CorrelationID: "correlation-1", OrganizationID: organization,
		Actor: call.Actor{Kind: call.User, UserID: user, Token: "canary"},
	})
	ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{0xab}, SpanID: trace.SpanID{1},
	}))
	line := logged(t, func(logger *slog.Logger) {
		logger.With("part", "relay").WithGroup("batch").With("size", 3).WithGroup("last").InfoContext(ctx, "sent", "position", 7)
	})
	require.Equal(t, map[string]any{
		"level": "INFO", "msg": "sent", "part": "relay",
		"batch":          map[string]any{"size": 3.0, "last": map[string]any{"position": 7.0}},
		"correlation_id": "correlation-1", "trace_id": "ab000000000000000000000000000000",
		"organization_id": organization.String(), "user_id": user.String(),
	}, line)
	require.Equal(t, map[string]any{"level": "INFO", "msg": "bare"},
		logged(t, func(logger *slog.Logger) { logger.InfoContext(t.Context(), "bare") }))
}

func TestLevel(t *testing.T) {
	t.Parallel()
	out := &sink{}
	logger, closeLog := NewLogger(out, LogOptions{Level: slog.LevelWarn})
	logger.Info("quiet")
	logger.Warn("loud")
	require.NoError(t, closeLog())
	require.NotContains(t, out.String(), "quiet")
	require.Contains(t, out.String(), "loud")
}

func TestBufferIsFlushedInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &sink{}
		logger, closeLog := NewLogger(out, LogOptions{})
		for _, message := range []string{"first", "second"} {
			logger.Info(message)
			require.NotContains(t, out.String(), message)
			time.Sleep(flushEvery)
			synctest.Wait()
			require.Contains(t, out.String(), message)
		}
		logger.Info("third")
		require.NotContains(t, out.String(), "third")
		require.NoError(t, closeLog())
		require.Contains(t, out.String(), "third")
		logger.Info("after the end")
		require.Contains(t, out.String(), "after the end")
	})
}

func TestWarningTakesEarlierLinesAlong(t *testing.T) {
	t.Parallel()
	out := &sink{}
	logger, closeLog := NewLogger(out, LogOptions{})
	logger.Info("before")
	logger.Warn("trouble")
	require.Contains(t, out.String(), "before")
	require.Contains(t, out.String(), "trouble")
	require.NoError(t, closeLog())
}

func TestLinesAreNotTornAndFewWritesAreMade(t *testing.T) {
	t.Parallel()
	out := &sink{}
	logger, closeLog := NewLogger(out, LogOptions{})
	var group sync.WaitGroup
	const writers, lines = 8, 200
	for range writers {
		group.Go(func() {
			for range lines {
				logger.Info("line", "filling", strings.Repeat("x", 300))
			}
		})
	}
	group.Wait()
	require.NoError(t, closeLog())
	written := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, written, writers*lines)
	for _, line := range written {
		require.True(t, json.Valid([]byte(line)), line)
	}
	require.Less(t, out.writes, writers*lines/20)
}

func TestBufferRecoversFromABrokenSink(t *testing.T) {
	t.Parallel()
	out := &sink{broken: errors.New("no space left")}
	buffer := newBufferedWriter(out, time.Hour)
	_, err := io.WriteString(buffer, "lost\n")
	require.NoError(t, err)
	require.ErrorContains(t, buffer.Flush(), "no space left")
	out.broken = nil
	_, err = io.WriteString(buffer, "kept\n")
	require.NoError(t, err)
	require.NoError(t, buffer.Close())
	require.Equal(t, "kept\n", out.String())
}

type settings struct{ Password string }

type masked string

func (m masked) LogValue() slog.Value { return slog.GroupValue(slog.String("password", string(m))) }

const canary = "canary-93be"

// Every way in which a secret has been seen to reach a log, in both formats.
func TestNoSecretIsLogged(t *testing.T) {
	t.Parallel()
	jwt := "eyJhbGciOiJFZERTQSJ9." + canary + ".c2ln"
	message, err := structpb.NewStruct(map[string]any{"title": canary})
	require.NoError(t, err)
	for name, log := range map[string]func(*slog.Logger){
		"attribute":       func(l *slog.Logger) { l.Info("m", "password", canary) },
		"with":            func(l *slog.Logger) { l.With("refreshToken", canary).Info("m") },
		"group":           func(l *slog.Logger) { l.Info("m", slog.Group("http", slog.String("Set-Cookie", canary))) },
		"inside a group":  func(l *slog.Logger) { l.Info("m", slog.Group("secret", slog.String("value", canary))) },
		"opened group":    func(l *slog.Logger) { l.WithGroup("credentials").Info("m", "value", canary) },
		"valuer":          func(l *slog.Logger) { l.Info("m", "login", masked(canary)) },
		"number":          func(l *slog.Logger) { l.Info("m", "code", canary, "verification_code", canary) },
		"secret":          func(l *slog.Logger) { l.Info("m", "value", NewSecret(canary)) },
		"struct":          func(l *slog.Logger) { l.Info("m", "settings", settings{canary}) },
		"pointer":         func(l *slog.Logger) { l.Info("m", "settings", &settings{canary}) },
		"map":             func(l *slog.Logger) { l.Info("m", "settings", map[string]string{"password": canary}) },
		"list of structs": func(l *slog.Logger) { l.Info("m", "settings", []settings{{canary}}) },
		"bytes":           func(l *slog.Logger) { l.Info("m", "raw", []byte(canary)) },
		"message":         func(l *slog.Logger) { l.Info("m", "request", message) },
		"body":            func(l *slog.Logger) { l.Info("m", "body", canary) },
		"token in error":  func(l *slog.Logger) { l.Info("m", "error", fmt.Errorf("parse %q: bad", jwt)) },
		"bearer in text":  func(l *slog.Logger) { l.Info("m", "header", "Authorization: Bearer "+canary) },
		"password in URL": func(l *slog.Logger) {
			l.Info("m", "error", errors.New("dial postgres://braid:"+canary+"@db/x: refused"))
		},
		"token in message": func(l *slog.Logger) { l.Info("got Bearer " + canary) },
		"URL in list":      func(l *slog.Logger) { l.Info("m", "urls", []string{"smtp://a:" + canary + "@b"}) },
		"broken URL":       func(l *slog.Logger) { l.Info("m", "url", "smtp://a:"+canary+"%zz@b") },
	} {
		for _, format := range []Format{JSON, Console} {
			out := &sink{}
			logger, closeLog := NewLogger(out, LogOptions{Format: format})
			log(logger)
			require.NoError(t, closeLog())
			require.NotEmpty(t, out.String(), name)
			require.NotContains(t, out.String(), canary, "%s as %s", name, format)
		}
	}
}

func TestHarmlessValuesAreShown(t *testing.T) {
	t.Parallel()
	line := logged(t, func(logger *slog.Logger) {
		logger.Info("see https://example.com/docs", "status_code", 404, "token_id", "t-1", "idempotency_key", "k-1",
			"has_token", true, "error", errors.New("refused by mail.example.com"), "tags", []string{"a", "b"},
			"duration", time.Second, "count", 3, "address", "ada@example.com", "level", "x", "raw", []byte("abc"))
	})
	require.Equal(t, map[string]any{
		"level": "x", "msg": "see https://example.com/docs", "status_code": 404.0, "token_id": "t-1",
		"idempotency_key": "k-1", "has_token": true, "error": "refused by mail.example.com", "tags": []any{"a", "b"},
		"duration": float64(time.Second), "count": 3.0, "address": "ada@example.com",
		"raw": "[3 bytes]",
	}, line)
}

func TestIsSensitiveKey(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"password", "Password", "new_password", "passwordHash", "token", "access_token", "accessToken", "Authorization",
		"Set-Cookie", "http.cookie", "secret", "clientSecret", "code", "verificationCode", "reset code", "api_key",
		"privateKey", "payload", "OTP", "database_dsn",
	} {
		require.True(t, IsSensitiveKey(key), key)
	}
	for _, key := range []string{
		"", "status", "status_code", "error_code", "key", "idempotency_key", "token_id", "body_bytes", "encoder",
		"secretary", "organization_id", "trace_id", "keys",
	} {
		require.False(t, IsSensitiveKey(key), key)
	}
}

func TestSecretShowsNothing(t *testing.T) {
	t.Parallel()
	secret := NewSecret(canary)
	require.Equal(t, canary, secret.Reveal())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		require.NotContains(t, fmt.Sprintf(verb, secret), "canary")
		require.NotContains(t, fmt.Sprintf(verb, struct{ S Secret }{secret}), "canary", verb)
		require.NotContains(t, fmt.Sprintf(verb, []Secret{secret}), "canary", verb)
	}
	encoded, err := json.Marshal(map[string]any{"value": secret, "pointer": &secret})
	require.NoError(t, err)
	require.NotContains(t, string(encoded), "canary")

	var read Secret
	require.True(t, read.IsZero())
	require.NoError(t, read.UnmarshalText([]byte(canary)))
	require.Equal(t, secret, read)
}

func TestConsole(t *testing.T) {
	t.Parallel()
	out := &sink{}
	logger, closeLog := NewLogger(out, LogOptions{Format: Console})
	logger.With("service", "workflow").WithGroup("http").Warn("request\x1b[2J refused\nforged", "status", 404,
		"path", "/a b", slog.Group("peer", slog.String("name", "line\nbreak")), "empty", "")
	require.NoError(t, closeLog())
	require.Regexp(t, `^\d\d:\d\d:\d\d\.\d{3} WARN  request�\[2J refused�forged +service=workflow http\.status=404 `+
		`http\.path="/a b" http\.peer\.name=line�break http\.empty=""\n$`, out.String())
	require.NotContains(t, out.String(), "\x1b")

	colored := &sink{}
	logger, closeLog = NewLogger(colored, LogOptions{Format: Console, Color: true})
	logger.Error("m")
	require.NoError(t, closeLog())
	require.Contains(t, colored.String(), red+"ERROR"+reset)
}

func BenchmarkLine(b *testing.B) {
	logger, closeLog := NewLogger(io.Discard, LogOptions{})
	defer func() { _ = closeLog() }()
	ctx := call.With(b.Context(), &call.Call{CorrelationID: "c", OrganizationID: id.New(), Actor: call.Actor{UserID: id.New()}})
	b.ReportAllocs()
	for b.Loop() {
		logger.InfoContext(ctx, "request", "method", "GET", "route", "/api/v1/tasks", "status", 200, "duration_seconds", 0.001)
	}
}
