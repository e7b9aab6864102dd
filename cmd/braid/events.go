package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/braidhq/braid/platform/bus"
)

func newEvents() *cobra.Command {
	command := &cobra.Command{Use: "events", Short: "Look at events"}
	command.AddCommand(newEventsTail())
	return command
}

func newEventsTail() *cobra.Command {
	s := newSettings(true)
	var topics []string
	last := boundedNumber{most: 1_000_000}
	command := &cobra.Command{
		Use: "tail", Short: "Show events as they happen, decoded, without sensitive fields", Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			connection, err := brokerFor(s, command.Flags())
			if err != nil {
				return err
			}
			chosen, err := chooseTopics(topics)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(command.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return tailEvents(ctx, s, connection, bus.TailConfig{Topics: chosen, Last: last.value})
		},
	}
	command.Flags().StringSliceVar(&topics, "topic", nil, "topics to watch, such as workflow.events; all by default")
	command.Flags().Var(&last, "last", "how many past events of each partition to show first")
	s.registry.BindFlags(command.Flags())
	return command
}

func chooseTopics(topics []string) ([]string, error) {
	var known []string
	for _, name := range serviceNames() {
		known = append(known, bus.EventTopic(name))
	}
	if len(topics) == 0 {
		return known, nil
	}
	for _, topic := range topics {
		if !slices.Contains(known, topic) {
			return nil, fmt.Errorf("--topic: there is no topic %q; there are %v", topic, known)
		}
	}
	return topics, nil
}

func tailEvents(ctx context.Context, s *settings, connection bus.Connection, config bus.TailConfig) error {
	logger, closeLog := newLogger(s)
	defer func() { _ = closeLog() }()
	color := onTerminal(os.Stdout)
	config.Handle = func(event bus.Event, problem error) error {
		return printEvent(os.Stdout, showEvent(event, problem), color)
	}
	return bus.Tail(ctx, connection, config, logger)
}
