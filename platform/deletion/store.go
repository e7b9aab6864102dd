package deletion

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
)

const columns = `select id, attempt_id, state, requested_at, started_at, erasing_at, ended_at, failure_reason from deletion `

const (
	get = columns + `where id = $1`

	lock = columns + `where id = $1 for update`

	// next passes over those that others are at. One that waits for answers is looked at when one comes, or when it is time
	// to ask again.
	next = columns + `where state in ('pending', 'preparing', 'erasing') and started_at <= $1 and not (id = any ($2::uuid[]))
order by started_at limit 1 for update skip locked`

	listSteps = `select service, state, attempts, asked_at, answered_at, failures, last_error, erased_rows
from deletion_step where deletion_id = $1 order by service`

	setState = `update deletion set state = $2, erasing_at = $3, ended_at = $4, failure_reason = $5 where id = $1`

	askStep = `insert into deletion_step (deletion_id, service, state, attempts, asked_at) values ($1, $2, $3, 1, $4)
on conflict (deletion_id, service) do update set state = excluded.state, asked_at = excluded.asked_at, answered_at = null,
    attempts = case when deletion_step.state = excluded.state then deletion_step.attempts + 1 else 1 end`

	answerStep = `update deletion_step set state = $3, answered_at = $4, last_error = $5, erased_rows = $6
where deletion_id = $1 and service = $2`

	// delayStep takes fewer failures than were told before for an event that came late.
	delayStep = `update deletion_step set failures = greatest(failures, $3), last_error = $4
where deletion_id = $1 and service = $2 and state = 'erasing'`

	// longestWaits is, by service, how long the oldest question is unanswered.
	longestWaits = `select service, min(asked_at) from deletion_step join deletion on deletion.id = deletion_step.deletion_id
where answered_at is null and deletion.state in ('preparing', 'erasing') group by service`
)

// Get returns the latest deletion of a subject.
func Get(ctx context.Context, querier pg.Querier, subjectID id.ID) (Deletion, error) {
	return read(ctx, querier, "read deletion", get, subjectID)
}

// Lock is Get with the row locked until the transaction ends.
func Lock(ctx context.Context, tx *pg.Tx, subjectID id.ID) (Deletion, error) {
	return read(ctx, tx, "lock deletion", lock, subjectID)
}

// takeNext locks the deletion whose grace has been over for the longest time and that is not at its end, but for those
// already seen and those that somebody else is at; without one it is ErrNotFound.
func takeNext(ctx context.Context, tx *pg.Tx, now time.Time, seen []id.ID) (Deletion, error) {
	return read(ctx, tx, "read next deletion", next, now, seen)
}

func read(ctx context.Context, querier pg.Querier, action, query string, arguments ...any) (found Deletion, err error) {
	err = querier.QueryRow(ctx, query, arguments...).Scan(&found.SubjectID, &found.AttemptID, &found.State, &found.RequestedAt,
		&found.StartedAt, &found.ErasingAt, &found.EndedAt, &found.FailureReason)
	switch {
	case errors.Is(err, pg.ErrNoRows):
		return Deletion{}, errs.ErrNotFound
	case err != nil:
		return Deletion{}, fmt.Errorf("%s: %w", action, err)
	}
	found.Steps, err = readSteps(ctx, querier, found.SubjectID)
	return found, err
}

func readSteps(ctx context.Context, querier pg.Querier, subjectID id.ID) (steps []Step, err error) {
	rows, err := querier.Query(ctx, listSteps, subjectID)
	if err != nil {
		return nil, fmt.Errorf("read steps: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var step Step
		err := rows.Scan(&step.Service, &step.State, &step.Attempts, &step.AskedAt, &step.AnsweredAt, &step.Failures, &step.LastError,
			&step.ErasedRows)
		if err != nil {
			return nil, fmt.Errorf("read steps: %w", err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read steps: %w", err)
	}
	return steps, nil
}

// SetState writes how far a deletion is, with the transaction's next statement.
func SetState(tx *pg.Tx, deletion Deletion) {
	tx.Queue(setState, deletion.SubjectID, deletion.State, deletion.ErasingAt, deletion.EndedAt, deletion.FailureReason)
}

// readWaits returns, by service, since when it has owed an answer.
func readWaits(ctx context.Context, querier pg.Querier) (map[string]time.Time, error) {
	rows, err := querier.Query(ctx, longestWaits)
	if err != nil {
		return nil, fmt.Errorf("read unanswered steps: %w", err)
	}
	defer rows.Close()
	waits := map[string]time.Time{}
	for rows.Next() {
		var service string
		var since time.Time
		if err := rows.Scan(&service, &since); err != nil {
			return nil, fmt.Errorf("read unanswered steps: %w", err)
		}
		waits[service] = since
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read unanswered steps: %w", err)
	}
	return waits, nil
}
