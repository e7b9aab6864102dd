package gateway

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// pieceSize is how much of an answer a client must take within WriteTimeout, again and again until it has all of it.
const pieceSize = 64 << 10

// Pace returns a listener whose connections end when the other side does not take what is written to it: without that
// an answer nobody reads would hold its place for ever. It bounds what connections do; the streams within one of HTTP/2
// have windows of their own, which statusWriter bounds.
func (g *Gateway) Pace(listener net.Listener) net.Listener {
	return &pacedListener{Listener: listener, timeout: g.Config.WriteTimeout, slow: g.metrics.slow}
}

type pacedListener struct {
	net.Listener
	timeout time.Duration
	slow    prometheus.Counter
}

// Accept implements net.Listener.
func (l *pacedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		limitUnsent(tcp)
	}
	return &pacedConn{Conn: conn, timeout: l.timeout, slow: l.slow}, nil
}

// pacedConn gives each piece that is written at least timeout, and half as much again at most: the deadline moves only
// when too little of it is left, so that a connection with many small answers pays for it once in a while. net/http lifts
// the deadline after every request; here that costs nothing.
type pacedConn struct {
	net.Conn
	timeout time.Duration
	slow    prometheus.Counter
	// due is the deadline that was set last, in nanoseconds of Unix time; 0 when it is not ours.
	due atomic.Int64
	// given is whether whoever uses the connection has set a deadline, which then stands in place of ours.
	given atomic.Bool
}

// Write implements net.Conn.
func (c *pacedConn) Write(data []byte) (written int, err error) {
	for {
		if err = c.extend(); err != nil {
			return written, err
		}
		count, err := c.Conn.Write(data[written:min(len(data), written+pieceSize)])
		written += count
		if err != nil {
			c.giveUp(err)
			return written, err
		}
		if written == len(data) {
			return written, nil
		}
	}
}

func (c *pacedConn) extend() error {
	if c.given.Load() {
		return nil
	}
	now := time.Now()
	if c.due.Load()-now.UnixNano() >= int64(c.timeout) {
		return nil
	}
	due := now.Add(c.timeout + c.timeout/2)
	c.due.Store(due.UnixNano())
	return c.Conn.SetWriteDeadline(due)
}

// giveUp lets the system forget what the client did not take: nobody will read it.
func (c *pacedConn) giveUp(err error) {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return
	}
	c.slow.Inc()
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}

// SetWriteDeadline implements net.Conn. To lift a deadline is to go back to ours.
func (c *pacedConn) SetWriteDeadline(deadline time.Time) error {
	if !deadline.IsZero() {
		c.given.Store(true)
		return c.Conn.SetWriteDeadline(deadline)
	}
	if c.given.Swap(false) {
		c.due.Store(0)
	}
	return nil
}

// SetDeadline implements net.Conn.
func (c *pacedConn) SetDeadline(deadline time.Time) error {
	return errors.Join(c.SetReadDeadline(deadline), c.SetWriteDeadline(deadline))
}

// CloseWrite lets net/http end an answer without losing it when the client still sends.
func (c *pacedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
