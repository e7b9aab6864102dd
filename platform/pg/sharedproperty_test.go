package pg_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
)

const (
	propertyCallers = 16
	propertyCalls   = 40
	propertyKeys    = 6
)

// counting is what the callers of the test below do: take the next number of a counter, and keep a row with it.
type counting struct {
	*bundle
	counters [propertyKeys]id.ID

	mu      sync.Mutex
	kept    map[string]bool // what was acknowledged
	unknown map[string]bool // what may have been kept
}

// Whatever happens to the callers, what was acknowledged is there once, what was refused is not, and numbers have no gaps.
func TestEverythingIsCommittedOnceOrReported(t *testing.T) {
	t.Parallel()
	c := &counting{bundle: setup(t), kept: map[string]bool{}, unknown: map[string]bool{}}
	pg.SetSharing(c.DB, 5*time.Millisecond, 30*time.Millisecond)
	for i := range c.counters {
		c.counters[i] = c.insert(t, c.mine, fmt.Sprint("counter ", i))
	}
	var callers sync.WaitGroup
	for caller := range propertyCallers {
		callers.Go(func() {
			random := rand.New(rand.NewPCG(uint64(caller), 5))
			for call := range propertyCalls {
				c.call(t, random, fmt.Sprintf("row %d.%d", caller, call))
			}
		})
	}
	killed := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(killed)
		c.killNowAndThen(t, stop)
	}()
	callers.Wait()
	close(stop)
	<-killed

	kept := 0
	for _, name := range c.names(t) {
		if name[:3] != "row" {
			continue
		}
		kept++
		require.True(t, c.kept[name] || c.unknown[name], "%s was refused and is there", name)
		delete(c.kept, name)
	}
	require.Empty(t, c.kept, "acknowledged and not there")
	var numbered int
	require.NoError(t, c.Admin.QueryRow(t.Context(), `select sum(size) from item where name like 'counter%'`).Scan(&numbered))
	require.Equal(t, kept, numbered, "each row took one number")
	var doubled int
	require.NoError(t, c.Admin.QueryRow(t.Context(), `select count(*) from (select user_id, size from item where name like 'row%'
		group by user_id, size having count(*) > 1) as twice`).Scan(&doubled))
	require.Zero(t, doubled, "no number was taken twice")
	require.Positive(t, c.metric(t, "braid_pg_sharers_total", "committed"))
	require.Positive(t, c.metric(t, "braid_pg_sharers_total", "replayed"))
}

// call takes a number and keeps a row, unless one of many things happens.
func (c *counting) call(t *testing.T, random *rand.Rand, name string) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	which, fate := random.IntN(propertyKeys), random.IntN(12)
	if fate == 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(random.IntN(4000))*time.Microsecond)
		defer cancel()
	}
	counter := c.counters[which]
	hooks := 0
	err := func() (err error) {
		defer func() {
			if recover() != nil {
				err = errOwn
			}
		}()
		return c.DB.InSharedTx(ctx, c.mine, counter, func(ctx context.Context, tx *pg.Tx) error {
			tx.AfterCommit(func() { hooks++ })
			var number int
			if err := tx.QueryRow(ctx, `update item set size = size + 1 where id = $1 returning size`, counter).Scan(&number); err != nil {
				return err
			}
			tx.Queue(`insert into item (organization_id, id, name, user_id, size) values ($1, $2, $3, $4, $5)`,
				c.mine.OrganizationID, id.New(), name, counter, number)
			switch fate {
			case 1:
				return errOwn
			case 2:
				panic("on purpose")
			case 3:
				_, err := tx.Exec(ctx, `update item set size = -1 where id = $1`, counter)
				return err
			case 4:
				_, err := tx.Exec(ctx, `select 1`)
				return err
			case 5:
				tx.Queue(`update item set size = -1 where id = $1`, counter)
			}
			return nil
		})
	}()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		c.kept[name] = true
		if hooks != 1 {
			t.Errorf("%s: hooks ran %d times", name, hooks)
		}
	case errors.Is(err, pg.ErrCommitUnknown):
		c.unknown[name] = true
	case hooks != 0:
		t.Errorf("%s: a hook ran without a commit", name)
	case fate > 5 && !pg.IsUnavailable(err):
		t.Errorf("%s: %v", name, err)
	}
}

// killNowAndThen ends a server process of the app role at a time.
func (c *counting) killNowAndThen(t *testing.T, stop <-chan struct{}) {
	ticker := time.NewTicker(40 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			_, err := c.Admin.Exec(t.Context(), `select pg_terminate_backend(pid) from pg_stat_activity
				where datname = current_database() and state = 'active' and pid <> pg_backend_pid() and application_name like 'braid%' limit 1`)
			if err != nil {
				t.Error(err)
				return
			}
		}
	}
}
