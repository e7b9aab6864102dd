package bench

import (
	"context"
	"os"
	"time"
)

// measureStart starts an empty instance, then the same again, and leaves it running. On the way it has PostgreSQL
// remember when each transaction was committed: with that the delay from a commit to its effect in another database is
// read afterwards, exactly and without a load of its own.
func (r *run) measureStart(ctx context.Context) (err error) {
	if r.instance, err = newInstance(r.Binary, r.directory); err != nil {
		return err
	}
	first, err := r.instance.start(ctx)
	if err != nil {
		return err
	}
	if err := r.rememberCommits(ctx); err != nil {
		return err
	}
	var again []time.Duration
	for range r.restarts {
		if err := r.instance.stopUp(); err != nil {
			return err
		}
		took, err := r.instance.start(ctx)
		if err != nil {
			return err
		}
		again = append(again, took)
	}
	r.report.add(row{work: "start again", figure: seconds(median(again)), target: "≤ 3 s", met: met(median(again) <= 3*time.Second)})
	r.report.add(row{work: "first start", figure: seconds(first), target: "≤ 6 s", met: met(first <= 6*time.Second)})
	if r.database, err = openDatabases(ctx, r.instance.dataDir()); err != nil {
		return err
	}
	if err := r.measureIdle(ctx); err != nil {
		return err
	}
	if info, err := os.Stat(r.Binary); err == nil {
		r.report.add(row{work: "binary", figure: megabytes(info.Size()), target: "≤ 85 MB", met: met(info.Size() <= 85<<20)})
	}
	r.floor, err = startFloor(ctx, r.Binary, r.directory, r.database.server.SuperuserURL("braid_workflow"))
	return err
}

func (r *run) rememberCommits(ctx context.Context) error {
	databases, err := openDatabases(ctx, r.instance.dataDir())
	if err != nil {
		return err
	}
	defer databases.close()
	_, err = databases.workflow.Exec(ctx, "alter system set track_commit_timestamp = on")
	return err
}
