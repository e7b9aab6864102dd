package module

import (
	"context"
	"errors"
	"sync"
	"time"
)

// walk visits every part once the parts that must come before it have been visited, independent ones side by side, and
// returns when all visits have ended. After the end of ctx nothing waits for its turn any more (every part is visited,
// so that one that hangs doesn't keep the others from being stopped), and visits that go on for abandonAfter are left
// behind; their parts are returned. The parts must be free of cycles.
func walk(ctx context.Context, parts []*runner, before func(*runner) []string, visit func(*runner)) (left []*runner) {
	visited := make(map[string]chan struct{}, len(parts))
	for _, part := range parts {
		visited[part.Name] = make(chan struct{})
	}
	for _, part := range parts {
		go func() {
			defer close(visited[part.Name])
			for _, name := range before(part) {
				select {
				case <-visited[name]:
				case <-ctx.Done():
				}
			}
			visit(part)
		}()
	}
	all := make(chan struct{})
	go func() {
		defer close(all)
		for _, done := range visited {
			<-done
		}
	}()
	select {
	case <-all:
		return nil
	case <-ctx.Done():
	}
	late := time.NewTimer(abandonAfter)
	defer late.Stop()
	select {
	case <-all:
		return nil
	case <-late.C:
	}
	for _, part := range parts {
		select {
		case <-visited[part.Name]:
		default:
			left = append(left, part)
		}
	}
	return left
}

// failureList collects what went wrong, in the order in which it happened.
type failureList struct {
	mu       sync.Mutex
	errors   []error
	happened chan struct{}
}

func (l *failureList) add(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errors = append(l.errors, err)
	if len(l.errors) == 1 {
		close(l.happened)
	}
}

func (l *failureList) first() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.errors) == 0 {
		return nil
	}
	return l.errors[0]
}

func (l *failureList) joined() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.errors...)
}

// onClosed calls act when signal is closed, until the returned function has been called and has returned.
func onClosed(signal <-chan struct{}, act func()) (release func()) {
	select {
	case <-signal:
		// What is closed already takes effect before the caller goes on, not when a goroutine gets to it.
		act()
		return func() {}
	default:
	}
	released, watching := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watching)
		select {
		case <-signal:
			act()
		case <-released:
		}
	}()
	return func() {
		close(released)
		<-watching
	}
}
