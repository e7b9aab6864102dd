package access_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/access"
)

// The worlds of a run, in as many parts as run at the same time.
const (
	worlds = 100_000
	parts  = 4
)

// TestAgreesWithNaive holds what is fast against what is obviously right, in other worlds each time.
func TestAgreesWithNaive(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	for part := range uint64(parts) {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			var allowed, listed int
			for number := part; number < worlds; number += parts {
				a, l := checkWorld(t, seed, number)
				allowed, listed = allowed+a, listed+l
			}
			// Worlds in which everything is refused would prove nothing.
			require.Greater(t, allowed, worlds/parts/5)
			require.Greater(t, listed, worlds/parts/5)
		})
	}
}

// checkWorld asks one world a few questions, and returns how many were answered with yes.
func checkWorld(t testing.TB, seed, number uint64) (allowed, listed int) {
	random := rand.New(rand.NewPCG(seed, number))
	w := newWorld(t, random, sharedLanguage())
	for range 4 {
		question := newQuestion(random)
		about := func() string {
			return fmt.Sprintf("world %d of seed %d\n%vquestion %+v about %+v", number, seed, w, *question, question.Resource)
		}
		decision := w.holdings.Decide(question)
		if want := (naive{w}).decides(question); decision.Allowed != want {
			require.Equal(t, want, decision.Allowed, about())
		}
		if decision.Allowed {
			allowed++
			require.NotNil(t, decision.By)
		}
		checkExplanation(t, w.holdings.Explain(question), decision, about)
		listed += checkReach(t, random, w, question, about)
	}
	return allowed, listed
}

// checkExplanation holds an explanation against the decision: ways that hold are there just when they decide.
func checkExplanation(t testing.TB, explanation access.Explanation, decision access.Decision, about func() string) {
	holding := map[bool]int{}
	for _, way := range explanation.Ways {
		if way.Holds {
			holding[way.Denies]++
		}
		if way.Holds == (len(way.Obstacles) > 0) || len(way.Roles) == 0 || way.Roles[0].RoleID != way.Assignment.RoleID {
			require.Failf(t, "a way contradicts itself", "%+v\n%s", way, about())
		}
	}
	if explanation.Decision != decision || decision.Allowed != (holding[false] > 0 && holding[true] == 0) ||
		!decision.Allowed && (decision.By != nil) != (holding[false] > 0) {
		require.Failf(t, "the explanation contradicts the decision", "%+v\n%s", explanation, about())
	}
}

// checkReach asks for the list of which the question's resource tells a part, and for resources that could be in it.
func checkReach(t testing.TB, random *rand.Rand, w *world, question *access.Question, about func() string) (listed int) {
	asked := *question
	if question.Resource != nil {
		told := *question.Resource
		for _, attribute := range []*string{&told.Type, &told.ID, &told.ProjectID, &told.OwnerID} {
			if random.IntN(2) == 0 {
				*attribute = ""
			}
		}
		asked.Resource = &told
	}
	reach := w.holdings.Reach(&asked)
	for range 4 {
		single := asked
		single.Resource = newResource(random)
		if told := asked.Resource; told != nil {
			for to, from := range map[*string]string{
				&single.Resource.Type: told.Type, &single.Resource.ID: told.ID,
				&single.Resource.ProjectID: told.ProjectID, &single.Resource.OwnerID: told.OwnerID,
			} {
				if from != "" {
					*to = from
				}
			}
		}
		want, got := w.holdings.Decide(&single).Allowed, reach.Contains(single.Resource)
		if want != got || got && reach.Nothing() || !got && reach.Everything() {
			require.Equal(t, want, got, "of a list: %+v\n%s", single.Resource, about())
		}
		if got {
			listed++
		}
	}
	return listed
}
