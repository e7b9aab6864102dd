package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// profiled runs a load and, when profiles are wanted, has up write down meanwhile what its processor time goes to. The
// profile covers the middle of the load.
func (r *run) profiled(ctx context.Context, name string, duration time.Duration, load func() (outcome, error)) (outcome, error) {
	if r.Profile == "" || duration < 2*time.Second {
		return load()
	}
	done := make(chan error, 1)
	go func() { done <- r.writeProfile(ctx, name, duration-time.Second) }()
	result, err := load()
	if profileErr := <-done; err == nil {
		err = profileErr
	}
	return result, err
}

func (r *run) writeProfile(ctx context.Context, name string, duration time.Duration) error {
	if err := sleep(ctx, 500*time.Millisecond); err != nil {
		return err
	}
	if err := os.MkdirAll(r.Profile, 0o755); err != nil {
		return err
	}
	r.profiles++
	for _, kind := range []struct{ name, path string }{
		{"processor", fmt.Sprintf("profile?seconds=%d", int(duration.Seconds()))}, {"memory", "allocs"},
	} {
		profile, err := once(ctx, r.instance.admin, appendRequest(nil, "GET", "/debug/pprof/"+kind.path, "", ""))
		if err != nil {
			return fmt.Errorf("profile: %w", err)
		}
		path := filepath.Join(r.Profile, fmt.Sprintf("%s-%d.%s.pprof", name, r.profiles, kind.name))
		if err := os.WriteFile(path, profile, 0o644); err != nil {
			return err
		}
	}
	return nil
}
