package client

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// StreamEvent is one server-sent event.
type StreamEvent struct {
	Event, ID, Data string
}

// Stream is an open stream of server-sent events.
type Stream struct {
	Events chan StreamEvent
	// Ended is closed when the server has ended the stream.
	Ended  chan struct{}
	cancel context.CancelFunc
	body   interface{ Close() error }
}

// OpenStream opens a stream; lastID resumes behind an event when it is not empty.
func (c *Client) OpenStream(ctx context.Context, who *Person, path, lastID string) (*Stream, error) {
	ctx, cancel := context.WithCancel(ctx)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+path, nil)
	if err != nil {
		cancel()
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+who.Token)
	if lastID != "" {
		request.Header.Set("Last-Event-ID", lastID)
	}
	// The usual client's time limit would cut the stream.
	streaming := &http.Client{Transport: c.HTTP.Transport}
	response, err := streaming.Do(request)
	if err != nil {
		cancel()
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		cancel()
		_ = response.Body.Close()
		return nil, fmt.Errorf("GET %s answered %d", path, response.StatusCode)
	}
	stream := &Stream{Events: make(chan StreamEvent, 4096), Ended: make(chan struct{}), cancel: cancel, body: response.Body}
	go stream.read(bufio.NewScanner(response.Body))
	return stream, nil
}

func (s *Stream) read(lines *bufio.Scanner) {
	defer close(s.Ended)
	lines.Buffer(nil, 4<<20)
	var event StreamEvent
	for lines.Scan() {
		line := lines.Text()
		field, value, _ := strings.Cut(line, ": ")
		switch {
		case line == "" && event.Data != "":
			s.Events <- event
			event = StreamEvent{}
		case field == "event":
			event.Event = value
		case field == "id":
			event.ID = value
		case field == "data":
			event.Data = value
		}
	}
}

// Next waits for the next event.
func (s *Stream) Next() (StreamEvent, error) {
	select {
	case event := <-s.Events:
		return event, nil
	case <-s.Ended:
		select {
		case event := <-s.Events:
			return event, nil
		default:
			return StreamEvent{}, fmt.Errorf("the stream has ended")
		}
	case <-time.After(EffectTimeout):
		return StreamEvent{}, fmt.Errorf("no event has come")
	}
}

// Close ends the stream from this side.
func (s *Stream) Close() {
	s.cancel()
	_ = s.body.Close()
	<-s.Ended
}
