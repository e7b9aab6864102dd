package domain

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

var (
	noon     = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	statuses = []Status{Todo, InProgress, InReview, Done, Cancelled}
)

func TestMovesAreExactlyThose(t *testing.T) {
	t.Parallel()
	var allowed []string
	for _, from := range statuses {
		for _, to := range statuses {
			task := Task{Status: from}
			err := task.Move(to, noon)
			if err == nil {
				require.Equal(t, to, task.Status)
				allowed = append(allowed, string(from)+" → "+string(to))
				continue
			}
			require.ErrorIs(t, err, ErrTransitionNotAllowed)
			require.Equal(t, from, task.Status)
		}
	}
	require.Equal(t, []string{
		"todo → in_progress", "todo → cancelled",
		"in_progress → todo", "in_progress → in_review", "in_progress → cancelled",
		"in_review → in_progress", "in_review → done", "in_review → cancelled",
		"done → in_progress",
		"cancelled → todo",
	}, allowed)
}

func TestRefusedMovesSayWhatIsAllowed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		task := Task{Status: Todo}
		for _, to := range rapid.SliceOfN(rapid.SampledFrom(statuses), 1, 30).Draw(t, "moves") {
			before := task.Status
			err := task.Move(to, noon)
			if err == nil {
				require.Contains(t, before.Allowed(), task.Status)
				continue
			}
			refusal := errs.From(err)
			require.Equal(t, string(before), refusal.Metadata["status"])
			for name := range strings.SplitSeq(refusal.Metadata["allowed"], ",") {
				next, err := ParseStatus(name)
				require.NoError(t, err)
				attempt := task
				require.NoError(t, attempt.Move(next, noon))
				require.NotEqual(t, to, next)
			}
		}
	})
}

func TestEveryStatusHasAWayOut(t *testing.T) {
	t.Parallel()
	for _, status := range statuses {
		require.NotEmpty(t, status.Allowed(), status)
	}
	_, err := ParseStatus("blocked")
	require.Equal(t, errs.InvalidArgument, errs.KindOf(err))
}

func TestLabelsAreASet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		given := rapid.SliceOfN(rapid.SampledFrom([]string{"a", " a", "b", "b ", "ä", "z", "A"}), 0, 20).Draw(t, "labels")
		task, err := NewTask(id.New(), id.New(), id.New(), draftOf(TaskContent{Title: "x", Labels: given}), noon)
		require.NoError(t, err)
		require.NotNil(t, task.Labels)
		require.True(t, slices.IsSorted(task.Labels))
		require.Equal(t, slices.Compact(slices.Clone(task.Labels)), task.Labels)
		for _, label := range given {
			require.Contains(t, task.Labels, strings.TrimSpace(label))
		}
		slices.Reverse(given)
		changed, err := task.Update(patchOf(TaskContent{Labels: given}, "labels"), noon.Add(time.Hour))
		require.NoError(t, err)
		require.Empty(t, changed, "another order is no change")
	})
}

func draftOf(content TaskContent) TaskDraft { return TaskDraft{TaskContent: content} }

func patchOf(content TaskContent, fields ...string) TaskPatch {
	return TaskPatch{TaskContent: content, Has: func(field string) bool { return slices.Contains(fields, field) }}
}

func TestTaskUpdateNamesWhatChanged(t *testing.T) {
	t.Parallel()
	task, err := NewTask(id.New(), id.New(), id.New(), draftOf(TaskContent{Title: "Paint", DueTime: noon}), noon)
	require.NoError(t, err)
	require.Equal(t, Normal, task.Priority)
	later := noon.Add(time.Hour)
	sent := TaskContent{Title: "Draw", DueTime: noon.In(time.FixedZone("x", 3600)), Labels: []string{"not", "meant"}}
	changed, err := task.Update(patchOf(sent, "title", "description", "due_time", "priority"), later)
	require.NoError(t, err)
	require.Equal(t, []string{"title"}, changed)
	require.Equal(t, later, task.UpdateTime)
	before := task
	_, err = task.Update(patchOf(TaskContent{Title: " "}, "title"), later)
	require.Equal(t, errs.InvalidArgument, errs.KindOf(err))
	require.Equal(t, before, task, "a refused update changes nothing")
}

func TestParticipantsAreSortedAndOnce(t *testing.T) {
	t.Parallel()
	people := []id.ID{id.New(), id.New(), id.New()}
	rapid.Check(t, func(t *rapid.T) {
		person := rapid.SampledFrom(people)
		task := Task{ReporterID: person.Draw(t, "reporter")}
		wanted := map[id.ID]bool{task.ReporterID: true}
		if rapid.Bool().Draw(t, "assigned") {
			task.AssigneeID = person.Draw(t, "assignee")
			wanted[task.AssigneeID] = true
		}
		for _, commenter := range rapid.SliceOfN(person, 0, 6).Draw(t, "commenters") {
			task.AddCommenter(commenter)
			wanted[commenter] = true
		}
		got := task.ParticipantIDs()
		require.Len(t, got, len(wanted))
		require.True(t, slices.IsSortedFunc(got, func(a, b id.ID) int { return strings.Compare(a.String(), b.String()) }))
		for _, participant := range got {
			require.True(t, wanted[participant])
		}
	})
}

func TestETag(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64Min(0).Draw(t, "a"), rapid.Int64Min(0).Draw(t, "b")
		require.NoError(t, CheckETag("", a))
		require.NoError(t, CheckETag(ETag(a), a))
		if a != b {
			err := CheckETag(ETag(a), b)
			require.ErrorIs(t, err, errs.ErrETagMismatch)
			require.Equal(t, ETag(b), errs.From(err).Metadata["etag"])
		}
	})
}

func TestEachOwnChangeOfAProjectTakesOneRevision(t *testing.T) {
	t.Parallel()
	project, err := NewProject(id.New(), id.New(), "WEB", "Site", "", noon)
	require.NoError(t, err)
	name := "Shop"
	changed, err := project.Update(ProjectPatch{DisplayName: &name}, noon)
	require.NoError(t, err)
	require.True(t, changed)
	require.EqualValues(t, 1, project.Revision)
	project.NextRevision() // A task's.
	require.True(t, project.Archive(noon))
	require.EqualValues(t, 3, project.Revision)
	require.EqualValues(t, 3, project.OwnRevision)
	require.False(t, project.Archive(noon))
	_, err = project.Update(ProjectPatch{DisplayName: &name}, noon)
	require.ErrorIs(t, err, ErrProjectArchived)
	require.True(t, project.Unarchive(noon))
	require.False(t, project.Unarchive(noon))
	require.EqualValues(t, 4, project.Revision)
}
