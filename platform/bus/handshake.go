package bus

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	handshakeTimeout = 10 * time.Second
	// nodeNaming is the first version of the question for versions that also says whom it believes to speak to. kfake
	// checks that, and whoever is new enough to ask that way finds the handshake it needs.
	nodeNaming = 5
)

// admitKcat makes the broker usable for librdkafka, and so for kcat. kfake has version 1 of the SASL handshake alone.
// librdkafka uses nothing else with brokers as new as this one, but looks for version 0 before it believes that there is
// a handshake at all. So the broker says that it has version 0 as well, and refuses whoever means it.
func admitKcat(cluster *kfake.Cluster, connection Connection, logger *slog.Logger) error {
	own, err := askVersions(connection, logger)
	if err != nil {
		return fmt.Errorf("ask the broker for its versions: %w", err)
	}
	for position, key := range own.ApiKeys {
		if key.ApiKey == int16(kmsg.SASLHandshake) {
			own.ApiKeys[position].MinVersion = 0
		}
	}
	cluster.ControlKey(int16(kmsg.ApiVersions), func(request kmsg.Request) (kmsg.Response, error, bool) {
		if request.GetVersion() >= nodeNaming {
			return nil, nil, false
		}
		cluster.KeepControl()
		answer := *own
		answer.Version = request.GetVersion()
		return &answer, nil, true
	})
	cluster.ControlKey(int16(kmsg.SASLHandshake), func(request kmsg.Request) (kmsg.Response, error, bool) {
		if request.GetVersion() > 0 {
			return nil, nil, false
		}
		cluster.KeepControl()
		answer := kmsg.NewPtrSASLHandshakeResponse()
		answer.ErrorCode = kerr.UnsupportedVersion.Code
		answer.SupportedMechanisms = []string{MechanismScramSHA256}
		return answer, nil, true
	})
	return nil
}

// askVersions returns what the broker answers a client of ours.
func askVersions(connection Connection, logger *slog.Logger) (*kmsg.ApiVersionsResponse, error) {
	client, err := connection.open(logger)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
	defer cancel()
	own, err := kmsg.NewPtrApiVersionsRequest().RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	return own, kerr.ErrorForCode(own.ErrorCode)
}
