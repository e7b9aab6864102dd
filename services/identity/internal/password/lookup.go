package password

import (
	"bufio"
	"context"
	"crypto/sha1" //nolint:gosec // The protocol of range look-ups is made of it; nothing here rests on it.
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const (
	rangePrefix = 5
	// A range holds about a thousand lines of 40 bytes.
	maxRangeAnswer = 1 << 20
	maxLookups     = 32
)

// Lookup asks a breach service whether a password is known, by the protocol of Pwned Passwords: it tells the first five
// hexadecimal digits of the SHA-1 and compares the rest itself, so the service learns neither the password nor its
// hash. What can't be asked in time is not refused: the list in the binary has been asked before.
type Lookup struct {
	url      string
	timeout  time.Duration
	client   *http.Client
	slots    chan struct{}
	outcomes *prometheus.CounterVec
}

// NewLookup returns a look-up at a URL that the five digits are appended to.
func NewLookup(url string, timeout time.Duration, registerer prometheus.Registerer) *Lookup {
	lookup := &Lookup{
		url: strings.TrimSuffix(url, "/") + "/", timeout: timeout,
		client: &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: maxLookups, IdleConnTimeout: time.Minute}},
		slots:  make(chan struct{}, maxLookups),
		outcomes: promauto.With(registerer).NewCounterVec(prometheus.CounterOpts{
			Name: "braid_identity_password_range_lookups_total",
			Help: "Questions to the breach service, by outcome: clean, breached, or failed, which lets the password pass.",
		}, []string{"outcome"}),
	}
	for _, outcome := range []string{"clean", "breached", "failed"} {
		lookup.outcomes.WithLabelValues(outcome)
	}
	return lookup
}

// Close ends the connections that wait for another question.
func (l *Lookup) Close() { l.client.CloseIdleConnections() }

func (l *Lookup) isBreached(ctx context.Context, normal string) bool {
	breached, err := l.ask(ctx, normal)
	switch {
	case err != nil:
		l.outcomes.WithLabelValues("failed").Inc()
	case breached:
		l.outcomes.WithLabelValues("breached").Inc()
	default:
		l.outcomes.WithLabelValues("clean").Inc()
	}
	return breached
}

func (l *Lookup) ask(ctx context.Context, normal string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	sum := sha1.Sum([]byte(normal)) //nolint:gosec // See the import.
	digits := strings.ToUpper(hex.EncodeToString(sum[:]))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url+digits[:rangePrefix], nil)
	if err != nil {
		return false, fmt.Errorf("ask breach service: %w", err)
	}
	// Answers of like length tell an observer nothing of the range.
	request.Header.Set("Add-Padding", "true")
	response, err := l.client.Do(request)
	if err != nil {
		return false, fmt.Errorf("ask breach service: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return false, fmt.Errorf("ask breach service: status %d", response.StatusCode)
	}
	lines := bufio.NewScanner(io.LimitReader(response.Body, maxRangeAnswer))
	for lines.Scan() {
		// Padding has a count of 0.
		suffix, count, _ := strings.Cut(strings.TrimSpace(lines.Text()), ":")
		if strings.EqualFold(suffix, digits[rangePrefix:]) {
			return count != "0", nil
		}
	}
	return false, lines.Err()
}
