//go:build unix

package embedded

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/braidhq/braid/platform/clock"
)

const (
	// restartPause is how long the first start after an unasked end waits; each that fails doubles it up to
	// maxRestartPause, which also bounds how long a disk that has room again goes unnoticed.
	restartPause    = 100 * time.Millisecond
	maxRestartPause = 5 * time.Second
	// calmAfter is how long a server must have run for its next end to be a first one again.
	calmAfter = time.Minute
)

var (
	errStopped = errors.New("the server was told to stop")
	errDown    = errors.New("PostgreSQL has ended and is being started again")
	errFull    = errors.New("PostgreSQL has ended because its disk is full, and is being started again")
)

// Keep starts the server again whenever it ends unasked: it was killed, a session crashed, or its disk was full and it
// could not write its log. It goes on until ctx ends or Stop is called, and returns nil then. Connection strings stay
// valid, and what was committed is there again: the server recovers before it answers.
func (s *Server) Keep(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	pause := restartPause
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(calmAfter):
			pause = restartPause
			continue
		case <-s.Done():
		}
		reason := s.Err()
		for reason != nil {
			s.config.Logger.ErrorContext(ctx, "PostgreSQL has ended; it is started again", slog.Any("error", reason),
				slog.Duration("pause", pause))
			if clock.Sleep(ctx, pause) != nil {
				return nil
			}
			pause = min(2*pause, maxRestartPause)
			reason = s.restart(ctx)
			if ctx.Err() != nil {
				return nil
			}
		}
		s.config.Logger.InfoContext(ctx, "PostgreSQL answers again")
	}
}

func (s *Server) restart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.config.StartTimeout)
	defer cancel()
	return s.bringUp(ctx, false)
}

// Ready returns nil while the server takes connections, and names a full disk where the server has.
func (s *Server) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.answers && s.process.alive():
		return nil
	case s.log.saysFull():
		return errFull
	default:
		return errDown
	}
}
