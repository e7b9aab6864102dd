// Package service assembles what every bounded context has in common: the chain in front of its handlers, the relay
// behind its outbox, its consumer, the idempotency store. It knows no service by name.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/erasure"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/module"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/platform/secret"
)

// Environment is what a process gives to each service it runs.
type Environment struct {
	// Name is the service's: "workflow".
	Name string
	// DB is the service's own database.
	DB *pg.DB
	// Bus is how to reach the broker, Topics how the services' event topics are made, by service.
	Bus    bus.Connection
	Topics map[string]bus.Topic
	Keys   *secret.Keys
	// Authenticator and Access answer who calls and what they may do; the first is this service's view of the process's.
	Authenticator *authn.ServiceAuthenticator
	Access        *authz.Access
	// Clients lead to the other services.
	Clients *rpc.Clients
	// PublicURL is where people reach the gateway, without a slash at the end; links in mails begin with it.
	PublicURL  string
	Clock      clock.Clock
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Options are what differs between services.
type Options struct {
	// Watermark makes the service's relay promise up to when everything is published: for those whose events every
	// process must hear within a second.
	Watermark bool
	// Erasure is what the service has to say about the deletion of organizations and people.
	Erasure erasure.Own
}

// Service is one assembled bounded context.
type Service struct {
	Name        string
	environment Environment
	// Server serves every protocol of the service.
	Server *rpc.Server
	// Runner opens the transactions of its mutations.
	Runner idempotency.Runner
	// Parts are what must run for it to work.
	Parts []module.Part
	// Pages are the service's own pages for the admin port, by pattern.
	Pages map[string]http.Handler

	consuming inbox.Config
	consumer  atomic.Pointer[inbox.Consumer]
}

// New assembles the common parts; the service's module mounts its handlers and adds its consumers and jobs.
func New(environment Environment, options Options) (*Service, error) {
	refusals := newRefusals(environment.Name, environment.DB, environment.Clock, environment.Logger, environment.Registerer)
	chain, err := rpc.NewChain(rpc.ChainConfig{
		Authenticator: environment.Authenticator,
		Authorizer:    environment.Access,
		Lifecycle:     environment.Access,
		Refusals:      refusals,
		Support:       supportRecorder{environment.DB, environment.Clock},
		HashKeyed:     func(data []byte) []byte { return environment.Keys.HashKeyed("idempotency", data) },
		Clock:         environment.Clock,
		Logger:        environment.Logger,
		Registerer:    environment.Registerer,
	})
	if err != nil {
		return nil, fmt.Errorf("assemble %s: %w", environment.Name, err)
	}
	relaying := outbox.RelayConfig{
		Service: environment.Name, Topic: environment.Topics[environment.Name], Watermark: options.Watermark,
	}
	if !options.Watermark {
		relaying.Saturated = chain.Saturated
	}
	relay, err := outbox.NewRelay(environment.DB, environment.Bus, relaying, environment.Clock, environment.Logger, environment.Registerer)
	if err != nil {
		return nil, fmt.Errorf("assemble %s: %w", environment.Name, err)
	}
	runner := idempotency.Runner{DB: environment.DB, Clock: environment.Clock}
	eraser := erasure.New(erasure.Config{
		Service: environment.Name, DB: environment.DB, Own: options.Erasure, Clock: environment.Clock, Logger: environment.Logger,
		Registerer: environment.Registerer,
	})
	built := &Service{
		Name:        environment.Name,
		environment: environment,
		Server:      rpc.NewServer(chain),
		Runner:      runner,
		Parts: []module.Part{
			{Name: environment.Name + ".relay", Optional: true, Run: relay.Run, Ready: relay.Ready},
			refusals.part(environment.Name),
			runner.Part(environment.Name),
			eraser.Part(),
		},
		Pages: map[string]http.Handler{},
		// Every service hears of deletions, also one that consumes nothing else.
		consuming: inbox.Config{
			Service: environment.Name, Handlers: eraser.Handlers(),
			Single: eraser.Types(), Remembered: eraser.Types(),
		},
	}
	for _, kind := range erasure.Kinds {
		built.consuming.Topics = append(built.consuming.Topics, environment.Topics[kind.Publisher])
	}
	built.Parts = append(built.Parts, built.consumerPart())
	return built, nil
}

var errNotConsuming = errors.New("the consumer has not begun")

// consumerPart is the service's one consumer. It is made when it begins, because until then the module says what it
// consumes.
func (s *Service) consumerPart() module.Part {
	return module.Part{
		Name: s.Name + ".consumer",
		Run: func(ctx context.Context) error {
			consumer, err := inbox.NewConsumer(s.environment.DB, s.environment.Bus, s.consuming, s.environment.Clock,
				s.environment.Logger, s.environment.Registerer)
			if err != nil {
				return err
			}
			s.consumer.Store(consumer)
			return consumer.Run(ctx)
		},
		Ready: func() error {
			if consumer := s.consumer.Load(); consumer != nil {
				return consumer.Ready()
			}
			return errNotConsuming
		},
	}
}

// Consume adds to what the service's one consumer does: handlers by event type, for the event topics of the services
// named. Events of the single types get a transaction of their own.
func (s *Service) Consume(from []string, handlers map[string]inbox.Handler, single ...string) error {
	for _, publisher := range from {
		topic, ok := s.environment.Topics[publisher]
		if !ok {
			return fmt.Errorf("assemble %s: there is no topic of %q", s.Name, publisher)
		}
		if !slices.ContainsFunc(s.consuming.Topics, func(known bus.Topic) bool { return known.Name == topic.Name }) {
			s.consuming.Topics = append(s.consuming.Topics, topic)
		}
	}
	own := s.consuming.Handlers
	s.consuming.Handlers = maps.Clone(handlers)
	for eventType, handler := range own {
		theirs, ok := handlers[eventType]
		if !ok {
			theirs, ok = handlers[inbox.Any]
		}
		if ok {
			handler = oneByOne(theirs, handler)
		}
		s.consuming.Handlers[eventType] = handler
	}
	s.consuming.Single = append(s.consuming.Single, single...)
	return nil
}

// oneByOne gives events to one handler and then to another.
func oneByOne(first, second inbox.Handler) inbox.Handler {
	return func(ctx context.Context, tx *pg.Tx, events []bus.Event) error {
		if err := first(ctx, tx, events); err != nil {
			return err
		}
		return second(ctx, tx, events)
	}
}

// Remember makes the consumer apply events of these types also when they are of an organization that was erased here.
func (s *Service) Remember(types ...string) {
	s.consuming.Remembered = append(s.consuming.Remembered, types...)
}
