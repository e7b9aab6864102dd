package identity

import (
	"net/url"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/braidhq/braid/platform/config"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/passkey"
	"github.com/braidhq/braid/services/identity/internal/password"
)

// Config is how identity hashes passwords and how long it keeps people signed in. How long a code, an access token or
// a retry lives is part of the contract and can't be configured.
type Config struct {
	PasswordMemory       config.ByteSize `config:"password_memory" default:"19MiB" help:"Memory of one argon2id password hash."`
	PasswordIterations   int             `config:"password_iterations" default:"2" help:"Passes of argon2id over its memory."`
	PasswordConcurrency  int             `config:"password_concurrency" default:"0" help:"Password hashes computed at once; 0 is half of the processors."`
	PasswordQueue        int             `config:"password_queue" default:"64" help:"Requests that may wait to hash a password; more are refused."`
	PasswordRangeURL     string          `config:"password_range_url" default:"" help:"Where new passwords are looked up as well, by the first five digits of their SHA-1 as Pwned Passwords does it; empty asks nobody."`
	PasswordRangeTimeout time.Duration   `config:"password_range_timeout" default:"2s" help:"How long to wait for that answer; without one the password passes."`
	GuessesPerNetwork    int             `config:"guesses_per_network" default:"100" help:"Wrong passwords and codes taken from one network in 10 minutes; known devices are not counted."`
	GuessesTotal         int             `config:"guesses_total" default:"10000" help:"Wrong passwords and codes taken from all networks together in 10 minutes; known devices are not counted."`
	SessionIdleLifetime  time.Duration   `config:"session_idle_lifetime" default:"720h" help:"How long a session lives without its refresh token being used."`
	PasskeyDomain        string          `config:"passkey_domain" default:"" help:"The domain that passkeys belong to, for good; empty is that of the public URL, or localhost where that is an IP address."`
	PasskeyOrigins       []string        `config:"passkey_origins" default:"" help:"The origins whose pages may ask for passkeys, such as https://braid.example.com; empty is the public URL."`
	SessionLifetime      time.Duration   `config:"session_lifetime" default:"2160h" help:"How long a session lives however much it is used."`
	SessionsPerUser      int             `config:"sessions_per_user" default:"50" help:"Sessions that a person may have at once; with one more the least recently used ends."`
	SigningKeyLifetime   time.Duration   `config:"signing_key_lifetime" default:"720h" help:"How long a key signs access tokens before the next one does."`
	DeletionGrace        time.Duration   `config:"deletion_grace" default:"168h" help:"How long the deletion of an account can be cancelled. Less than 2m is for tests: a request that is under way must not outlive it."`
	Providers            ProviderConfig  `config:"providers"`
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
	if c.PasswordRangeURL != "" && !isWebAddress(c.PasswordRangeURL) {
		report("password_range_url", "must be an http or https URL")
	}
	if c.PasswordRangeTimeout < 100*time.Millisecond || c.PasswordRangeTimeout > 5*time.Second {
		report("password_range_timeout", "must be 100ms to 5s")
	}
	if c.GuessesPerNetwork < 1 || c.GuessesPerNetwork > 1_000_000 {
		report("guesses_per_network", "must be 1 to 1000000")
	}
	if c.GuessesTotal < c.GuessesPerNetwork || c.GuessesTotal > 100_000_000 {
		report("guesses_total", "must be guesses_per_network to 100000000")
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
	if c.DeletionGrace < time.Second || c.DeletionGrace > 90*24*time.Hour {
		report("deletion_grace", "must be 1s to 2160h")
	}
	if c.SigningKeyLifetime < time.Hour || c.SigningKeyLifetime > 365*24*time.Hour {
		report("signing_key_lifetime", "must be 1h to 8760h")
	}
}

func (c Config) passkeys(publicURL string) passkey.Config {
	return passkey.Config{RelyingParty: c.PasskeyDomain, Origins: c.PasskeyOrigins, PublicURL: publicURL}
}

func isWebAddress(text string) bool {
	parsed, err := url.Parse(text)
	return err == nil && (parsed.Scheme == "http" || parsed.Scheme == "https") && parsed.Host != ""
}

// lookup is nil when nobody is asked.
func (c Config) lookup(registerer prometheus.Registerer) *password.Lookup {
	if c.PasswordRangeURL == "" {
		return nil
	}
	return password.NewLookup(c.PasswordRangeURL, c.PasswordRangeTimeout, registerer)
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
