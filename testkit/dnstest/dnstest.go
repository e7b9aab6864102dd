// Package dnstest is a real DNS server that says what a test wants. It is for tests only.
package dnstest

import (
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// Server answers questions for TXT records, over UDP and TCP on one port.
type Server struct {
	// Address is where it listens, as address:port.
	Address string

	mu      sync.Mutex
	records map[string][]string
	broken  bool
	asked   int
}

// Start runs a server until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	server := &Server{records: map[string][]string{}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server.Address = listener.Addr().String()
	packets, err := net.ListenPacket("udp", server.Address)
	require.NoError(t, err)
	for _, part := range []*dns.Server{{Listener: listener, Handler: server}, {PacketConn: packets, Handler: server}} {
		started, ended := make(chan struct{}), make(chan struct{})
		part.NotifyStartedFunc = func() { close(started) }
		go func() {
			defer close(ended)
			if err := part.ActivateAndServe(); err != nil {
				t.Errorf("serve DNS: %v", err)
			}
		}()
		<-started
		t.Cleanup(func() {
			require.NoError(t, part.Shutdown())
			<-ended
		})
	}
	return server
}

// Publish makes the server answer with these records for a name; none makes it a name that is not there.
func (s *Server) Publish(name string, records ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records[name] = records
}

// Break makes the server fail every question from now on, or no more.
func (s *Server) Break(broken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = broken
}

// Asked counts the questions so far.
func (s *Server) Asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// ServeDNS implements dns.Handler.
func (s *Server) ServeDNS(writer dns.ResponseWriter, question *dns.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	answer := new(dns.Msg).SetReply(question)
	name := strings.ToLower(strings.TrimSuffix(question.Question[0].Name, "."))
	records := s.records[name]
	switch {
	case s.broken:
		answer.Rcode = dns.RcodeServerFailure
	case len(records) == 0:
		answer.Rcode = dns.RcodeNameError
	}
	for _, record := range records {
		if s.broken || question.Question[0].Qtype != dns.TypeTXT {
			break
		}
		answer.Answer = append(answer.Answer, &dns.TXT{
			Hdr: dns.RR_Header{Name: question.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 1}, Txt: []string{record},
		})
	}
	_ = writer.WriteMsg(answer)
}
