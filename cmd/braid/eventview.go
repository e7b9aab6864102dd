package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/sensitive"
)

// brokerFor finds the broker for tools: the configured one, else that of the up that runs on the data directory.
func brokerFor(s *settings, flags *pflag.FlagSet) (bus.Connection, error) {
	if err := s.load(flags, need{}); err != nil {
		return bus.Connection{}, err
	}
	if len(s.Kafka.Brokers) > 0 {
		return s.Kafka.connection(), nil
	}
	connection, err := bus.ReadClientConfig(s.Process.DataDir)
	if err != nil {
		return bus.Connection{}, fmt.Errorf("find the broker: set BRAID_KAFKA_BROKERS, or name the data directory of a running up with --data-dir: %w", err)
	}
	return connection, nil
}

// shownEvent is an event as tools print it: no sensitive field, no credential.
type shownEvent struct {
	Time           time.Time       `json:"time,omitzero"`
	Type           string          `json:"type"`
	ID             string          `json:"id"`
	Subject        string          `json:"subject,omitempty"`
	OrganizationID string          `json:"organizationId,omitempty"`
	ActorKind      string          `json:"actorKind,omitempty"`
	ActorID        string          `json:"actorId,omitempty"`
	CredentialID   string          `json:"credentialId,omitempty"`
	ImpersonatorID string          `json:"impersonatorId,omitempty"`
	CorrelationID  string          `json:"correlationId,omitempty"`
	Topic          string          `json:"topic"`
	Partition      int32           `json:"partition"`
	Offset         int64           `json:"offset"`
	Data           json.RawMessage `json:"data,omitempty"`
	Problem        string          `json:"problem,omitempty"`
}

func showEvent(event bus.Event, problem error) shownEvent {
	shown := shownEvent{
		Time: event.Time, Type: event.Type, Subject: event.Subject, OrganizationID: event.OrganizationID.String(),
		ActorKind: string(event.Actor.Kind), ActorID: event.Actor.UserID.String(), CredentialID: event.Actor.CredentialID.String(),
		ImpersonatorID: event.Actor.ImpersonatorID.String(), CorrelationID: event.CorrelationID,
		Topic: event.Topic, Partition: event.Partition, Offset: event.Offset, ID: event.ID.String(),
	}
	if problem == nil {
		shown.Data, problem = encodePayload(event)
	}
	if problem != nil {
		shown.Problem = problem.Error()
	}
	return shown
}

func encodePayload(event bus.Event) (json.RawMessage, error) {
	message, err := sensitive.Decode(event.Schema, event.Data)
	if err != nil {
		return nil, err
	}
	data, err := protojson.Marshal(message)
	if err != nil {
		return nil, errors.New("the payload has no JSON form")
	}
	// protojson varies its white space on purpose; people compare lines.
	var compact json.RawMessage
	if err := json.Unmarshal(data, &compact); err != nil {
		return nil, errors.New("the payload has no JSON form")
	}
	return compact, nil
}

// printEvent writes one event: colored for a terminal, else as one line of JSON.
func printEvent(out io.Writer, shown shownEvent, color bool) error {
	if !color {
		line, err := json.Marshal(shown)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, string(line))
		return err
	}
	_, err := fmt.Fprintf(out, "\x1b[2m%s\x1b[0m \x1b[36m%-34s\x1b[0m %s \x1b[2m%s\x1b[0m\n    %s%s\n",
		shown.Time.Format("15:04:05.000"), shown.Type, shown.Subject, shown.CorrelationID, shown.Data, shown.Problem)
	return err
}
