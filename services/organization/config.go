package organization

import "net/netip"

// Config is the service's own settings.
type Config struct {
	DNSServer string `config:"dns_server" help:"The DNS server that is asked for the records of domains, as address:port; the system's without."`
}

// Validate reports what is wrong with the settings.
func (c Config) Validate(report func(key, reason string)) {
	if c.DNSServer == "" {
		return
	}
	if _, err := netip.ParseAddrPort(c.DNSServer); err != nil {
		report("dns_server", "must be an address with a port, such as 192.0.2.53:53")
	}
}
