// Package smtp hands mails to a mail server, one connection each, and tells what the server refused for good from what
// another try may mend. It never repeats a server's words, which may quote addresses.
package smtp

import (
	"errors"
	"net"
	"net/url"
	"strconv"
)

// Security says how a connection to the mail server is kept private.
type Security int

// The ways. Nothing falls back to a weaker one.
const (
	// StartTLS begins in plain text and must be able to switch before anything else is said.
	StartTLS Security = iota + 1
	// TLS is private from the first byte.
	TLS
	// Plain is never private: for a server on this machine or on a network that is.
	Plain
)

// Target is a mail server and how to log in there.
type Target struct {
	Host     string
	Port     int
	Security Security
	// Username is empty when the server wants no login.
	Username string
	Password string
}

// Address is the target as net.Dial takes it.
func (t Target) Address() string { return net.JoinHostPort(t.Host, strconv.Itoa(t.Port)) }

var errTarget = errors.New("must be smtp://user:password@host:587, with ?tls=none for a server without TLS, " +
	"or smtps://user:password@host:465")

// ParseTarget reads a mail server's URL. Its errors never repeat it, because it holds a password.
func ParseTarget(text string) (Target, error) {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Hostname() == "" || parsed.Opaque != "" || parsed.Fragment != "" ||
		(parsed.Path != "" && parsed.Path != "/") {
		return Target{}, errTarget
	}
	target := Target{Host: parsed.Hostname()}
	switch parsed.Scheme {
	case "smtp":
		target.Security, target.Port = StartTLS, 587
	case "smtps":
		target.Security, target.Port = TLS, 465
	default:
		return Target{}, errTarget
	}
	query := parsed.Query()
	switch mode := query.Get("tls"); {
	case mode == "none" && parsed.Scheme == "smtp":
		target.Security = Plain
	case mode != "":
		return Target{}, errTarget
	}
	query.Del("tls")
	if len(query) > 0 {
		return Target{}, errTarget
	}
	if port := parsed.Port(); port != "" {
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil || number == 0 {
			return Target{}, errTarget
		}
		target.Port = int(number)
	}
	if parsed.User != nil {
		target.Username = parsed.User.Username()
		target.Password, _ = parsed.User.Password()
	}
	return target, nil
}
