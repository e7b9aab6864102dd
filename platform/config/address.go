package config

import (
	"net"
	"strconv"
)

// IsListenAddress reports whether a process can be told to listen there: a host, which may be missing, and a port, which
// is a number and 0 for any free one.
func IsListenAddress(text string) bool {
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

// SameAddress reports whether two processes, or two listeners of one, would be in each other's way at these addresses.
func SameAddress(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB || portA == "0" {
		return false
	}
	return hostA == hostB || isEveryHost(hostA) || isEveryHost(hostB)
}

func isEveryHost(host string) bool {
	address := net.ParseIP(host)
	return host == "" || address != nil && address.IsUnspecified()
}
