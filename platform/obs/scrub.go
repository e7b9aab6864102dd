package obs

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/braidhq/braid/platform/credential"
)

// mayHoldCredentials is the cheap test before scrubText.
func mayHoldCredentials(text string) bool {
	return strings.Contains(text, "://") || strings.Contains(text, "Bearer ") || strings.Contains(text, "eyJ") ||
		strings.Contains(text, "braid_")
}

var machineSecret = regexp.MustCompile(credential.Pattern)

// scrubText takes bearer tokens, JSON Web Tokens, secrets of machines and passwords in URLs out of a text. Such texts come from errors of
// libraries, which know nothing of our keys.
func scrubText(text string) string {
	if !mayHoldCredentials(text) {
		return text
	}
	words := strings.SplitAfter(machineSecret.ReplaceAllString(text, redacted), " ")
	for i, word := range words {
		bare := strings.TrimRight(word, " ")
		space := word[len(bare):]
		switch {
		case i > 0 && strings.HasSuffix(strings.TrimRight(words[i-1], " "), "Bearer"),
			strings.Contains(bare, "eyJ") && strings.Count(bare, ".") >= 2:
			words[i] = redacted + space
		case strings.Contains(bare, "://") && strings.Contains(bare, "@"):
			words[i] = scrubURL(bare) + space
		}
	}
	return strings.Join(words, "")
}

func scrubURL(word string) string {
	bare := strings.Trim(word, "\"'`<>()[],;:")
	parsed, err := url.Parse(bare)
	if err != nil {
		return redacted
	}
	return strings.Replace(word, bare, parsed.Redacted(), 1)
}
