package gateway_test

import (
	"bytes"
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// rawStream is the one stream of an HTTP/2 connection that does as it is told.
type rawStream struct {
	t      *testing.T
	net    net.Conn
	framer *http2.Framer
	// windows are how much may be sent on the connection (0) and on the stream (1).
	windows map[uint32]int
	// status is of the answer, body how much of it came; ended and reset how the stream did.
	status string
	body   int
	ended  bool
	reset  *http2.RSTStreamFrame
}

// openStream connects. window is how much of an answer the client takes.
func openStream(t *testing.T, d *door, window uint32) *rawStream {
	t.Helper()
	s := &rawStream{t: t, net: dialRaw(t, d), windows: map[uint32]int{0: 65535, 1: 65535}}
	_, err := s.net.Write([]byte(http2.ClientPreface))
	require.NoError(t, err)
	s.framer = http2.NewFramer(s.net, s.net)
	s.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	require.NoError(t, s.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window}))
	return s
}

// request sends the head of a request; a length of 0 is none.
func (s *rawStream) request(method, path, contentType, token string, length int) {
	s.t.Helper()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	fields := [][2]string{{":method", method}, {":scheme", "http"}, {":authority", "x"}, {":path", path}}
	if length > 0 {
		fields = append(fields, [2]string{"content-type", contentType}, [2]string{"content-length", strconv.Itoa(length)})
	}
	if token != "" {
		fields = append(fields, [2]string{"authorization", "Bearer " + token})
	}
	for _, field := range fields {
		require.NoError(s.t, encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}))
	}
	require.NoError(s.t, s.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: length == 0,
	}))
}

// sendBody sends length bytes as the windows allow.
func (s *rawStream) sendBody(length int) {
	s.t.Helper()
	for length > 0 {
		size := min(length, s.windows[0], s.windows[1], 16<<10)
		if size <= 0 {
			s.read()
			require.Nil(s.t, s.reset, "the stream is reset while its body is sent")
			continue
		}
		length -= size
		s.windows[0] -= size
		s.windows[1] -= size
		require.NoError(s.t, s.framer.WriteData(1, length == 0, bytes.Repeat([]byte(" "), size)))
	}
}

// readAnswer reads until the stream has ended.
func (s *rawStream) readAnswer() {
	s.t.Helper()
	for !s.ended && s.reset == nil {
		s.read()
	}
}

func (s *rawStream) read() {
	s.t.Helper()
	frame, err := s.framer.ReadFrame()
	require.NoError(s.t, err)
	switch frame := frame.(type) {
	case *http2.SettingsFrame:
		if value, ok := frame.Value(http2.SettingInitialWindowSize); ok {
			s.windows[1] += int(value) - 65535
		}
	case *http2.WindowUpdateFrame:
		s.windows[frame.StreamID] += int(frame.Increment)
	case *http2.MetaHeadersFrame:
		s.status, s.ended = frame.PseudoValue("status"), frame.StreamEnded()
	case *http2.DataFrame:
		s.body += len(frame.Data())
		s.ended = frame.StreamEnded()
	case *http2.RSTStreamFrame:
		copied := *frame
		s.reset = &copied
	}
}
