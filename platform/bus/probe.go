package bus

import (
	"context"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Probe asks whether the cluster answers. It says nothing about whether it can write.
type Probe struct{ client *kgo.Client }

// NewProbe checks the connection's settings; nothing is asked yet. What it finds is its caller's to log.
func NewProbe(connection Connection) (*Probe, error) {
	client, err := connection.open(slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	return &Probe{client}, nil
}

// Ping returns nil when any broker has answered before ctx ends.
func (p *Probe) Ping(ctx context.Context) error { return p.client.Ping(ctx) }

// Close disconnects.
func (p *Probe) Close() { p.client.Close() }
