package kill_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/test/client"
	"github.com/braidhq/braid/test/deployment"
)

const (
	// settleTimeout bounds the wait for effects, with half of the run's own time: reading what a long run wrote takes long.
	// What is not there by then is lost.
	settleTimeout = 4 * time.Minute
	settlePoll    = 250 * time.Millisecond
)

// findings are what is there at the end, read from outside.
type findings struct {
	wire       *wire
	taskEvents []taskEvent
	deliveries []delivery
	// records are the audit trails, by organization.
	records map[string][]record
	// notices counts what is in people's inboxes.
	notices map[notice]int
	// tasks and comments are what the lists answer, by id.
	tasks    map[string]*workflowv1.Task
	comments map[string]*workflowv1.Comment
	mailbox  mailbox
}

// look waits until every effect is there that must be, or for a time after the run that took so long, and reads all of it.
func look(t *testing.T, running *deployment.Deployment, connection bus.Connection, tenants []*tenant, ledger *ledger, took time.Duration) *findings {
	t.Helper()
	timeout := settleTimeout + took/2
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	speaker := client.New(running.URL, running.AdminURL)
	begun, last := time.Now(), ""
	for {
		found, err := readEffects(t.Context(), speaker, connection, tenants, timeout)
		missing := ""
		if err == nil {
			missing = found.missing(tenants, ledger)
		}
		if err == nil && (missing == "" || ctx.Err() != nil) {
			t.Logf("settled in %s; missing: %q; before: %q", time.Since(begun).Round(time.Millisecond), missing, last)
			require.NoError(t, found.readState(t.Context(), speaker, tenants, ledger))
			require.NoError(t, found.mailbox.read(t.Context(), speaker, mailboxSize(t)))
			return found
		}
		if ctx.Err() != nil {
			require.NoError(t, err)
		}
		last = missing
		_ = clock.Sleep(ctx, settlePoll)
	}
}

// readEffects reads what the writes have caused.
func readEffects(ctx context.Context, speaker *client.Client, connection bus.Connection, tenants []*tenant, timeout time.Duration) (*findings, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	found := &findings{
		records: map[string][]record{}, notices: map[notice]int{}, tasks: map[string]*workflowv1.Task{},
		comments: map[string]*workflowv1.Comment{},
	}
	var err error
	if found.wire, err = readWire(ctx, connection); err != nil {
		return nil, err
	}
	if found.taskEvents, err = found.wire.taskEvents(); err != nil {
		return nil, err
	}
	if found.deliveries, err = found.wire.deliveries(); err != nil {
		return nil, err
	}
	for _, tenant := range tenants {
		if err := found.readTrail(ctx, speaker, tenant); err != nil {
			return nil, err
		}
		for _, person := range tenant.people {
			if err := found.readInbox(ctx, speaker, person); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// record is what an audit record says of its event. A long run has hundreds of thousands: their payloads are not kept.
type record struct {
	eventID, action, correlationID, actorID, resource string
}

func (f *findings) readTrail(ctx context.Context, speaker *client.Client, tenant *tenant) error {
	return readList(ctx, speaker, tenant.owner, tenant.path+"/audit-events", "auditEvents", func(item map[string]any) error {
		f.records[tenant.id] = append(f.records[tenant.id], record{
			eventID: textOf(item, "eventId"), action: textOf(item, "action"), correlationID: textOf(item, "correlationId"),
			actorID: textOf(item, "actorId"), resource: textOf(item, "resourceType") + "/" + textOf(item, "resourceId"),
		})
		return nil
	})
}

func (f *findings) readInbox(ctx context.Context, speaker *client.Client, person *client.Person) error {
	return readList(ctx, speaker, person, "/api/v1/me/notifications", "notifications", func(item map[string]any) error {
		at, err := time.Parse(time.RFC3339Nano, textOf(item, "createTime"))
		if err != nil {
			return fmt.Errorf("read a notification: %w", err)
		}
		f.notices[notice{person.ID, textOf(item, "kind"), textOf(item, "taskId"), textOf(item, "actorId"), at.UnixMicro()}]++
		return nil
	})
}

// readState reads the tasks of every project, and the comments of every task that somebody has commented.
func (f *findings) readState(ctx context.Context, speaker *client.Client, tenants []*tenant, ledger *ledger) error {
	for _, tenant := range tenants {
		for _, project := range tenant.projects {
			err := readList(ctx, speaker, tenant.owner, tenant.path+"/projects/"+project+"/tasks", "tasks", func(item map[string]any) error {
				task := &workflowv1.Task{}
				if err := decode(item, task); err != nil {
					return err
				}
				if f.tasks[task.GetId()] != nil {
					return fmt.Errorf("the list shows task %s twice", task.GetId())
				}
				f.tasks[task.GetId()] = task
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	commented := map[string]*tenant{}
	for _, done := range ledger.acknowledged {
		if done.comment != nil {
			commented[done.comment.GetTaskId()] = done.tenant
		}
	}
	for taskID, tenant := range commented {
		err := readList(ctx, speaker, tenant.owner, tenant.path+"/tasks/"+taskID+"/comments", "comments", func(item map[string]any) error {
			comment := &workflowv1.Comment{}
			if err := decode(item, comment); err != nil {
				return err
			}
			if f.comments[comment.GetId()] != nil {
				return fmt.Errorf("the list shows comment %s twice", comment.GetId())
			}
			f.comments[comment.GetId()] = comment
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// decode reads an item of a JSON list as what the contract calls it.
func decode(item map[string]any, message proto.Message) error {
	encoded, err := json.Marshal(item)
	if err != nil {
		return err
	}
	return protojson.Unmarshal(encoded, message)
}

// missing says what must still come, or nothing. Doubles are for later: they don't go away.
func (f *findings) missing(tenants []*tenant, ledger *ledger) string {
	told := map[string]bool{}
	for _, event := range f.taskEvents {
		told[event.CorrelationID] = true
	}
	for _, done := range ledger.acknowledged {
		if !told[done.correlationID] {
			return fmt.Sprintf("the event of %s is not on its topic", done.correlationID)
		}
	}
	for wanted, count := range notices(f.taskEvents) {
		if f.notices[wanted] < count {
			return fmt.Sprintf("the notification %+v has not come", wanted)
		}
	}
	if ended, wanted := len(f.deliveries), f.mailsWanted(tenants); ended < wanted {
		return fmt.Sprintf("%d of %d mails are sent", ended, wanted)
	}
	for _, tenant := range tenants {
		recorded := map[string]bool{}
		for _, record := range f.records[tenant.id] {
			recorded[record.eventID] = true
		}
		for _, event := range f.wire.events {
			if event.OrganizationID.String() == tenant.id && !recorded[event.ID.String()] {
				return fmt.Sprintf("event %s (%s) has no audit record", event.ID, event.Type)
			}
		}
	}
	return ""
}

func textOf(item map[string]any, key string) string {
	text, _ := item[key].(string)
	return text
}
