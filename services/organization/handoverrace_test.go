package organization

import (
	"math/rand/v2"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/testkit/history"
)

// handover is where an organization stands: who its one owner is, and to whom ownership is offered.
type handover struct{ owner, offered int }

const nobody = -1

// handoverStep is what somebody does: offer to another, take the offer back, or accept it.
type handoverStep struct {
	what          string
	actor, target int
}

// handoverModel says how each step must be answered, had there been no two at once.
var handoverModel = porcupine.Model{
	Init: func() any { return handover{owner: 0, offered: nobody} },
	Step: func(before, input, output any) (bool, any) {
		now, step := before.(handover), input.(handoverStep)
		if step.what == "accept" {
			if now.offered != step.actor {
				return output == "TRANSFER_NOT_PENDING", now
			}
			return output == done, handover{owner: step.actor, offered: nobody}
		}
		switch {
		case step.actor != now.owner:
			// The chain says the first, and the use case the others to who has handed over after the chain had let them
			// through: there is nothing to take back then, or nothing that they could give.
			late := output == "GRANT_EXCEEDS_OWN" || step.what == "cancel" && now.offered == nobody && output == "TRANSFER_NOT_PENDING"
			return output == "PERMISSION_DENIED" || late, now
		case step.what == "cancel" && now.offered == nobody:
			return output == "TRANSFER_NOT_PENDING", now
		case step.what == "cancel":
			return output == done, handover{owner: now.owner, offered: nobody}
		case step.target == now.owner:
			return output == "TRANSFER_IMPOSSIBLE", now
		}
		return output == done, handover{owner: now.owner, offered: step.target}
	},
}

// Ownership that is offered, taken back and accepted, all at once in two processes, goes from one to the next as if one
// after the other: there is one owner at every moment, and nobody accepts what was not offered to them.
func TestHandingOverAtOnceIsLinearizable(t *testing.T) {
	t.Parallel()
	const people, clients, stepsEach, rounds = 3, 6, 8, 4
	bundle := setup(t)
	processes := []*testBundle{bundle, bundle.twin(t)}
	staff := []person{bundle.meet("ada"), bundle.meet("ben"), bundle.meet("cleo")}
	processes[1].known(staff...)
	accepted := 0
	for range rounds {
		organizationID, path := bundle.found(t, staff[0], "Acme")
		for _, another := range staff[1:] {
			bundle.join(t, staff[0], path, another, "admin")
		}
		operations := history.Run(clients, func(client int, call func(any, func() any)) {
			process := processes[client%len(processes)]
			for range stepsEach {
				step := handoverStep{what: "offer", actor: rand.N(people), target: rand.N(people)}
				switch rand.N(8) {
				case 0:
					step = handoverStep{what: "cancel", actor: step.actor}
				case 1, 2, 3, 4:
					step = handoverStep{what: "accept", actor: step.actor}
				}
				call(step, func() any { return process.handOver(step, path, staff) })
			}
		}).Operations()
		require.Len(t, operations, clients*stepsEach)
		history.RequireLinearizable(t, handoverModel, operations)
		require.True(t, history.RequireForged(t, handoverModel, operations, func(operation porcupine.Operation) (any, bool) {
			return "LAST_OWNER", operation.Input.(handoverStep).what == "accept"
		}), "somebody has tried to accept")
		for _, operation := range operations {
			if operation.Input.(handoverStep).what == "accept" && operation.Output == done {
				accepted++
			}
		}
		require.Equal(t, 1, bundle.countOwners(t, organizationID))
	}
	require.NotZero(t, accepted, "ownership has gone from one to another")
}

func (b *testBundle) handOver(step handoverStep, path string, staff []person) string {
	token := staff[step.actor].token
	switch step.what {
	case "accept":
		return outcome(b.REST("POST", path+":acceptOwnership", token, map[string]any{}))
	case "cancel":
		return outcome(b.REST("POST", path+":cancelOwnershipTransfer", token, map[string]any{}))
	}
	return outcome(b.REST("POST", path+":transferOwnership", token, map[string]any{"userId": staff[step.target].UserID.String()}))
}
