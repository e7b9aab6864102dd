package obs

import (
	"bufio"
	"io"
	"sync"
	"time"
)

// bufferBytes is about a hundred log lines.
const bufferBytes = 32 << 10

// bufferedWriter collects writes and passes them on together, at the latest after a while. It starts a timer, not a
// goroutine, so that an idle process does nothing.
type bufferedWriter struct {
	mu     sync.Mutex
	sink   io.Writer
	buffer *bufio.Writer
	every  time.Duration
	timer  *time.Timer
	armed  bool
	closed bool
}

func newBufferedWriter(w io.Writer, every time.Duration) *bufferedWriter {
	return &bufferedWriter{sink: w, buffer: bufio.NewWriterSize(w, bufferBytes), every: every}
}

// Write implements io.Writer.
func (b *bufferedWriter) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	// A line that no longer fits starts a new buffer, so that lines are not torn apart between two writes.
	if len(line) > b.buffer.Available() && b.buffer.Buffered() > 0 {
		if err := b.buffer.Flush(); err != nil {
			return 0, b.recover(err)
		}
	}
	written, err := b.buffer.Write(line)
	if err == nil && b.closed {
		err = b.buffer.Flush()
	}
	if err != nil {
		return written, b.recover(err)
	}
	if !b.armed && b.buffer.Buffered() > 0 {
		b.arm()
	}
	return written, nil
}

func (b *bufferedWriter) arm() {
	b.armed = true
	if b.timer == nil {
		b.timer = time.AfterFunc(b.every, func() { _ = b.Flush() }) // the next write reports a broken sink
		return
	}
	b.timer.Reset(b.every)
}

// Flush passes on what has been collected.
func (b *bufferedWriter) Flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.armed = false
	return b.recover(b.buffer.Flush())
}

// Close flushes and stops buffering; later writes go straight through.
func (b *bufferedWriter) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if b.timer != nil {
		b.timer.Stop()
	}
	return b.recover(b.buffer.Flush())
}

// recover makes the writer usable again after an error: bufio keeps the first one for good, but a disk that was full
// may have room again. What was in the buffer is lost.
func (b *bufferedWriter) recover(err error) error {
	if err != nil {
		b.buffer.Reset(b.sink)
	}
	return err
}
