package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
)

const (
	refusalPoll    = time.Millisecond
	refusalTimeout = 5 * time.Second
)

// measureRemoval removes members in one process and asks another, in their names, until it refuses. What it takes to
// remove is part of the time.
func (r *run) measureRemoval(ctx context.Context) (err error) {
	batch := &pgx.Batch{}
	left := make([]*organization, r.removals)
	for number := range left {
		left[number] = &organization{id: id.New(), owner: r.people[0], member: r.people[1+number%(len(r.people)-1)]}
		queueOrganization(batch, left[number], "member")
	}
	if err := r.database.organization.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("seed organizations: %w", err)
	}
	if err := r.instance.startSplit(ctx, r.database.server); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.instance.stopSplit()) }()
	opened, err := dial(ctx, r.instance.splitAddress)
	if err != nil {
		return err
	}
	defer func() { _ = opened.Close() }()
	var took []time.Duration
	for _, from := range left {
		refused, err := r.removeAndAsk(ctx, opened, from)
		if err != nil {
			return err
		}
		took = append(took, refused)
	}
	slices.Sort(took)
	p99 := quantile(took, .99)
	r.report.add(row{
		work: "removal of a member → refusal in another process", figure: fmt.Sprintf("%d removals", len(took)),
		p50: milliseconds(quantile(took, .5)), p99: milliseconds(p99), target: "p99 ≤ 200 ms", met: met(p99 <= 200*time.Millisecond),
	})
	return nil
}

// removeAndAsk removes an organization's member, who has just been let in, and returns how long that went on.
func (r *run) removeAndAsk(ctx context.Context, opened *connection, from *organization) (time.Duration, error) {
	_ = opened.SetDeadline(time.Now().Add(requestTimeout))
	opened.request = appendRequest(opened.request[:0], "GET", fmt.Sprintf("/api/v1/organizations/%s/projects", from.id), from.member.token, "")
	if status, body, err := opened.exchange(false); err != nil || status != http.StatusOK {
		return 0, errors.Join(err, fmt.Errorf("a member was answered %d: %s", status, body))
	}
	started := time.Now()
	if _, err := r.call(ctx, "DELETE", fmt.Sprintf("/api/v1/organizations/%s/members/%s", from.id, from.member.id), from.owner.token, map[string]any{}); err != nil {
		return 0, fmt.Errorf("remove a member: %w", err)
	}
	for time.Since(started) < refusalTimeout {
		status, body, err := opened.exchange(false)
		switch {
		case err != nil:
			return 0, err
		case status == http.StatusNotFound:
			return time.Since(started), nil
		case status != http.StatusOK:
			return 0, fmt.Errorf("one who was a member was answered %d: %s", status, body)
		}
		if err := clock.Sleep(ctx, refusalPoll); err != nil {
			return 0, err
		}
	}
	return 0, fmt.Errorf("one who was a member is still let in after %s", refusalTimeout)
}
