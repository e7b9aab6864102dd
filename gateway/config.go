package gateway

import (
	"net/netip"
	"net/url"
	"time"
)

// maxRate keeps the time between two requests of a budget well above the resolution of its clock.
const maxRate = 1_000_000

// Config is the gateway's section of the configuration.
type Config struct {
	TrustedProxies []string `config:"trusted_proxies" help:"Networks (CIDR) whose X-Forwarded-For is believed; none by default."`
	CORSOrigins    []string `config:"cors_origins" help:"Origins that browsers may call from, such as https://app.example.com."`
	TLSCertificate string   `config:"tls_certificate" help:"PEM file with the certificate chain; with tls_key the port speaks TLS."`
	TLSKey         string   `config:"tls_key" help:"PEM file with the certificate's private key."`

	UserRate      int `config:"user_rate" default:"6000" help:"Requests a signed-in user may make in a minute."`
	AddressRate   int `config:"address_rate" default:"1200" help:"Requests without a credential that an address may make in a minute."`
	AuthRate      int `config:"auth_rate" default:"120" help:"Calls without a sign-in that are worth guessing with, or cost much (logins, codes, resets, tokens), that an address may make in a minute."`
	StreamsLimit  int `config:"streams_limit" default:"10000" help:"Live streams that the gateway holds open at once."`
	RequestsLimit int `config:"requests_limit" default:"2000" help:"Requests under way at once; more are answered 429."`

	BodyTimeout  time.Duration `config:"body_timeout" default:"15s" help:"Longest time a client may take to send a body."`
	WriteTimeout time.Duration `config:"write_timeout" default:"15s" help:"How long a client may take for 64 KiB of an answer; it is cut off then, or up to half as long later."`
}

// Validate implements config.Validator.
func (c *Config) Validate(report func(key, reason string)) {
	for _, network := range c.TrustedProxies {
		if _, err := netip.ParsePrefix(network); err != nil {
			report("trusted_proxies", network+" is no network such as 10.0.0.0/8")
		}
	}
	for _, origin := range c.CORSOrigins {
		parsed, err := url.Parse(origin)
		if err != nil || parsed.Scheme == "" || parsed.Host == "" || parsed.Path != "" {
			report("cors_origins", origin+" is no origin such as https://app.example.com")
		}
	}
	if (c.TLSCertificate == "") != (c.TLSKey == "") {
		report("tls_key", "the certificate and its key come together")
	}
	for key, value := range map[string]int{
		"user_rate": c.UserRate, "address_rate": c.AddressRate, "auth_rate": c.AuthRate,
		"streams_limit": c.StreamsLimit, "requests_limit": c.RequestsLimit,
	} {
		if value < 1 || value > maxRate {
			report(key, "must be from 1 to 1000000")
		}
	}
	for key, value := range map[string]time.Duration{"body_timeout": c.BodyTimeout, "write_timeout": c.WriteTimeout} {
		if value <= 0 {
			report(key, "must be positive")
		}
	}
}
