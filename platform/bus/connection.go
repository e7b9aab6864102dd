package bus

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// The SASL mechanisms that are understood, by their registered names.
const (
	MechanismPlain       = "PLAIN"
	MechanismScramSHA256 = "SCRAM-SHA-256"
	MechanismScramSHA512 = "SCRAM-SHA-512"
)

// Connection says how to reach a Kafka cluster, the embedded one included.
type Connection struct {
	// Brokers are the seed addresses, host:port.
	Brokers []string
	TLS     TLS
	SASL    SASL
	// ClientID names this process in the broker's logs and quotas; "braid" when empty.
	ClientID string
}

// TLS holds the transport security of a connection. The zero value is plain text.
type TLS struct {
	Enabled bool
	// CAFile holds the certificates that the brokers are checked against; the system's when empty.
	CAFile string
	// CertificateFile and KeyFile are the client's own, for brokers that ask for one; both or neither.
	CertificateFile string
	KeyFile         string
	// ServerName overrides the name the broker's certificate is checked for.
	ServerName string
}

// SASL holds the credentials of a connection. The zero value sends none.
type SASL struct {
	Mechanism string
	Username  string
	Password  string
}

// LogValue implements slog.LogValuer: the password stays out of logs.
func (s SASL) LogValue() slog.Value {
	return slog.GroupValue(slog.String("mechanism", s.Mechanism), slog.String("username", s.Username))
}

// String keeps the password out of anything that is printed.
func (s SASL) String() string { return s.Mechanism + " " + s.Username }

// GoString keeps the password out of %#v.
func (s SASL) GoString() string { return s.String() }

// Check reports everything that keeps the connection from being usable, apart from missing brokers: each with the key of
// the configuration that it is set by, and the end of a sentence that begins with it.
func (c Connection) Check(report func(key, reason string)) {
	for _, broker := range c.Brokers {
		if !isBroker(broker) {
			report("brokers", "holds something that is no address such as kafka-1:9092")
		}
	}
	if (c.TLS.CertificateFile == "") != (c.TLS.KeyFile == "") {
		report("private_key_file", "and certificate_file go together")
	}
	if !c.TLS.Enabled && (c.TLS.CAFile != "" || c.TLS.CertificateFile != "" || c.TLS.ServerName != "") {
		report("tls", "is off, but files for it are named")
	}
	switch c.SASL.Mechanism {
	case "":
		if c.SASL.Username != "" || c.SASL.Password != "" {
			report("sasl_mechanism", "is missing where a user name or a password is given")
		}
	case MechanismPlain, MechanismScramSHA256, MechanismScramSHA512:
		if c.SASL.Username == "" {
			report("sasl_username", "is required by the mechanism")
		}
		if c.SASL.Password == "" {
			report("sasl_password", "is required by the mechanism")
		}
	default:
		report("sasl_mechanism", fmt.Sprintf("is %q, not PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", c.SASL.Mechanism))
	}
}

// isBroker accepts a host with or without a port.
func isBroker(text string) bool {
	if text == "" || strings.ContainsAny(text, "/ ") {
		return false
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return !strings.Contains(text, ":")
	}
	number, err := strconv.ParseUint(port, 10, 16)
	return err == nil && number > 0 && host != ""
}

// CheckFiles reports the files that can't be read as what they should be.
func (t TLS) CheckFiles(report func(key, reason string)) {
	if _, err := (TLS{CAFile: t.CAFile}).load(); err != nil {
		report("ca_file", err.Error())
	}
	if t.CertificateFile == "" || t.KeyFile == "" {
		return
	}
	if _, err := (TLS{CertificateFile: t.CertificateFile, KeyFile: t.KeyFile}).load(); err != nil {
		report("certificate_file", err.Error())
	}
}

// Validate returns everything that keeps the connection from being usable.
func (c Connection) Validate() error {
	var problems []error
	if len(c.Brokers) == 0 {
		problems = append(problems, errors.New("no broker address"))
	}
	c.Check(func(key, reason string) { problems = append(problems, errors.New(key+" "+reason)) })
	return errors.Join(problems...)
}

// What a client reads ahead, packed as the producer sent it. Unpacked events take ten to twenty times as much, and every
// reader behind a backlog holds them: more than this makes nothing faster. A larger batch comes whole, by itself.
const (
	fetchBytes          = 256 << 10
	fetchPartitionBytes = 128 << 10
)

// open connects lazily: no broker is asked before the first request.
func (c Connection) open(logger *slog.Logger, options ...kgo.Opt) (*kgo.Client, error) {
	all, err := c.options(logger)
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(append(all, options...)...)
	if err != nil {
		return nil, fmt.Errorf("kafka connection: %w", err)
	}
	return client, nil
}

// options checks the connection and returns what all clients have in common.
func (c Connection) options(logger *slog.Logger) ([]kgo.Opt, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("kafka connection: %w", err)
	}
	clientID := c.ClientID
	if clientID == "" {
		clientID = "braid"
	}
	all := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(clientID),
		kgo.WithLogger(clientLogger{logger}),
		kgo.DialTimeout(5 * time.Second),
		kgo.RetryBackoffFn(retryBackoff),
		// A moved leader or a new partition is seen within seconds, also when nothing fails.
		kgo.MetadataMaxAge(30 * time.Second),
		kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchPartitionBytes),
		// What these clients do is in our own metrics.
		kgo.DisableClientMetrics(),
	}
	if c.TLS.Enabled {
		config, err := c.TLS.load()
		if err != nil {
			return nil, fmt.Errorf("kafka connection: %w", err)
		}
		all = append(all, kgo.DialTLSConfig(config))
	}
	if mechanism := c.SASL.mechanism(); mechanism != nil {
		all = append(all, kgo.SASL(mechanism))
	}
	return all, nil
}

func (t TLS) load() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read CA file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read CA file %s: no certificate in it", t.CAFile)
		}
	}
	if t.CertificateFile != "" {
		certificate, err := tls.LoadX509KeyPair(t.CertificateFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read client certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return config, nil
}

func (s SASL) mechanism() sasl.Mechanism {
	switch s.Mechanism {
	case MechanismPlain:
		return plain.Auth{User: s.Username, Pass: s.Password}.AsMechanism()
	case MechanismScramSHA256:
		return scram.Auth{User: s.Username, Pass: s.Password}.AsSha256Mechanism()
	case MechanismScramSHA512:
		return scram.Auth{User: s.Username, Pass: s.Password}.AsSha512Mechanism()
	default:
		return nil
	}
}

// clientLogger passes the client's warnings on. Its errors become warnings too: whether a broker that cannot be
// reached is an error is for the caller to say, who goes on trying.
type clientLogger struct{ logger *slog.Logger }

func (l clientLogger) Level() kgo.LogLevel { return kgo.LogLevelWarn }

func (l clientLogger) Log(level kgo.LogLevel, message string, keyValues ...any) {
	if level <= kgo.LogLevelWarn {
		l.logger.Log(context.Background(), slog.LevelWarn, "kafka: "+message, keyValues...)
	}
}
