package bus

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/braidhq/braid/platform/clock"
)

// DefaultListen is where the embedded broker listens unless told otherwise.
const DefaultListen = "127.0.0.1:9092"

const expireInterval = 5 * time.Minute

// EmbeddedConfig says where the embedded broker lives.
type EmbeddedConfig struct {
	// Directory is the data directory: kcat.conf is written to it, the broker's own files to "broker" below it.
	Directory string
	// Listen is the address, DefaultListen when empty; port 0 picks a free one.
	Listen string
	// ExpireInterval is how often records that are too old are taken away; 5 minutes when zero.
	ExpireInterval time.Duration
}

// Embedded is a broker in this process that speaks the Kafka protocol: franz-go's kfake with its data on disk, every
// write synced, and SASL, because any process of this machine could forge events otherwise. It is one node and meant for
// one machine. It notices a disk without room, but not that the system fails to sync (see ADR 0003).
type Embedded struct {
	cluster    *kfake.Cluster
	connection Connection
	// stop ends what runs beside the broker, and waits for it.
	stop func()
}

// StartEmbedded starts the broker on what its directory holds from before. A busy address is returned as syscall.EADDRINUSE
// in the chain. The credentials are made once and stay the same as long as kcat.conf is kept.
func StartEmbedded(config EmbeddedConfig, logger *slog.Logger) (*Embedded, error) {
	if config.Listen == "" {
		config.Listen = DefaultListen
	}
	host, _, err := net.SplitHostPort(config.Listen)
	if err != nil {
		return nil, fmt.Errorf("start embedded broker: %w", err)
	}
	if address := net.ParseIP(host); host == "" || (address != nil && address.IsUnspecified()) {
		return nil, fmt.Errorf("start embedded broker: %s names no address that clients could be sent to", config.Listen)
	}
	storage := filepath.Join(config.Directory, "broker")
	if err := os.MkdirAll(storage, 0o700); err != nil {
		return nil, fmt.Errorf("start embedded broker: %w", err)
	}
	username, password, err := credentials(config.Directory)
	if err != nil {
		return nil, fmt.Errorf("start embedded broker: %w", err)
	}
	// The broker keeps users of its own in this file and prefers them; ours must win after kcat.conf was made anew.
	if err := os.Remove(filepath.Join(storage, "sasl.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("start embedded broker: %w", err)
	}
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.ClusterID("braid"),
		kfake.DataDir(storage),
		kfake.SyncWrites(),
		kfake.EnableSASL(),
		kfake.Superuser(MechanismScramSHA256, username, password),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) { return net.Listen(network, config.Listen) }),
		kfake.WithLogger(brokerLogger{logger}),
		kfake.DefaultNumPartitions(1),
	)
	if err != nil {
		return nil, fmt.Errorf("start embedded broker: %w", err)
	}
	connection := Connection{
		Brokers: cluster.ListenAddrs(),
		SASL:    SASL{Mechanism: MechanismScramSHA256, Username: username, Password: password},
	}
	err = admitKcat(cluster, connection, logger)
	if err == nil {
		err = writeClientConfig(config.Directory, connection)
	}
	if err != nil {
		cluster.Close()
		return nil, fmt.Errorf("start embedded broker: %w", err)
	}
	started := &Embedded{cluster: cluster, connection: connection}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { started.expire(ctx, cmp.Or(config.ExpireInterval, expireInterval)) })
	started.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	return started, nil
}

// expire takes away what is older than its topic keeps. By itself the broker looks only once a topic was made or changed
// since its start, and then every hour; meanwhile each batch takes memory, a record that came alone more than it is long.
func (e *Embedded) expire(ctx context.Context, interval time.Duration) {
	for ctx.Err() == nil {
		e.cluster.ApplyRetention()
		_ = clock.Sleep(ctx, interval)
	}
}

// Connection returns how clients reach the broker.
func (e *Embedded) Connection() Connection { return e.connection }

// Address returns host:port.
func (e *Embedded) Address() string { return e.connection.Brokers[0] }

// Port returns the port alone.
func (e *Embedded) Port() int {
	_, text, _ := net.SplitHostPort(e.Address())
	port, _ := strconv.Atoi(text)
	return port
}

// Close stops the broker; clients must be closed before it, or they go on trying.
func (e *Embedded) Close() {
	e.stop()
	e.cluster.Close()
}

// credentials returns those of an earlier start, or new random ones.
func credentials(directory string) (username, password string, err error) {
	previous, err := ReadClientConfig(directory)
	switch {
	case err == nil && previous.SASL.Mechanism == MechanismScramSHA256:
		return previous.SASL.Username, previous.SASL.Password, nil
	case err == nil || errors.Is(err, fs.ErrNotExist):
		return "braid", rand.Text() + rand.Text(), nil
	default:
		return "", "", err
	}
}

// brokerLogger passes on what the broker warns of; a failed write is among it.
type brokerLogger struct{ logger *slog.Logger }

func (l brokerLogger) Logf(level kfake.LogLevel, format string, arguments ...any) {
	switch level {
	case kfake.LogLevelError:
		l.logger.Log(context.Background(), slog.LevelError, "embedded broker: "+fmt.Sprintf(format, arguments...))
	case kfake.LogLevelWarn:
		l.logger.Log(context.Background(), slog.LevelWarn, "embedded broker: "+fmt.Sprintf(format, arguments...))
	}
}
