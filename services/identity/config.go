package identity

import (
	"runtime"
	"time"

	"github.com/braidhq/braid/platform/config"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/passkey"
	"github.com/braidhq/braid/services/identity/internal/password"
)

// Config is how identity hashes passwords and how long it keeps people signed in. How long a code, an access token or
// a retry lives is part of the contract and can't be configured.
type Config struct {
	PasswordMemory      config.ByteSize `config:"password_memory" default:"19MiB" help:"Memory of one argon2id password hash."`
	PasswordIterations  int             `config:"password_iterations" default:"2" help:"Passes of argon2id over its memory."`
	PasswordConcurrency int             `config:"password_concurrency" default:"0" help:"Password hashes computed at once; 0 is half of the processors."`
	PasswordQueue       int             `config:"password_queue" default:"64" help:"Requests that may wait to hash a password; more are refused."`
	SessionIdleLifetime time.Duration   `config:"session_idle_lifetime" default:"720h" help:"How long a session lives without its refresh token being used."`
	PasskeyDomain       string          `config:"passkey_domain" default:"" help:"The domain that passkeys belong to, for good; empty is that of the public URL, or localhost where that is an IP address."`
	PasskeyOrigins      []string        `config:"passkey_origins" default:"" help:"The origins whose pages may ask for passkeys, such as https://braid.example.com; empty is the public URL."`
	SessionLifetime     time.Duration   `config:"session_lifetime" default:"2160h" help:"How long a session lives however much it is used."`
	SessionsPerUser     int             `config:"sessions_per_user" default:"50" help:"Sessions that a person may have at once; with one more the least recently used ends."`
	SigningKeyLifetime  time.Duration   `config:"signing_key_lifetime" default:"720h" help:"How long a key signs access tokens before the next one does."`
	Providers           ProviderConfig  `config:"providers"`
}

const kibibyte = 1024

// minimumIterations gives the passes that OWASP asks for at a given memory (Password Storage Cheat Sheet, argon2id with
// one lane); less memory than the last is refused.
var minimumIterations = []struct{ memoryKiB, iterations int }{
	{46 * kibibyte, 1}, {19 * kibibyte, 2}, {12 * kibibyte, 3}, {9 * kibibyte, 4}, {7 * kibibyte, 5},
}

// Validate implements config.Validator.
func (c Config) Validate(report func(key, reason string)) {
	if c.PasswordMemory > 1<<30 {
		report("password_memory", "must be at most 1GiB")
	}
	if !c.strongEnough() {
		report("password_memory", "with these iterations is weaker than OWASP's least: 46MiB with 1, 19MiB with 2, "+
			"12MiB with 3, 9MiB with 4 or 7MiB with 5")
	}
	if c.PasswordIterations < 1 || c.PasswordIterations > 64 {
		report("password_iterations", "must be 1 to 64")
	}
	if c.PasswordConcurrency < 0 || c.PasswordConcurrency > 1024 {
		report("password_concurrency", "must be 0 to 1024")
	}
	if c.PasswordQueue < 0 || c.PasswordQueue > 10_000 {
		report("password_queue", "must be 0 to 10000")
	}
	if c.SessionIdleLifetime < time.Hour || c.SessionIdleLifetime > 365*24*time.Hour {
		report("session_idle_lifetime", "must be 1h to 8760h")
	}
	if c.SessionLifetime < c.SessionIdleLifetime || c.SessionLifetime > 5*365*24*time.Hour {
		report("session_lifetime", "must be from session_idle_lifetime to 43800h")
	}
	if c.SessionsPerUser < 1 || c.SessionsPerUser > 1000 {
		report("sessions_per_user", "must be 1 to 1000")
	}
	if c.SigningKeyLifetime < time.Hour || c.SigningKeyLifetime > 365*24*time.Hour {
		report("signing_key_lifetime", "must be 1h to 8760h")
	}
}

func (c Config) passkeys(publicURL string) passkey.Config {
	return passkey.Config{RelyingParty: c.PasskeyDomain, Origins: c.PasskeyOrigins, PublicURL: publicURL}
}

func (c Config) strongEnough() bool {
	for _, least := range minimumIterations {
		if int(c.PasswordMemory)/kibibyte >= least.memoryKiB && c.PasswordIterations >= least.iterations {
			return true
		}
	}
	return false
}

func (c Config) sessionLimits() domain.SessionLimits {
	return domain.SessionLimits{Idle: c.SessionIdleLifetime, Absolute: c.SessionLifetime, PerUser: c.SessionsPerUser}
}

func (c Config) password() password.Config {
	concurrency := c.PasswordConcurrency
	if concurrency == 0 {
		// The other half is for everybody who is not signing in.
		concurrency = max(1, runtime.GOMAXPROCS(0)/2)
	}
	return password.Config{
		Parameters: password.Parameters{
			MemoryKiB: uint32(c.PasswordMemory / kibibyte), Iterations: uint32(c.PasswordIterations), Parallelism: 1,
		},
		Concurrency: concurrency,
		Queue:       c.PasswordQueue,
	}
}
