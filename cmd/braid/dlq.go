package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/braidhq/braid/platform/bus/deadletter"
	"github.com/braidhq/braid/platform/clock"
)

// dlqTimeout bounds one command: the topic is read whole.
const dlqTimeout = 2 * time.Minute

func newDLQ() *cobra.Command {
	command := &cobra.Command{Use: "dlq", Short: "Look through dead letters and bring them back"}
	var limit int
	list := newDLQCommand("list SERVICE", "List a service's open dead letters, the newest first", cobra.ExactArgs(1),
		func(ctx context.Context, out io.Writer, desk *deadletter.Desk, args []string) error {
			letters, err := desk.List(ctx, args[0], limit)
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
	list.Flags().IntVar(&limit, "limit", 100, "at most this many")
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
			if err := desk.Replay(ctx, args[0], args[1:]...); err != nil {
				return err
			}
			_, err := fmt.Fprintf(out, "replayed %d\n", len(args)-1)
			return err
		})
	discard := newDLQCommand("discard SERVICE ID…", "Give dead letters up", cobra.MinimumNArgs(2),
		func(ctx context.Context, out io.Writer, desk *deadletter.Desk, args []string) error {
			if err := desk.Discard(ctx, args[0], args[1:]...); err != nil {
				return err
			}
			_, err := fmt.Fprintf(out, "discarded %d\n", len(args)-1)
			return err
		})
	command.AddCommand(list, show, replay, discard)
	return command
}

func newDLQCommand(use, short string, args cobra.PositionalArgs, act func(context.Context, io.Writer, *deadletter.Desk, []string) error) *cobra.Command {
	s := newSettings(true)
	command := &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(command *cobra.Command, args []string) error {
			if _, err := chooseServices(args[:1]); err != nil {
				return err
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
	ID       string      `json:"id"`
	Reason   string      `json:"reason"`
	Attempts int         `json:"attempts"`
	Time     time.Time   `json:"deadTime"`
	Event    *shownEvent `json:"event,omitempty"`
	Type     string      `json:"type,omitempty"`
}

func printLetter(out io.Writer, letter deadletter.Letter, whole bool) error {
	shown := shownLetter{ID: letter.ID, Reason: letter.Reason, Attempts: letter.Attempts, Time: letter.Time}
	event, problem := letter.Event()
	shown.Type = event.Type
	if whole {
		decoded := showEvent(event, problem)
		shown.Event = &decoded
	}
	encoder := json.NewEncoder(out)
	if whole && onTerminal(os.Stdout) {
		encoder.SetIndent("", "  ")
	}
	return encoder.Encode(shown)
}
