package mailaddress_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/mailaddress"
)

func TestValid(t *testing.T) {
	t.Parallel()
	local, domain := strings.Repeat("a", 64), strings.Repeat(strings.Repeat("d", 60)+".", 3)+"example"
	for address, want := range map[string]bool{
		"ada@example.com":                    true,
		"Ada.Lovelace+braid@mail.example.io": true,
		"o'hara@localhost":                   true,
		local + "@example.com":               true,
		local[:63] + "@" + domain:            true,

		"":                       false,
		"ada":                    false,
		"@example.com":           false,
		"ada@":                   false,
		"ada@@example.com":       false,
		"two..dots@example.com":  false,
		".lead@example.com":      false,
		"trail.@example.com":     false,
		"ada@example..com":       false,
		"ada@.example.com":       false,
		local + "a@example.com":  false,
		local + "@" + domain:     false,
		"Ada <ada@example.com>":  false,
		"<ada@example.com>":      false,
		`"ada"@example.com`:      false,
		`"a b"@example.com`:      false,
		"ada(me)@example.com":    false,
		" ada@example.com":       false,
		"ada@example.com ":       false,
		"a@b.c, d@e.f":           false,
		"a@b.c>\r\nBcc: <d@e.f":  false,
		"ädä@example.com":        false,
		"ada@exämple.com":        false,
		"ada@example.com\x00":    false,
		"ada\u202e@example.com":  false,
		"\xffada@example.com":    false,
		"ada@example.com\u2028x": false,
	} {
		require.Equal(t, want, mailaddress.Valid(address), "%q", address)
	}
}

func TestCheckNamesTheField(t *testing.T) {
	t.Parallel()
	require.NoError(t, mailaddress.Check("email", "ada@example.com"))
	problem := errs.From(mailaddress.Check("email", "two..dots@example.com"))
	require.Equal(t, errs.InvalidArgument, problem.Kind)
	require.Equal(t, "email", problem.Violations[0].Field)
	require.NotContains(t, problem.Violations[0].Message, "dots")
}
