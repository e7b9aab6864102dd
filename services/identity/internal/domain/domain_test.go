package domain_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestParseAddress(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]domain.Address{
		"ada@example.com":    {Typed: "ada@example.com", Key: "ada@example.com"},
		" Ada@Example.COM\t": {Typed: "Ada@Example.COM", Key: "ada@example.com"},
		"a+tag@example.com":  {Typed: "a+tag@example.com", Key: "a+tag@example.com"},
		"":                   {},
	} {
		require.Equal(t, want, domain.ParseAddress(text))
	}
}

func TestAddressKeyIsStable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		address := domain.ParseAddress(rapid.String().Draw(t, "text"))
		if again := domain.ParseAddress(address.Key); again.Key != address.Key {
			t.Fatalf("%q becomes %q", address.Key, again.Key)
		}
		if domain.ParseAddress(" "+address.Typed+"\n").Key != address.Key {
			t.Fatalf("space around %q matters", address.Typed)
		}
	})
}

func TestJudge(t *testing.T) {
	t.Parallel()
	at := func(ago time.Duration) *time.Time { used := now.Add(-ago); return &used }
	later := now.Add(time.Hour)
	for name, test := range map[string]struct {
		token domain.RefreshToken
		want  domain.Verdict
	}{
		"fresh":                  {domain.RefreshToken{ExpiresAt: later, SessionExpiresAt: later}, domain.Rotate},
		"expired":                {domain.RefreshToken{ExpiresAt: now, SessionExpiresAt: later}, domain.Expired},
		"session expired":        {domain.RefreshToken{ExpiresAt: later, SessionExpiresAt: now}, domain.Expired},
		"just used":              {domain.RefreshToken{ExpiresAt: later, SessionExpiresAt: later, UsedAt: at(0), SealedAnswer: []byte{1}}, domain.Repeat},
		"used 9.999999 s ago":    {domain.RefreshToken{ExpiresAt: later, SessionExpiresAt: later, UsedAt: at(10*time.Second - time.Microsecond), SealedAnswer: []byte{1}}, domain.Repeat},
		"used 10 s ago":          {domain.RefreshToken{ExpiresAt: later, SessionExpiresAt: later, UsedAt: at(10 * time.Second), SealedAnswer: []byte{1}}, domain.Reused},
		"used, answer wiped":     {domain.RefreshToken{ExpiresAt: later, SessionExpiresAt: later, UsedAt: at(0)}, domain.Reused},
		"used and long expired":  {domain.RefreshToken{ExpiresAt: now, SessionExpiresAt: later, UsedAt: at(time.Hour)}, domain.Expired},
		"clock of another is on": {domain.RefreshToken{ExpiresAt: later, SessionExpiresAt: later, UsedAt: at(-time.Second), SealedAnswer: []byte{1}}, domain.Repeat},
	} {
		require.Equal(t, test.want, test.token.Judge(now), name)
	}
}

func TestMatchCodeAlwaysHashesTheSameNumber(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(0, domain.MaxPending).Draw(t, "pending")
		pending := make([]domain.Registration, count)
		for i := range pending {
			pending[i].ID = id.New()
			pending[i].CodeHash = []byte("other")
			pending[i].AccountExists = rapid.Bool().Draw(t, "exists")
		}
		right := rapid.IntRange(-1, count-1).Draw(t, "right")
		if right >= 0 {
			pending[right].CodeHash = []byte("right")
		}
		hashed := 0
		match, found := domain.MatchCode(pending, func(id.ID) []byte { hashed++; return []byte("right") })
		if hashed != domain.MaxPending {
			t.Fatalf("%d hashes", hashed)
		}
		if want := right >= 0 && !pending[right].AccountExists; found != want {
			t.Fatalf("found is %t", found)
		}
		if found && match.ID != pending[right].ID {
			t.Fatal("another registration matched")
		}
	})
}

func TestChange(t *testing.T) {
	t.Parallel()
	user := domain.NewUser("ada@example.com", "Ada", now)
	name := func(text string) *string { return &text }
	changed, different, err := user.Change(domain.ProfileChange{DisplayName: name(" Ada L. "), Etag: user.Etag()}, now.Add(time.Hour))
	require.NoError(t, err)
	require.True(t, different)
	require.Equal(t, "Ada L.", changed.DisplayName)
	require.EqualValues(t, 2, changed.Revision)
	require.Equal(t, now.Add(time.Hour), changed.UpdatedAt)
	require.NotEqual(t, user.Etag(), changed.Etag())

	_, _, err = changed.Change(domain.ProfileChange{DisplayName: name("x"), Etag: user.Etag()}, now)
	require.ErrorIs(t, err, errs.ErrETagMismatch)
	require.Equal(t, changed.Etag(), errs.From(err).Metadata["etag"])
	_, different, err = changed.Change(domain.ProfileChange{DisplayName: name("Ada L.")}, now)
	require.NoError(t, err)
	require.False(t, different)
	for _, bad := range []domain.ProfileChange{
		{DisplayName: name(" ")}, {DisplayName: name(strings.Repeat("é", 101))},
	} {
		unchanged, different, err := changed.Change(bad, now)
		require.Equal(t, errs.InvalidArgument, errs.KindOf(err))
		require.False(t, different)
		require.Equal(t, changed, unchanged)
	}
	_, different, err = changed.Change(domain.ProfileChange{DisplayName: name(strings.Repeat("é", 100))}, now)
	require.NoError(t, err)
	require.True(t, different)
}

func TestCutUserAgent(t *testing.T) {
	t.Parallel()
	require.Equal(t, "curl/8", domain.CutUserAgent("curl/8"))
	rapid.Check(t, func(t *rapid.T) {
		cut := domain.CutUserAgent(string(rapid.SliceOfN(rapid.Byte(), 0, 600).Draw(t, "header")))
		if len(cut) > 256 || !utf8.ValidString(cut) {
			t.Fatalf("%d bytes, %q", len(cut), cut)
		}
	})
}

func TestANameWithWhatNoDatabaseKeepsIsCleaned(t *testing.T) {
	t.Parallel()
	for text, wanted := range map[string]string{"Ada\x00Lovelace": "Ada Lovelace", "\x00\x07": "ada", "Ada\r\nBcc: x": "Ada Bcc: x"} {
		require.Equal(t, wanted, domain.Person{Email: "ada@example.com", DisplayName: text}.Name())
	}
}
