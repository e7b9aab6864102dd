package bus_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/braidhq/braid/testkit/bustest"
)

// librdkafka looks for this version, which the broker's own code does not have; test/e2e runs kcat itself.
func TestEmbeddedNamesTheFirstHandshakeAndRefusesIt(t *testing.T) {
	t.Parallel()
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(int16(kmsg.ApiVersions), 3)
	versions.SetMaxKeyVersion(int16(kmsg.SASLHandshake), 0)
	client, err := kgo.NewClient(kgo.SeedBrokers(bustest.Connect(t).Brokers...), kgo.MaxVersions(versions))
	require.NoError(t, err)
	defer client.Close()
	for range 2 { // What is answered once must be answered to everybody.
		answer, err := kmsg.NewPtrApiVersionsRequest().RequestWith(t.Context(), client)
		require.NoError(t, err)
		ranges := map[kmsg.Key][2]int16{}
		for _, key := range answer.ApiKeys {
			ranges[kmsg.Key(key.ApiKey)] = [2]int16{key.MinVersion, key.MaxVersion}
		}
		require.Equal(t, [2]int16{0, 1}, ranges[kmsg.SASLHandshake])
		require.Contains(t, ranges, kmsg.SASLAuthenticate)
		require.Greater(t, ranges[kmsg.Fetch][1], int16(11), "everything else is the broker's own answer")

		handshake := kmsg.NewPtrSASLHandshakeRequest()
		handshake.Mechanism = "SCRAM-SHA-256"
		refused, err := handshake.RequestWith(t.Context(), client)
		require.NoError(t, err)
		require.Zero(t, refused.Version)
		require.Equal(t, kerr.UnsupportedVersion.Code, refused.ErrorCode)
	}
}
