package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	neturl "net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/braidhq/braid/cmd/braid/internal/demo"
	"github.com/braidhq/braid/platform/bus"
)

func newDemo() *cobra.Command {
	s := newSettings(true)
	var url, adminURL string
	command := &cobra.Command{
		Use: "demo", Short: "Walk through a running instance with real requests, and leave a filled organization behind", Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			for flag, address := range map[string]string{"url": url, "admin-url": adminURL} {
				if !isWebAddress(address) {
					return fmt.Errorf("--%s: %q is not an address such as http://127.0.0.1:8080", flag, address)
				}
			}
			ctx, stop := signal.NotifyContext(command.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			config := demo.Config{URL: url, AdminURL: adminURL, Out: command.OutOrStdout(), Color: onTerminal(os.Stdout)}
			// Without a broker to watch, the walk is the same with less to see.
			if connection, err := brokerFor(s, command.Flags()); err == nil {
				config.Watch = watchEvents(s, connection)
			}
			return explainUnreached(demo.Run(ctx, config), adminURL)
		},
	}
	command.Flags().StringVar(&url, "url", "http://127.0.0.1:8080", "where the gateway is")
	command.Flags().StringVar(&adminURL, "admin-url", "http://127.0.0.1:8081", "where the admin port with the mailbox is")
	s.registry.BindFlags(command.Flags(), "data-dir")
	return command
}

// explainUnreached adds to an error of a connection that nobody took which flag says where to connect.
func explainUnreached(err error, adminURL string) error {
	var asked *neturl.Error
	var dialed *net.OpError
	if !errors.As(err, &asked) || !errors.As(err, &dialed) || dialed.Op != "dial" {
		return err
	}
	if strings.HasPrefix(asked.URL, strings.TrimSuffix(adminURL, "/")+"/") {
		return fmt.Errorf("%w: --admin-url says where the admin port of the running braid is", err)
	}
	return fmt.Errorf("%w: --url says where the running braid is, --admin-url where its admin port is", err)
}

// watchEvents follows every topic from now on.
func watchEvents(s *settings, connection bus.Connection) func(context.Context, func(demo.Event)) error {
	return func(ctx context.Context, handle func(demo.Event)) error {
		topics, err := chooseTopics(nil)
		if err != nil {
			return err
		}
		logger, closeLog := newLogger(s)
		defer func() { _ = closeLog() }()
		return bus.Tail(ctx, connection, bus.TailConfig{Topics: topics, Handle: func(event bus.Event, problem error) error {
			if problem == nil {
				handle(demo.Event{Type: event.Type, Subject: event.Subject, CorrelationID: event.CorrelationID})
			}
			return nil
		}}, logger)
	}
}
