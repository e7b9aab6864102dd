package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/bus/deadletter"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/obs"
)

// dlqTimeout bounds one command: the topic is read whole.
const dlqTimeout = 2 * time.Minute

func newDLQ() *cobra.Command {
	command := &cobra.Command{Use: "dlq", Short: "Look through dead letters and bring them back"}
	limit := boundedNumber{value: 100, least: 1, most: 1_000_000}
	list := newDLQCommand("list SERVICE", "List a service's open dead letters, the newest first", cobra.ExactArgs(1),
		func(ctx context.Context, out io.Writer, desk *deadletter.Desk, args []string) error {
			letters, err := desk.List(ctx, args[0], limit.value)
			if err != nil {
				return err
			}
			for _, letter := range letters {
				if err := printLetter(out, letter, false); err != nil {
					return err
				}
			}
			return nil
		})
	list.Flags().Var(&limit, "limit", "at most this many")
	show := newDLQCommand("show SERVICE ID", "Show a dead letter with its payload, without sensitive fields", cobra.ExactArgs(2),
		func(ctx context.Context, out io.Writer, desk *deadletter.Desk, args []string) error {
			letter, err := desk.Show(ctx, args[0], args[1])
			if err != nil {
				return err
			}
			return printLetter(out, letter, true)
		})
	replay := newDLQCommand("replay SERVICE ID…", "Bring dead letters back to the service that could not apply them", cobra.MinimumNArgs(2),
		func(ctx context.Context, out io.Writer, desk *deadletter.Desk, args []string) error {
			letterIDs := distinct(args[1:])
			if err := desk.Replay(ctx, args[0], letterIDs...); err != nil {
				return err
			}
			_, err := fmt.Fprintf(out, "replayed %d\n", len(letterIDs))
			return err
		})
	discard := newDLQCommand("discard SERVICE ID…", "Give dead letters up", cobra.MinimumNArgs(2),
		func(ctx context.Context, out io.Writer, desk *deadletter.Desk, args []string) error {
			letterIDs := distinct(args[1:])
			if err := desk.Discard(ctx, args[0], letterIDs...); err != nil {
				return err
			}
			_, err := fmt.Fprintf(out, "discarded %d\n", len(letterIDs))
			return err
		})
	command.AddCommand(list, show, replay, discard)
	return command
}

// distinct drops what is named a second time: a letter is one letter however often somebody pastes it.
func distinct(letterIDs []string) []string {
	var named []string
	for _, letterID := range letterIDs {
		if !slices.Contains(named, letterID) {
			named = append(named, letterID)
		}
	}
	return named
}

func newDLQCommand(use, short string, args cobra.PositionalArgs, act func(context.Context, io.Writer, *deadletter.Desk, []string) error) *cobra.Command {
	s := newSettings(true)
	command := &cobra.Command{
		Use: use, Short: short,
		Args: func(command *cobra.Command, given []string) error {
			if err := args(command, given); err != nil {
				return fmt.Errorf("%w: braid dlq %s, where SERVICE is one of %s", err, use, strings.Join(serviceNames(), ", "))
			}
			return nil
		},
		RunE: func(command *cobra.Command, args []string) error {
			if !slices.Contains(serviceNames(), args[0]) {
				return fmt.Errorf("there is no service %q with dead letters; there are %s", args[0], strings.Join(serviceNames(), ", "))
			}
			connection, err := brokerFor(s, command.Flags())
			if err != nil {
				return err
			}
			logger, closeLog := newLogger(s)
			defer func() { _ = closeLog() }()
			ctx, cancel := context.WithTimeout(command.Context(), dlqTimeout)
			defer cancel()
			return act(ctx, command.OutOrStdout(), deadletter.NewDesk(connection, clock.System{}, logger), args)
		},
	}
	s.registry.BindFlags(command.Flags())
	return command
}

// shownLetter is a dead letter as it is printed.
type shownLetter struct {
	ID   string `json:"id"`
	Type string `json:"type,omitempty"`
	// Attempts counts every try, replays included; Reason is why the last one failed.
	Attempts    int       `json:"attempts"`
	LastTryTime time.Time `json:"lastTryTime"`
	Reason      string    `json:"reason"`
	// Where the event was first, and what it came with.
	Topic     string        `json:"topic"`
	Partition int32         `json:"partition"`
	Offset    int64         `json:"offset"`
	Key       string        `json:"key,omitempty"`
	Headers   []shownHeader `json:"headers"`
	Event     *shownEvent   `json:"event,omitempty"`
}

// shownHeader is a header as it is printed. They are a list, as one that comes twice may be what is wrong.
type shownHeader struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

const (
	hiddenHeader = "[redacted]"
	// clientAddressHeader is personal, and no event that is shown has it.
	clientAddressHeader = "ce_clientaddress"
)

func showHeaders(headers []bus.Header) []shownHeader {
	shown := make([]shownHeader, 0, len(headers))
	for _, header := range headers {
		value := string(header.Value)
		if header.Key == clientAddressHeader || obs.IsSensitiveKey(header.Key) {
			value = hiddenHeader
		}
		shown = append(shown, shownHeader{Name: header.Key, Value: value})
	}
	return shown
}

func showLetter(letter deadletter.Letter, whole bool) shownLetter {
	record := letter.Record
	shown := shownLetter{
		ID: letter.ID, Attempts: letter.Attempts, LastTryTime: letter.Time, Reason: letter.Reason,
		Topic: record.Topic, Partition: record.Partition, Offset: record.Offset, Key: string(record.Key), Headers: showHeaders(record.Headers),
	}
	event, problem := letter.Event()
	if problem != nil {
		// What was read of it before that means nothing; where it was does.
		event = bus.Event{Topic: record.Topic, Partition: record.Partition, Offset: record.Offset}
	}
	shown.Type = event.Type
	if whole {
		decoded := showEvent(event, problem)
		shown.Event = &decoded
	}
	return shown
}

func printLetter(out io.Writer, letter deadletter.Letter, whole bool) error {
	encoder := json.NewEncoder(out)
	if whole && onTerminal(os.Stdout) {
		encoder.SetIndent("", "  ")
	}
	return encoder.Encode(showLetter(letter, whole))
}
