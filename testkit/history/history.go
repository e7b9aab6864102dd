// Package history writes down calls that are made at once, and asks porcupine whether they were answered as if they had
// been made one after the other. It is for tests only.
package history

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// checkTimeout bounds the search for an order; a history of a hundred calls takes milliseconds.
const checkTimeout = time.Minute

// History is what happened: which calls, when each began and ended, and how it was answered.
type History struct {
	begin time.Time

	mu         sync.Mutex
	operations []porcupine.Operation
}

// Run lets so many clients act at once and returns all that they called. act is one client's part: it makes its calls by
// call, one after the other.
func Run(clients int, act func(client int, call func(input any, answer func() any))) *History {
	h := &History{begin: time.Now()}
	start := make(chan struct{})
	var group sync.WaitGroup
	for client := range clients {
		group.Go(func() {
			<-start
			act(client, func(input any, answer func() any) { h.add(client, input, answer) })
		})
	}
	close(start)
	group.Wait()
	return h
}

func (h *History) add(client int, input any, answer func() any) {
	called := time.Since(h.begin).Nanoseconds()
	output := answer()
	returned := time.Since(h.begin).Nanoseconds()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.operations = append(h.operations, porcupine.Operation{ClientId: client, Input: input, Call: called, Output: output, Return: returned})
}

// Operations returns a copy of the calls, in the order of their answers.
func (h *History) Operations() []porcupine.Operation { return slices.Clone(h.operations) }

// RequireLinearizable fails the test unless there is an order of the calls in which the model answers each as it was
// answered, and no call comes before one that had ended when it began.
func RequireLinearizable(t testing.TB, model porcupine.Model, operations []porcupine.Operation) {
	t.Helper()
	if porcupine.CheckOperationsTimeout(model, operations, checkTimeout) == porcupine.Ok {
		return
	}
	for _, operation := range operations {
		t.Logf("client %d, %d to %d: %+v -> %+v", operation.ClientId, operation.Call, operation.Return, operation.Input, operation.Output)
	}
	require.Fail(t, "the calls were not answered as if made one after the other")
}

// RequireForged fails the test if the model believes a history in which one answer was forged: a model that takes
// everything would prove nothing. forge returns what the answer of a call becomes, or false to leave the call alone; the
// first that it changes is the only one.
func RequireForged(t testing.TB, model porcupine.Model, operations []porcupine.Operation, forge func(porcupine.Operation) (any, bool)) {
	t.Helper()
	for i, operation := range operations {
		forged, ok := forge(operation)
		if !ok {
			continue
		}
		altered := slices.Clone(operations)
		altered[i].Output = forged
		require.NotEqual(t, porcupine.Ok, porcupine.CheckOperationsTimeout(model, altered, checkTimeout), "a forged answer was believed")
		return
	}
	require.Fail(t, "no answer could be forged")
}
