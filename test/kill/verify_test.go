package kill_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"google.golang.org/protobuf/proto"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
)

const shownProblems = 10

// problems are what one check has found wrong.
type problems []string

// check holds what was found against what was acknowledged.
type check func([]*tenant, *ledger) problems

func (p *problems) add(format string, arguments ...any) {
	*p = append(*p, fmt.Sprintf(format, arguments...))
}

// report prints the counts.
func (f *findings) report(t *testing.T) {
	records, told, mails, repeated := 0, 0, 0, 0
	for _, trail := range f.records {
		records += len(trail)
	}
	for _, count := range f.notices {
		told += count
	}
	for _, count := range f.mailbox.mails {
		mails += count
		if count > 1 {
			repeated++
		}
	}
	t.Logf("%d events on the topics in %d records (%d doubles on the wire), %d dead letters; %d audit records; %d notifications; %d mails sent, %d in the mailbox%s, %d of them more than once; %d tasks, %d comments",
		len(f.wire.events), f.wire.records, f.wire.doubles, f.wire.deadLetters, records, told, len(f.deliveries), mails, f.mailbox.reach(), repeated, len(f.tasks), len(f.comments))
}

// verify runs all checks.
func (f *findings) verify(t *testing.T, tenants []*tenant, ledger *ledger) {
	for _, rule := range []struct {
		name  string
		check check
	}{
		{"every acknowledged write is there as it was acknowledged, and no other", f.checkState},
		{"numbers are gapless", f.checkNumbers},
		{"every acknowledged write has exactly one event, with what was acknowledged", f.checkEvents},
		{"events of one key are in order", f.checkOrder},
		{"every event has exactly one audit record", f.checkRecords},
		{"every notification is there exactly once", f.checkNotices},
		{"every mail ends exactly once", f.checkMails},
	} {
		found := rule.check(tenants, ledger)
		assert.Empty(t, found[:min(shownProblems, len(found))], "%s: %d problems", rule.name, len(found))
	}
	assert.Zero(t, f.wire.deadLetters, "events were given up")
}

func (f *findings) checkState(_ []*tenant, ledger *ledger) (found problems) {
	tasks, comments := map[string]*workflowv1.Task{}, map[string]*workflowv1.Comment{}
	for _, done := range ledger.acknowledged {
		if done.comment != nil {
			comments[done.comment.GetId()] = done.comment
			continue
		}
		if done.event == taskCreated && tasks[done.task.GetId()] != nil {
			found.add("task %s was created twice", done.task.GetId())
		}
		tasks[done.task.GetId()] = done.task
	}
	for taskID, wanted := range tasks {
		if !proto.Equal(wanted, f.tasks[taskID]) {
			found.add("acknowledged was %v, there is %v", wanted, f.tasks[taskID])
		}
	}
	for taskID, there := range f.tasks {
		if tasks[taskID] == nil {
			found.add("nobody was told of %v", there)
		}
	}
	for commentID, wanted := range comments {
		if !proto.Equal(wanted, f.comments[commentID]) {
			found.add("acknowledged was %v, there is %v", wanted, f.comments[commentID])
		}
	}
	for commentID, there := range f.comments {
		if comments[commentID] == nil {
			found.add("nobody was told of %v", there)
		}
	}
	return found
}

func (f *findings) checkNumbers(tenants []*tenant, _ *ledger) (found problems) {
	numbers := map[string][]int32{}
	for _, task := range f.tasks {
		numbers[task.GetProjectId()] = append(numbers[task.GetProjectId()], task.GetNumber())
	}
	for _, tenant := range tenants {
		for _, project := range tenant.projects {
			slices.Sort(numbers[project])
			for i, number := range numbers[project] {
				if number != int32(i+1) {
					found.add("project %s: number %d where %d belongs", project, number, i+1)
					break
				}
			}
		}
	}
	return found
}

