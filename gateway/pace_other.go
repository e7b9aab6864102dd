//go:build !linux

package gateway

import "net"

// limitUnsent does nothing: the system has no such limit, or another name for it.
func limitUnsent(*net.TCPConn) {}
