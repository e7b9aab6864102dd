package organization

import (
	"net/netip"
	"time"
)

// Config is the service's own settings.
type Config struct {
	DNSServer     string        `config:"dns_server" help:"The DNS server that is asked for the records of domains, as address:port; the system's without."`
	DeletionGrace time.Duration `config:"deletion_grace" default:"168h" help:"How long the deletion of an organization can be cancelled. Less than 2m is for tests: a request that is under way must not outlive it."`
}

const maxDeletionGrace = 90 * 24 * time.Hour

// Validate reports what is wrong with the settings.
func (c Config) Validate(report func(key, reason string)) {
	if c.DeletionGrace < time.Second || c.DeletionGrace > maxDeletionGrace {
		report("deletion_grace", "must be between 1s and 2160h")
	}
	if c.DNSServer == "" {
		return
	}
	if _, err := netip.ParseAddrPort(c.DNSServer); err != nil {
		report("dns_server", "must be an address with a port, such as 192.0.2.53:53")
	}
}
