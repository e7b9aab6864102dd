package password

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"sort"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

// The lengths that a password may have, in characters after normalization.
const (
	MinLength = 12
	MaxLength = 256
)

// breached holds the first 40 bits of the SHA-256 of some 140,000 breached passwords in lower case, sorted: the 100,000
// most frequent of ten million and all that are long enough to be taken among the first million. One good password in
// seven million is taken for one of them. It is read where the binary is mapped and takes no memory of its own.
//
//go:embed breached.bin
var breached string

const prefixLength = 5

// Rules say which passwords are taken. They ask for no kinds of characters: those make passwords that people forget and
// machines guess.
type Rules struct {
	// Lookup asks a breach service as well; nil asks none.
	Lookup *Lookup
}

// Check refuses a password that is too short, too long, known to be breached or built from what others know of its
// owner; field is how the caller spells the field that holds it.
func (r *Rules) Check(ctx context.Context, field, password string, owner Owner) error {
	normal := norm.NFC.String(password)
	switch length := utf8.RuneCountInString(normal); {
	case length < MinLength:
		return refuse(domain.ErrPasswordTooShort, field, "string.min_len")
	case length > MaxLength:
		return refuse(domain.ErrPasswordTooLong, field, "string.max_len")
	case isBreached(normal):
		return refuse(domain.ErrPasswordBreached, field, "password.breached")
	case owner.wouldBuild(normal):
		return refuse(domain.ErrPasswordPersonal, field, "password.personal")
	case r.Lookup != nil && r.Lookup.isBreached(ctx, normal):
		return refuse(domain.ErrPasswordBreached, field, "password.breached")
	}
	return nil
}

// Same says whether two spellings are one password.
func Same(one, other string) bool { return norm.NFC.String(one) == norm.NFC.String(other) }

func refuse(problem *errs.Error, field, rule string) error {
	return problem.WithViolation(errs.Violation{Field: field, Rule: rule, Message: problem.Message})
}

// isBreached looks a password up in the list. Case is passed over, as by those who guess.
func isBreached(normal string) bool {
	hash := sha256.Sum256([]byte(strings.ToLower(normal)))
	prefix := string(hash[:prefixLength])
	count := len(breached) / prefixLength
	at := func(i int) string { return breached[i*prefixLength : (i+1)*prefixLength] }
	found := sort.Search(count, func(i int) bool { return at(i) >= prefix })
	return found < count && at(found) == prefix
}
