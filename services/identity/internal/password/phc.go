package password

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Parameters are argon2id's.
type Parameters struct {
	MemoryKiB   uint32
	Iterations  uint32
	Parallelism uint8
}

// Bounds of what a stored hash may ask for: a damaged row must not take the machine's memory.
const (
	maxMemoryKiB  = 1 << 20
	maxIterations = 64
)

var errMalformed = errors.New("the stored hash is malformed")

var encoding = base64.RawStdEncoding.Strict()

// format writes the PHC string: $argon2id$v=19$m=19456,t=2,p=1$<salt>$<key>.
func format(parameters Parameters, salt, key []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, parameters.MemoryKiB, parameters.Iterations,
		parameters.Parallelism, encoding.EncodeToString(salt), encoding.EncodeToString(key))
}

// parse is the inverse of format. Its error never repeats the hash.
func parse(text string) (parameters Parameters, salt, key []byte, err error) {
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return Parameters{}, nil, nil, errMalformed
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &parameters.MemoryKiB, &parameters.Iterations, &parameters.Parallelism); err != nil {
		return Parameters{}, nil, nil, errMalformed
	}
	salt, saltErr := encoding.DecodeString(parts[4])
	key, keyErr := encoding.DecodeString(parts[5])
	switch {
	case saltErr != nil, keyErr != nil, len(salt) == 0, len(key) != keyLength:
	case parameters.MemoryKiB == 0 || parameters.MemoryKiB > maxMemoryKiB:
	case parameters.Iterations == 0 || parameters.Iterations > maxIterations || parameters.Parallelism == 0:
	default:
		return parameters, salt, key, nil
	}
	return Parameters{}, nil, nil, errMalformed
}
