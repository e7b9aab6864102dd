package app

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// spelledOut are the Latin letters that are no ASCII letter with a mark, in lower case.
var spelledOut = strings.NewReplacer("ß", "ss", "æ", "ae", "œ", "oe", "ø", "o", "đ", "d", "ð", "d", "ł", "l", "þ", "th", "ħ", "h", "ı", "i")

// latin writes a name in lower case and with plain letters where its script is Latin: "Straße Łódź" becomes "strasse lodz".
func latin(name string) string {
	decomposed := norm.NFKD.String(spelledOut.Replace(strings.ToLower(name)))
	return strings.Map(func(char rune) rune {
		if unicode.Is(unicode.Mn, char) {
			return -1
		}
		return char
	}, decomposed)
}
