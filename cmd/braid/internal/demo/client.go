// Package demo walks through a running Braid as a person would, with real requests and nothing else, and shows each
// request, its answer and the events it caused. It is a learning tool and knows only the public API, the development
// mailbox and the event topics.
package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	requestTimeout = 15 * time.Second
	// An effect in another service is there within 100 ms; the walk waits longer before it says that it is not.
	effectTimeout = 10 * time.Second
	effectPoll    = 50 * time.Millisecond
	quietAfter    = 300 * time.Millisecond
	maxShown      = 600
)

// Config says where the instance is.
type Config struct {
	URL      string
	AdminURL string
	// Watch calls handle for each event until ctx ends; nil when the broker can't be reached.
	Watch func(ctx context.Context, handle func(Event)) error
	Out   io.Writer
	Color bool
}

// Event is an event as the walk shows it.
type Event struct {
	Type          string
	Subject       string
	CorrelationID string
}

// person is somebody of the walk.
type person struct {
	name, email, password string
	id, token             string
}

// walk is one run.
type walk struct {
	Config
	client *http.Client
	suffix string
	step   int
	quiet  bool

	mu     sync.Mutex
	events map[string][]Event
}

// answer is what came back.
type answer struct {
	status        int
	body          map[string]any
	correlationID string
}

func (a answer) text(key string) string {
	value, _ := a.body[key].(string)
	return value
}

func (w *walk) say(format string, arguments ...any) {
	_, _ = fmt.Fprintf(w.Out, format+"\n", arguments...)
}

func (w *walk) paint(color, text string) string {
	if !w.Color {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// title begins a step.
func (w *walk) title(text string) {
	w.step++
	w.say("\n%s", w.paint("1", fmt.Sprintf("%d. %s", w.step, text)))
}

// do sends one request, shows it with its answer and events, and fails when the status is not the expected one.
func (w *walk) do(ctx context.Context, who *person, method, path string, body any, expected int) (answer, error) {
	var encoded []byte
	if body != nil {
		var err error
		if encoded, err = json.Marshal(body); err != nil {
			return answer{}, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, w.URL+path, bytes.NewReader(encoded))
	if err != nil {
		return answer{}, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if who != nil {
		request.Header.Set("Authorization", "Bearer "+who.token)
	}
	got, raw, err := w.send(request)
	if err != nil {
		return answer{}, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if !w.quiet || got.status != expected {
		w.show(who, method, path, encoded, got, raw)
	}
	if got.status != expected {
		return got, fmt.Errorf("%s %s answered %d, expected %d", method, path, got.status, expected)
	}
	return got, nil
}

func (w *walk) send(request *http.Request) (answer, []byte, error) {
	response, err := w.client.Do(request)
	if err != nil {
		return answer{}, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(response.Body, 4<<20))
	if err != nil {
		return answer{}, nil, err
	}
	got := answer{status: response.StatusCode, correlationID: response.Header.Get("X-Correlation-Id")}
	if err := json.Unmarshal(raw, &got.body); err != nil {
		return answer{}, nil, fmt.Errorf("the answer is no JSON: %w", err)
	}
	return got, raw, nil
}

func (w *walk) show(who *person, method, path string, body []byte, got answer, raw []byte) {
	as := ""
	if who != nil {
		as = "  (" + who.name + ")"
	}
	w.say("   %s %s%s", w.paint("36", method), path, w.paint("2", as))
	if len(body) > 0 {
		w.say("     → %s", hide(body))
	}
	w.say("     ← %d %s", got.status, hide(raw))
	w.say("       %s", w.paint("2", "correlation id "+got.correlationID))
	if method == http.MethodGet || w.Watch == nil || got.status >= http.StatusBadRequest {
		return
	}
	for _, event := range w.eventsOf(got.correlationID) {
		w.say("     %s %s %s", w.paint("33", "⚡"), event.Type, w.paint("2", event.Subject))
	}
}

// hide shortens long texts and leaves out tokens: a demo is often shown to others.
func hide(raw []byte) string {
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err == nil {
		for _, key := range []string{"accessToken", "refreshToken", "password", "token"} {
			if _, ok := fields[key]; ok {
				fields[key] = "…"
			}
		}
		if shorter, err := json.Marshal(fields); err == nil {
			raw = shorter
		}
	}
	if len(raw) > maxShown {
		return strings.ToValidUTF8(string(raw[:maxShown]), "") + "…"
	}
	return string(raw)
}

// watch collects events by correlation id until ctx ends.
func (w *walk) watch(ctx context.Context) {
	err := w.Watch(ctx, func(event Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events[event.CorrelationID] = append(w.events[event.CorrelationID], event)
	})
	if err != nil && ctx.Err() == nil {
		w.say("   events can't be watched: %v", err)
	}
}

// eventsOf waits until no more events of a request come, bounded.
func (w *walk) eventsOf(correlationID string) []Event {
	seen, last := 0, time.Now()
	deadline := last.Add(effectTimeout)
	for time.Now().Before(deadline) && time.Since(last) < quietAfter {
		w.mu.Lock()
		count := len(w.events[correlationID])
		w.mu.Unlock()
		if count > seen {
			seen, last = count, time.Now()
		}
		time.Sleep(effectPoll)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Event(nil), w.events[correlationID]...)
}

// mail is a message in the development mailbox.
type mail struct {
	Subject string `json:"subject"`
	Text    string `json:"text"`
}

// awaitMail waits for a mail to an address whose text holds what is looked for.
func (w *walk) awaitMail(ctx context.Context, email, contains string) (mail, error) {
	deadline := time.Now().Add(effectTimeout)
	for {
		found, err := w.findMail(ctx, email, contains)
		if err == nil || time.Now().After(deadline) || ctx.Err() != nil {
			return found, err
		}
		time.Sleep(effectPoll)
	}
}

func (w *walk) findMail(ctx context.Context, email, contains string) (mail, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.AdminURL+"/mailbox/messages?to="+url.QueryEscape(email), nil)
	if err != nil {
		return mail{}, err
	}
	response, err := w.client.Do(request)
	if err != nil {
		return mail{}, fmt.Errorf("read the mailbox: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	var box struct {
		Messages []mail `json:"messages"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 16<<20)).Decode(&box); err != nil {
		return mail{}, fmt.Errorf("read the mailbox at %s: %w", w.AdminURL, err)
	}
	for _, message := range box.Messages {
		if strings.Contains(message.Text, contains) {
			return message, nil
		}
	}
	return mail{}, fmt.Errorf("no mail to %s with %q has come", email, contains)
}
