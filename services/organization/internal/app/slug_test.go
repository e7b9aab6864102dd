package app

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/services/organization/internal/domain"
)

func TestSlugKeepsLettersWithMarks(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Straße Ünïcode":     "strasse-unicode",
		"STRAẞE":             "strasse",
		"Łódź & Ærø":         "lodz-aero",
		"Đại Việt İstanbul":  "dai-viet-istanbul",
		"Cafe\u0301 Œuvre":   "cafe-oeuvre",
		"ﬁve Ｆｕｌｌ":           "five-full",
		"Þór Ħal ılık Søren": "thor-hal-ilik-soren",
		"株式会社":               "organization",
		"Acme 株 2":           "acme-2",
	} {
		require.Equal(t, want, domain.SlugFrom(latin(name)), name)
	}
}
