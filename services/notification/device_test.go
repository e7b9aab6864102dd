package notification_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/id"
)

func TestNewDeviceIsMailed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.work()
	userID, deviceID := id.New(), id.New()
	b.owners.put(func() {
		b.owners.devices = map[string]*identityv1.GetNewDeviceMailResponse{userID.String() + "/" + deviceID.String(): {
			Email: "ada@example.org", DisplayName: "Ada", Device: "Safari on iPhone\r\nBcc: x@example.org", ClientAddress: "192.0.2.7",
			FirstSeenTime: timestamppb.New(b.clock.Now()),
		}}
	})
	added := func(deviceID id.ID) *identityv1.DeviceAdded {
		return &identityv1.DeviceAdded{UserId: userID.String(), DeviceId: deviceID.String(), SessionId: id.New().String()}
	}
	event := b.event(id.ID{}, userID, added(deviceID))
	require.NoError(t, b.apply(event))
	require.NoError(t, b.apply(event), "told twice")
	b.awaitState(event, "sent")
	require.Len(t, b.mailer.all(), 1)
	sent := b.mailer.all()[0]
	require.Equal(t, "ada@example.org", sent.To.Address)
	require.NotContains(t, sent.Subject, "\n", "a device can't write headers")
	require.Contains(t, sent.Text, "Device: Safari on iPhone")
	require.Contains(t, sent.Text, "Address: 192.0.2.7")
	require.Contains(t, sent.HTML, "192.0.2.7")

	forgotten := b.event(id.ID{}, userID, added(id.New()))
	require.NoError(t, b.apply(forgotten))
	require.Equal(t, "the device is forgotten", b.awaitState(forgotten, "skipped"))
}
