package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/braidhq/braid/platform/rpc"
)

const (
	// skipFor is how long an address that refused a connection is passed over.
	skipFor = 2 * time.Second
	// answerSlack is what an answer may take beyond the deadline that the service holds itself to, and the first event of
	// a stream as well: what takes longer hangs.
	answerSlack = 2 * time.Second
	// repeatAfter is how long an address may take to answer what another address can be asked as well.
	repeatAfter = 3 * time.Second
	// An address that hangs is asked every askEvery whether it answers again, and given askTimeout to do so.
	askEvery   = 2 * time.Second
	askTimeout = time.Second
)

var errHangs = errors.New("the service takes requests and does not answer")

// pool is the addresses of one service. A request goes to the next; one that can't be reached is skipped for a while, and
// one that hangs until it answers a question.
type pool struct {
	service   string
	addresses []*address
	next      atomic.Uint64
	transport *backendTransport
	logger    *slog.Logger
	hung      prometheus.Gauge
	repeated  prometheus.Counter
}

type address struct {
	url *url.URL
	// refusedUntil and askAt are Unix times in nanoseconds: how long it is passed over, and when it may be asked again.
	refusedUntil atomic.Int64
	askAt        atomic.Int64
	hangs        atomic.Bool
}

// RoundTrip implements http.RoundTripper. It tries each address once, first those that are believed to work. Without a
// connection there was no effect, and the next is tried; after any other failure only with what may be done twice: reads,
// and mutations with an idempotency key. The transport below repeats the same by itself on a connection that broke.
func (p *pool) RoundTrip(request *http.Request) (*http.Response, error) {
	var problems []error
	now := time.Now()
	order, working := p.inOrder(now)
	repeatable := writerOf(request).repeatable
	for i, backend := range order {
		if i > 0 {
			p.repeated.Inc()
		}
		limit, another := rpc.Deadline(request.Header)+answerSlack, repeatable && i+1 < working
		if another {
			limit = min(limit, repeatAfter)
		}
		response, err := p.try(request, backend, limit)
		if err == nil {
			p.believe(backend)
			return response, nil
		}
		problems = append(problems, err)
		if request.Context().Err() != nil {
			break
		}
		if errors.Is(err, errHangs) {
			p.suspect(backend)
		}
		if isDialError(err) {
			backend.refusedUntil.Store(now.Add(skipFor).UnixNano())
		} else if !another {
			break
		}
	}
	return nil, errors.Join(problems...)
}

// inOrder begins at the next address and puts those that failed lately last: better a doubtful one than none. working is
// how many come before them.
func (p *pool) inOrder(now time.Time) (order []*address, working int) {
	start := p.next.Add(1)
	order, failed := make([]*address, 0, len(p.addresses)), []*address(nil)
	for i := range uint64(len(p.addresses)) {
		backend := p.addresses[(start+i)%uint64(len(p.addresses))]
		hangs := backend.hangs.Load()
		if hangs {
			p.ask(backend, now)
		}
		if hangs || backend.refusedUntil.Load() > now.UnixNano() {
			failed = append(failed, backend)
			continue
		}
		order = append(order, backend)
	}
	return append(order, failed...), len(order)
}

func (p *pool) try(request *http.Request, backend *address, limit time.Duration) (*http.Response, error) {
	ctx, giveUp := context.WithCancelCause(request.Context())
	waiting := time.AfterFunc(limit, func() { giveUp(errHangs) })
	defer waiting.Stop()
	attempt := request.WithContext(ctx)
	target := *request.URL
	if attempt.URL = &target; !writerOf(request).repeatable {
		attempt.Header = request.Header.Clone()
		// The transport would take them for leave to repeat the request, and nobody would know it for the same.
		attempt.Header.Del(rpc.IdempotencyHeader)
		attempt.Header.Del("X-Idempotency-Key")
	}
	attempt.URL.Scheme, attempt.URL.Host, attempt.Host = backend.url.Scheme, backend.url.Host, backend.url.Host
	if request.GetBody != nil {
		body, err := request.GetBody()
		if err != nil {
			return nil, err
		}
		attempt.Body = body
	}
	response, err := p.transport.forRequest(request).RoundTrip(attempt)
	if err != nil {
		err = errors.Join(err, context.Cause(ctx))
		giveUp(err)
	}
	return response, err
}

// suspect has an address passed over from now on, and asks it at once: the request alone may have been slow.
func (p *pool) suspect(backend *address) {
	if backend.hangs.CompareAndSwap(false, true) {
		p.hung.Inc()
		p.logger.Warn("an address does not answer and is passed over", slog.String("service", p.service), slog.String("address", backend.url.Host))
		p.ask(backend, time.Now())
	}
}

// believe takes an address back that has answered.
func (p *pool) believe(backend *address) {
	if backend.hangs.Load() && backend.hangs.CompareAndSwap(true, false) {
		p.hung.Dec()
		p.logger.Info("an address answers again", slog.String("service", p.service), slog.String("address", backend.url.Host))
	}
}

// ask asks an address for its health, one question at a time, so that no request has to find out. Any answer will do: a
// process that stands still gives none.
func (p *pool) ask(backend *address, now time.Time) {
	due := backend.askAt.Load()
	if now.UnixNano() < due || !backend.askAt.CompareAndSwap(due, now.Add(askEvery).UnixNano()) {
		return
	}
	p.transport.questions.Go(func() {
		ctx, cancel := context.WithTimeout(p.transport.questioning, askTimeout)
		defer cancel()
		question, err := http.NewRequestWithContext(ctx, http.MethodGet, backend.url.Scheme+"://"+backend.url.Host+"/healthz", nil)
		if err != nil {
			return
		}
		response, err := p.transport.plain.RoundTrip(question)
		if err != nil {
			return
		}
		_ = response.Body.Close()
		p.believe(backend)
	})
}

func isDialError(err error) bool {
	var operation *net.OpError
	return errors.As(err, &operation) && operation.Op == "dial"
}