func (f *findings) checkEvents(_ []*tenant, ledger *ledger) (found problems) {
	events := map[string][]taskEvent{}
	for _, event := range f.taskEvents {
		events[event.CorrelationID] = append(events[event.CorrelationID], event)
	}
	for _, done := range ledger.acknowledged {
		caused := events[done.correlationID]
		delete(events, done.correlationID)
		if len(caused) != 1 {
			found.add("%s has %d events", done.correlationID, len(caused))
			continue
		}
		event := caused[0]
		if event.Type != done.event || event.OrganizationID.String() != done.tenant.id || string(event.Key) != done.tenant.id {
			found.add("%s is %s of organization %s with key %s", done.correlationID, event.Type, event.OrganizationID, event.Key)
		}
		var told proto.Message = event.task
		if done.comment != nil {
			told = event.comment
		}
		if !proto.Equal(told, done.resource()) {
			found.add("%s: acknowledged was %v, its event says %v", done.correlationID, done.resource(), told)
		}
	}
	for correlationID, caused := range events {
		found.add("%d events of %s, which nobody was told of", len(caused), correlationID)
	}
	return found
}

// checkOrder holds the first occurrence of each event against the order of the answers: for a task that of its one
// writer, with comments behind its creation, and for a project that of its numbers.
func (f *findings) checkOrder(_ []*tenant, ledger *ledger) (found problems) {
	position, partition := map[string]int{}, map[string]int32{}
	created, newest := map[string]int{}, map[string]int32{}
	for i, event := range f.taskEvents {
		position[event.CorrelationID] = i
		organizationID := event.OrganizationID.String()
		if known, ok := partition[organizationID]; ok && known != event.Partition {
			found.add("events of organization %s are on partitions %d and %d", organizationID, known, event.Partition)
		}
		partition[organizationID] = event.Partition
		switch {
		case event.Type == taskCreated:
			created[event.task.GetId()] = i
			if last := newest[event.task.GetProjectId()]; event.task.GetNumber() != last+1 {
				found.add("task %d of project %s follows task %d", event.task.GetNumber(), event.task.GetProjectId(), last)
			}
			newest[event.task.GetProjectId()] = event.task.GetNumber()
		default:
			if at, ok := created[event.task.GetId()]; !ok || at > i {
				found.add("%s of %s comes before its task", event.Type, event.CorrelationID)
			}
		}
	}
	last := map[string]*operation{}
	for _, done := range ledger.acknowledged {
		if done.comment != nil {
			continue
		}
		before := last[done.task.GetId()]
		if before != nil && position[before.correlationID] >= position[done.correlationID] {
			found.add("%s comes before %s, which was answered earlier", done.correlationID, before.correlationID)
		}
		last[done.task.GetId()] = done
	}
	return found
}

func (f *findings) checkRecords(tenants []*tenant, _ *ledger) (found problems) {
	for _, tenant := range tenants {
		records := map[string][]record{}
		for _, record := range f.records[tenant.id] {
			records[record.eventID] = append(records[record.eventID], record)
		}
		for _, event := range f.wire.events {
			eventID := event.ID.String()
			kept := records[eventID]
			delete(records, eventID)
			// Identity's events are in the trail while the person was a member; whether they must be, the suites of
			// audit say. Here it counts that none is there twice.
			outside := event.OrganizationID.IsZero()
			switch {
			case len(kept) > 1 || (!outside && event.OrganizationID.String() == tenant.id && len(kept) != 1):
				found.add("event %s (%s) has %d records in organization %s", eventID, event.Type, len(kept), tenant.id)
			case len(kept) == 1 && !outside && event.OrganizationID.String() != tenant.id:
				found.add("event %s of another organization is in the trail of %s", eventID, tenant.id)
			case len(kept) == 1 && kept[0] != record{eventID, event.Type, event.CorrelationID, event.Actor.UserID.String(), event.Subject}:
				found.add("event %s (%s, %s) is recorded as %v", eventID, event.Type, event.Subject, kept[0])
			}
		}
		for eventID := range records {
			found.add("the record of event %s in organization %s has no event on the topics", eventID, tenant.id)
		}
	}
	return found
}

func (f *findings) checkNotices([]*tenant, *ledger) (found problems) {
	wanted := notices(f.taskEvents)
	for notice, count := range wanted {
		if f.notices[notice] != count {
			found.add("%+v is there %d times, not %d", notice, f.notices[notice], count)
		}
	}
	for notice := range f.notices {
		if wanted[notice] == 0 {
			found.add("%+v has no event", notice)
		}
	}
	return found
}
