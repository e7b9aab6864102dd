package pgtest

import "go.uber.org/goleak"

// IgnoreServer returns the options for goleak that leave out this package's own goroutines: those that watch the
// server, which lives as long as the binary.
func IgnoreServer() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreAnyFunction("github.com/braidhq/braid/platform/pg/embedded.startProcess.func1"),
		goleak.IgnoreAnyFunction("os/exec.(*Cmd).Start.func2"),
		goleak.IgnoreAnyFunction("os/exec.(*Cmd).writerDescriptor.func1"),
	}
}
