package domain

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
)

// SaltSize is how many random bytes make guessing an erased body from its hash hopeless.
const SaltSize = 32

// Body is the part of a record that may have to be erased.
type Body struct {
	// ClientAddress is where the request came from; empty when unknown.
	ClientAddress string `json:"clientAddress,omitempty"`
	// Payload is the event's payload as a JSON object, without sensitive fields; nil when it could not be read.
	Payload json.RawMessage `json:"payload,omitempty"`
}

// Sealed is a body as it is kept.
type Sealed struct {
	// Text is the body as JSON without white space. The hash is over exactly this text.
	Text []byte
	Salt []byte
	Hash []byte
}

// Seal makes the proof of a body. The salt must be random, of SaltSize bytes, and used once.
func (b Body) Seal(salt []byte) (Sealed, error) {
	if len(salt) != SaltSize {
		return Sealed{}, fmt.Errorf("a salt of %d bytes instead of %d", len(salt), SaltSize)
	}
	// Marshal also takes the white space out of the payload, which differs from build to build.
	text, err := json.Marshal(b)
	if err != nil {
		return Sealed{}, fmt.Errorf("encode body: %w", err)
	}
	return Sealed{Text: text, Salt: salt, Hash: hashOf(salt, text)}, nil
}

// OpenBody reads a body's text.
func OpenBody(text []byte) (*Body, error) {
	body := &Body{}
	if err := json.Unmarshal(text, body); err != nil {
		return nil, fmt.Errorf("decode body: %w", err)
	}
	return body, nil
}

func hashOf(salt, text []byte) []byte {
	hash := sha256.New()
	hash.Write(salt)
	hash.Write(text)
	return hash.Sum(nil)
}
