package federation

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

const (
	// requestTimeout bounds one request to a provider, its body included.
	requestTimeout = 5 * time.Second
	// maxAnswer bounds what a provider may say.
	maxAnswer = 1 << 20
)

// newHTTPClient returns a client that reads no more than a bound and follows no redirect: nothing of OpenID needs one, and
// it could lead anywhere. A guarded one connects to public addresses alone, and that is looked at where the connection is
// made: a name may mean another address by then.
func newHTTPClient(guarded bool) *http.Client {
	dialer := &net.Dialer{Timeout: requestTimeout}
	if guarded {
		dialer.Control = func(_, address string, _ syscall.RawConn) error { return checkPublic(address) }
	}
	transport := &http.Transport{
		DialContext: dialer.DialContext, ForceAttemptHTTP2: true, MaxIdleConns: 32, MaxIdleConnsPerHost: 2, MaxConnsPerHost: 16,
		IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: requestTimeout, MaxResponseHeaderBytes: 64 << 10,
	}
	if !guarded {
		// A provider outside may only be reached by the company's proxy; a guard could not look behind it.
		transport.Proxy = http.ProxyFromEnvironment
	}
	return &http.Client{
		Transport: bounded{transport}, Timeout: requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

var errPrivate = errors.New("the address is not on the public internet")

// special are the ranges that netip has no word for: shared (RFC 6598), this network, protocol assignments, benchmarks,
// documentation, reserved, and the IPv6 that leads to IPv4.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32"),
}

func checkPublic(address string) error {
	parsed, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	ip := parsed.Addr().Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return errPrivate
	}
	for _, prefix := range special {
		if prefix.Contains(ip) {
			return errPrivate
		}
	}
	return nil
}

// bounded ends an answer that is too long with an error.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := b.RoundTripper.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	response.Body = http.MaxBytesReader(nil, response.Body, maxAnswer)
	return response, nil
}
