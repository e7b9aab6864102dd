package history_test

import (
	"sync/atomic"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/testkit/history"
)

// counter answers each call with how many there were before it.
var counter = porcupine.Model{
	Init: func() any { return int64(0) },
	Step: func(before, _, output any) (bool, any) { return before == output, before.(int64) + 1 },
}

func TestOrderIsFoundOnlyWhereThereIsOne(t *testing.T) {
	t.Parallel()
	var count atomic.Int64
	operations := history.Run(4, func(_ int, call func(any, func() any)) {
		for range 5 {
			call(nil, func() any { return count.Add(1) - 1 })
		}
	}).Operations()
	require.Len(t, operations, 20)
	history.RequireLinearizable(t, counter, operations)
	history.RequireForged(t, counter, operations, func(operation porcupine.Operation) (any, bool) {
		return int64(0), operation.Output != int64(0)
	})
	// Both are answers of some order, but not of the order in which they were given.
	require.False(t, porcupine.CheckOperations(counter, []porcupine.Operation{
		{ClientId: 0, Call: 1, Return: 2, Output: int64(1)}, {ClientId: 1, Call: 3, Return: 4, Output: int64(0)},
	}))
}
