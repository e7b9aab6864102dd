// Package consumer turns every event of the other services into a record, and the comings and goings of members into
// what decides who sees records of persons. It refuses no event: one that this version can't read is recorded without
// its payload.
package consumer

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/sensitive"
	"github.com/braidhq/braid/services/audit/internal/app"
	"github.com/braidhq/braid/services/audit/internal/domain"
)

// maxText bounds what is kept of one attribute, in bytes. All that Braid writes is shorter; an index takes no more than
// some two thousand, and an event that is too long for one must be recorded all the same.
const maxText = 256

// Sources lists the services whose events are recorded: all that publish but the audit itself.
func Sources(topics map[string]bus.Topic, self string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(topics)), func(name string) bool { return name == self })
}

// Recorder is the handlers with what they need.
type Recorder struct {
	app        *app.App
	logger     *slog.Logger
	unreadable prometheus.Counter
}

// New returns a recorder over the use cases.
func New(app *app.App, logger *slog.Logger, registerer prometheus.Registerer) *Recorder {
	unreadable := promauto.With(registerer).NewCounter(prometheus.CounterOpts{
		Name: "braid_audit_unreadable_payloads_total",
		Help: "Events that were recorded without their payload, because this version could not read it.",
	})
	return &Recorder{app: app, logger: logger, unreadable: unreadable}
}

// Handlers returns the handlers by event type: one for all, so that a whole batch is recorded at once.
func (r *Recorder) Handlers() map[string]inbox.Handler {
	return map[string]inbox.Handler{inbox.Any: r.record}
}

func (r *Recorder) record(ctx context.Context, tx *pg.Tx, events []bus.Event) error {
	occurrences := make([]app.Occurrence, 0, len(events))
	var changes []domain.MembershipChange
	for _, event := range events {
		err := inbox.Enter(ctx, event, func(ctx context.Context) error {
			change, isChange, err := membershipChangeOf(event)
			if err != nil {
				return err
			}
			if isChange {
				changes = append(changes, change)
			}
			occurrences = append(occurrences, app.Occurrence{Fact: factOf(event), Body: r.bodyOf(ctx, event)})
			return nil
		})
		if err != nil {
			return err
		}
	}
	return r.app.Record(ctx, tx, occurrences, changes)
}

func factOf(event bus.Event) domain.Fact {
	resource := domain.ParseResource(event.Subject)
	fact := domain.Fact{
		EventID: event.ID, OrganizationID: event.OrganizationID,
		Action: clean(event.Type), ActorKind: string(event.Actor.Kind), ActorID: event.Actor.UserID, CredentialID: event.Actor.CredentialID,
		ImpersonatorID: event.Actor.ImpersonatorID,
		Resource:       domain.Resource{Type: clean(resource.Type), ID: clean(resource.ID)},
		Source:         clean(strings.TrimPrefix(event.Source, bus.Source(""))), CorrelationID: clean(event.CorrelationID), OccurredAt: event.Time,
	}
	if event.Source == bus.Source("identity") && event.OrganizationID.IsZero() {
		// Identity's events are in order by the user they are about. A key that is no id names nobody.
		fact.PersonID, _ = id.Parse(string(event.Key))
	}
	return fact
}

func (r *Recorder) bodyOf(ctx context.Context, event bus.Event) domain.Body {
	body := domain.Body{ClientAddress: event.ClientAddress}
	message, err := sensitive.Decode(event.Schema, event.Data)
	if err == nil {
		body.Payload, err = protojson.Marshal(message)
	}
	if err != nil {
		r.unreadable.Inc()
		r.logger.WarnContext(ctx, "event recorded without its payload", slog.String("event_id", event.ID.String()),
			slog.String("type", event.Type), slog.String("schema", event.Schema), slog.String("cause", err.Error()))
		body.Payload = nil
	}
	return body
}

// clean makes a text one that the database takes and an index holds.
func clean(text string) string {
	text = strings.ReplaceAll(text, "\x00", string(utf8.RuneError))
	if len(text) <= maxText {
		return text
	}
	end := maxText
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}
