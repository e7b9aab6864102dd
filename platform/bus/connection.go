package bus

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
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

// Validate reports everything that keeps the connection from being usable.
func (c Connection) Validate() error {
	var problems []error
	if len(c.Brokers) == 0 {
		problems = append(problems, errors.New("no broker address"))
	}
	for _, broker := range c.Brokers {
		if broker == "" {
			problems = append(problems, errors.New("an empty broker address"))
		}
	}
	if (c.TLS.CertificateFile == "") != (c.TLS.KeyFile == "") {
		problems = append(problems, errors.New("a client certificate and its key go together"))
	}
	if !c.TLS.Enabled && (c.TLS.CAFile != "" || c.TLS.CertificateFile != "" || c.TLS.ServerName != "") {
		problems = append(problems, errors.New("TLS settings without TLS switched on"))
	}
	switch c.SASL.Mechanism {
	case "":
		if c.SASL.Username != "" || c.SASL.Password != "" {
			problems = append(problems, errors.New("SASL credentials without a mechanism"))
		}
	case MechanismPlain, MechanismScramSHA256, MechanismScramSHA512:
		if c.SASL.Username == "" || c.SASL.Password == "" {
			problems = append(problems, errors.New("a SASL mechanism without user name or password"))
		}
	default:
		problems = append(problems, fmt.Errorf("unknown SASL mechanism %q (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512)", c.SASL.Mechanism))
	}
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
