package password

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	minWord = 3
	// enough is what must remain of a password without its owner's names. A letter weighs 2 and a digit 1, because years
	// and birthdays are the first that is tried behind a name.
	enough = 16
)

// Owner is what others know of a password's owner: what is built from it is guessed first.
type Owner struct {
	Name, Email, Organization string
}

// wouldBuild reports whether a password is made of its owner's names, with little else.
func (o Owner) wouldBuild(normal string) bool {
	rest, found := unmask(normal), false
	for _, word := range o.words() {
		if strings.Contains(rest, word) {
			rest, found = strings.ReplaceAll(rest, word, " "), true
		}
	}
	if !found {
		return false
	}
	weight := 0
	for _, r := range rest {
		switch {
		case unicode.IsDigit(r):
			weight++
		case unicode.IsLetter(r):
			weight += 2
		}
	}
	return weight < enough
}

// words are the names' parts, longest first, so that a name goes before its own beginning.
func (o Owner) words() []string {
	var words []string
	local, domain, _ := strings.Cut(o.Email, "@")
	// What stands after the last dot is half the world's.
	if dot := strings.LastIndexByte(domain, '.'); dot >= 0 {
		domain = domain[:dot]
	}
	for _, text := range []string{o.Email, o.Name, local, domain, o.Organization} {
		parts := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		parts = append(parts, text, strings.Join(parts, ""))
		for _, part := range parts {
			if word := unmask(norm.NFC.String(part)); utf8.RuneCountInString(word) >= minWord {
				words = append(words, word)
			}
		}
	}
	slices.SortFunc(words, func(one, other string) int {
		return cmp.Or(cmp.Compare(len(other), len(one)), strings.Compare(one, other))
	})
	return slices.Compact(words)
}

// masks are the signs that people write for letters. Digits at the end are years and stay digits.
var masks = strings.NewReplacer("@", "a", "4", "a", "3", "e", "1", "i", "!", "i", "0", "o", "$", "s", "5", "s", "7", "t")

// unmask is a text in lower case with letters where signs stand for them, but for what trails behind its last letter.
func unmask(text string) string {
	text = strings.ToLower(text)
	last := strings.LastIndexFunc(text, unicode.IsLetter)
	if last < 0 {
		return text
	}
	_, size := utf8.DecodeRuneInString(text[last:])
	return masks.Replace(text[:last+size]) + text[last+size:]
}
