// Package password owns how passwords are hashed and checked: argon2id, a bounded number at a time, so that a storm of
// logins slows logins and nothing else. It stores nothing and logs nothing.
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"github.com/braidhq/braid/services/identity/internal/domain"
)

const (
	saltLength = 16
	keyLength  = 32
	retryAfter = time.Second
)

// Config bounds the work. Parameters are those of new hashes.
type Config struct {
	Parameters Parameters
	// Concurrency is how many hashes are computed at once, Queue how many more may wait for their turn.
	Concurrency int
	Queue       int
}

// Hasher makes and checks password hashes. It is safe for use by several goroutines.
type Hasher struct {
	config  Config
	slots   chan struct{}
	waiting atomic.Int64
	dummy   string

	seconds prometheus.Histogram
	refused prometheus.Counter
}

// New returns a hasher.
func New(config Config, registerer prometheus.Registerer) *Hasher {
	factory := promauto.With(registerer)
	hasher := &Hasher{
		config: config,
		slots:  make(chan struct{}, config.Concurrency),
		seconds: factory.NewHistogram(prometheus.HistogramOpts{
			Name: "braid_identity_password_hash_seconds", Help: "Time to compute one password hash, without the wait for a turn.",
			Buckets: prometheus.ExponentialBuckets(0.002, 2, 12),
		}),
		refused: factory.NewCounter(prometheus.CounterOpts{
			Name: "braid_identity_password_refused_total", Help: "Password hashes refused because too many were waiting.",
		}),
	}
	factory.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "braid_identity_password_waiting_requests", Help: "Requests that wait for their turn to hash a password.",
	}, func() float64 { return float64(hasher.waiting.Load()) })
	// No password has this hash: it takes the place of the one that an unknown address doesn't have.
	hasher.dummy = format(config.Parameters, random(saltLength), random(keyLength))
	return hasher
}

// Hash returns the PHC string of a password.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	salt := random(saltLength)
	key, err := h.compute(ctx, password, h.config.Parameters, salt)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return format(h.config.Parameters, salt, key), nil
}

// Verify reports whether password has the hash. An empty hash is nobody's: it costs the same and is always wrong.
func (h *Hasher) Verify(ctx context.Context, hash, password string) (bool, error) {
	known := hash != ""
	if !known {
		hash = h.dummy
	}
	parameters, salt, want, err := parse(hash)
	if err != nil {
		return false, fmt.Errorf("verify password: %w", err)
	}
	key, err := h.compute(ctx, password, parameters, salt)
	if err != nil {
		return false, fmt.Errorf("verify password: %w", err)
	}
	return subtle.ConstantTimeCompare(key, want) == 1 && known, nil
}

// Outdated reports whether a hash was made with other parameters than new ones are.
func (h *Hasher) Outdated(hash string) bool {
	parameters, _, _, err := parse(hash)
	return err == nil && parameters != h.config.Parameters
}

// compute waits for its turn. The password is normalized first: the same characters typed on two devices may differ in
// their code points.
func (h *Hasher) compute(ctx context.Context, password string, parameters Parameters, salt []byte) ([]byte, error) {
	if err := h.enter(ctx); err != nil {
		return nil, err
	}
	defer func() { <-h.slots }()
	started := time.Now()
	key := argon2.IDKey(norm.NFC.Bytes([]byte(password)), salt, parameters.Iterations, parameters.MemoryKiB,
		parameters.Parallelism, keyLength)
	h.seconds.Observe(time.Since(started).Seconds())
	return key, nil
}

func (h *Hasher) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case h.slots <- struct{}{}:
		return nil
	default:
	}
	defer h.waiting.Add(-1)
	if h.waiting.Add(1) > int64(h.config.Queue) {
		h.refused.Inc()
		return domain.ErrOverloaded.WithRetryAfter(retryAfter)
	}
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// random never fails: crypto/rand ends the process when the system has no randomness left.
func random(length int) []byte {
	bytes := make([]byte, length)
	_, _ = rand.Read(bytes)
	return bytes
}
