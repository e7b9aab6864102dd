package gateway

import (
	"net"

	"golang.org/x/sys/unix"
)

// limitUnsent keeps the system from taking megabytes off our hands that the network has not taken: a write then ends when
// its piece is on its way, and a client that is slow but reads is told from one that does not read. Where it can't be set,
// a slow client has less time.
func limitUnsent(conn *net.TCPConn) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(descriptor uintptr) {
		_ = unix.SetsockoptInt(int(descriptor), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, 2*pieceSize)
	})
}
