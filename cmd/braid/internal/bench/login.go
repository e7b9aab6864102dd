package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// loginWork signs visitors in, each on a device that is known.
func (r *run) loginWork() target {
	bodies := make([]string, len(r.visitors))
	for number, who := range r.visitors {
		body, _ := json.Marshal(map[string]string{"email": who.email, "password": password, "deviceToken": who.device}) // Texts always encode.
		bodies[number] = string(body)
	}
	return r.product(func(dst []byte, random *rand.Rand) []byte {
		return appendRequest(dst, "POST", "/api/v1/auth/login", "", bodies[random.IntN(len(bodies))])
	})
}

// measureLogin compares logins with the one thing in them that must be slow, and then looks at what a storm of them does
// to everybody else.
func (r *run) measureLogin(ctx context.Context) error {
	one := &compared{
		name: "login", work: "login with a password, against bare argon2id", product: r.loginWork(), connections: r.loginConnections,
		floor: r.bare(func(dst []byte, _ *rand.Rand) []byte { return appendRequest(dst, "POST", "/hash", "", "{}") }),
	}
	if err := r.warmUp(ctx, one); err != nil {
		return err
	}
	for round := range r.rounds {
		if err := r.compare(ctx, one, round); err != nil {
			return err
		}
	}
	r.report.addCompared(one, "≥ 0.95", func(ratio float64, _ time.Duration) bool { return ratio >= 0.95 })
	return r.measureStorm(ctx)
}

// measureStorm has others read at an even pace, without a storm of logins and within one.
func (r *run) measureStorm(ctx context.Context) error {
	others := r.product(r.getTask)
	var calm, stormy []outcome
	for range r.rounds {
		quiet, err := pace(ctx, others, r.connections, r.otherRate, r.read)
		if err != nil {
			return err
		}
		var within outcome
		storm, stormCtx := errgroup.WithContext(ctx)
		storm.Go(func() error {
			_, err := drive(stormCtx, r.loginWork(), r.loginConnections, r.read)
			return err
		})
		storm.Go(func() (err error) {
			within, err = pace(stormCtx, others, r.connections, r.otherRate, r.read)
			return err
		})
		if err := storm.Wait(); err != nil {
			return err
		}
		calm, stormy = append(calm, quiet), append(stormy, within)
	}
	r.report.addMeanwhile(fmt.Sprintf("GET one task at %d/s during a storm of logins", r.otherRate), calm, stormy, 2)
	return nil
}

// refreshWork has each connection trade the refresh token that its last answer brought.
func (r *run) refreshWork(ctx context.Context) (target, error) {
	tokens := make([]string, r.connections)
	signing, ctx := errgroup.WithContext(ctx)
	signing.SetLimit(r.loginConnections)
	for number := range tokens {
		signing.Go(func() error {
			who := r.visitors[number%len(r.visitors)]
			answer, err := r.call(ctx, "POST", "/api/v1/auth/login", "", map[string]any{"email": who.email, "password": password, "deviceToken": who.device})
			if err != nil {
				return fmt.Errorf("login: %w", err)
			}
			tokens[number], err = refreshToken(answer)
			return err
		})
	}
	work := r.product(nil)
	work.next = func(dst []byte, connection int, _ *rand.Rand) []byte {
		return appendRequest(dst, "POST", "/api/v1/auth/refresh", "", `{"refreshToken":"`+tokens[connection]+`"}`)
	}
	work.answered = func(connection int, body []byte) (err error) {
		tokens[connection], err = refreshToken(body)
		return err
	}
	return work, signing.Wait()
}

func refreshToken(answer []byte) (string, error) {
	var session struct{ RefreshToken string }
	if err := json.Unmarshal(answer, &session); err != nil {
		return "", fmt.Errorf("refresh token: %w", err)
	}
	return session.RefreshToken, nil
}

func (r *run) measureRefresh(ctx context.Context) error {
	work, err := r.refreshWork(ctx)
	if err != nil {
		return err
	}
	if _, err := drive(ctx, work, r.connections, r.warm); err != nil {
		return err
	}
	var results []outcome
	for range r.rounds {
		result, err := r.profiled(ctx, "refresh", r.read, func() (outcome, error) { return drive(ctx, work, r.connections, r.read) })
		if err != nil {
			return err
		}
		results = append(results, result)
	}
	rate := medianRate(results)
	r.report.add(row{
		work: "refresh", figure: perSecond(rate), p50: milliseconds(medianQuantile(results, .5)), p99: milliseconds(medianQuantile(results, .99)),
		processor: processorText(results), target: "≥ 2,500/s", met: met(rate >= 2500),
	})
	return nil
}

// measureUnknown tries addresses that somebody has and such that nobody has, in turn: whoever measures from outside
// must not be able to tell them apart.
func (r *run) measureUnknown(ctx context.Context) error {
	opened, err := dial(ctx, r.instance.public)
	if err != nil {
		return err
	}
	defer func() { _ = opened.Close() }()
	for _, asked := range []struct {
		name, path string
		body       map[string]string
		status     int
	}{
		{"a wrong password", "/api/v1/auth/login", map[string]string{"password": "not " + password}, http.StatusUnauthorized},
		{"register", "/api/v1/auth/register", map[string]string{"password": password, "displayName": "Bench"}, http.StatusOK},
		{"a forgotten password", "/api/v1/auth/password:forgot", map[string]string{}, http.StatusOK},
	} {
		var known, unknown []time.Duration
		for sample := range 2 * r.samples {
			number, isKnown := sample/2%len(r.people), (sample+sample/2)%2 == 0
			asked.body["email"] = fmt.Sprintf("nobody-%d@example.com", number)
			if isKnown {
				asked.body["email"] = r.people[number].email
			}
			body, err := json.Marshal(asked.body)
			if err != nil {
				return err
			}
			_ = opened.SetDeadline(time.Now().Add(requestTimeout))
			opened.request = appendRequest(opened.request[:0], "POST", asked.path, "", string(body))
			started := time.Now()
			status, answer, err := opened.exchange(false)
			took := time.Since(started)
			if err != nil {
				return fmt.Errorf("%s: %w", asked.path, err)
			}
			if status != asked.status {
				return fmt.Errorf("%s answered %d: %s", asked.path, status, answer)
			}
			if isKnown {
				known = append(known, took)
			} else {
				unknown = append(unknown, took)
			}
		}
		slices.Sort(unknown)
		r.report.add(row{
			work:   fmt.Sprintf("%s, unknown address; floor: a known one (medians differ by %s)", asked.name, shown((median(unknown) - median(known)).Abs())),
			figure: shown(median(unknown)), floor: shown(median(known)), ratio: fmt.Sprintf("%.2f", median(unknown).Seconds()/median(known).Seconds()),
			p50: milliseconds(median(unknown)), p99: milliseconds(quantile(unknown, .99)),
		})
	}
	return nil
}
