package organization

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/testkit/history"
	"github.com/braidhq/braid/testkit/pgtest"
	"github.com/braidhq/braid/testkit/rpctest"
)

// twin is another process over the same database, with the same keys and people. Neither hears the other's events: both
// ask the owner for each request, as processes do that are not fresh.
func (b *testBundle) twin(t *testing.T) *testBundle {
	t.Helper()
	registry := prometheus.NewRegistry()
	other := assemble(t, b.database, pgtest.OpenDB(t, pg.Config{Service: Name, URL: b.database.URL}, registry))
	other.app.Tokens, other.app.Directory, other.people = b.app.Tokens, b.people, b.people
	b.stale.Store(true)
	other.stale.Store(true)
	return other
}

// known makes a person who was met at one process known to another.
func (b *testBundle) known(people ...person) {
	for _, who := range people {
		b.Tokens.RecentUser(who.token, who.UserID)
	}
}

// done is the answer to what was done; what was not is answered with its reason.
const done = "DONE"

func outcome(answer rpctest.Answer) string {
	if answer.Status == 200 {
		return done
	}
	return answer.Reason()
}

// staffChange is what one member does to another or to themselves.
type staffChange struct {
	actor, target int
	// roleID is what the target gets; empty takes them out.
	roleID string
}

// The staff of an organization as text, a letter for each: o for an owner, v for a viewer, - for one who has gone.
const (
	ownerMark  = 'o'
	viewerMark = 'v'
	goneMark   = '-'
)

// staffModel says how each change must be answered, had there been no two at once.
func staffModel(first string) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return first },
		Step: func(before, input, output any) (bool, any) {
			staff, change := []byte(before.(string)), input.(staffChange)
			actor, target := staff[change.actor], staff[change.target]
			leaves := change.roleID == "" && change.actor == change.target
			mark := byte(goneMark)
			switch change.roleID {
			case domain.Owner:
				mark = ownerMark
			case domain.Viewer:
				mark = viewerMark
			}
			switch {
			case actor == goneMark:
				return output == "NOT_FOUND", before
			case actor != ownerMark && !leaves:
				// The chain says the one, and the use case the other to whom was demoted after the chain had let them through.
				return output == "PERMISSION_DENIED" || output == "GRANT_EXCEEDS_OWN" || output == "NOT_FOUND" && target == goneMark, before
			case target == goneMark:
				return output == "NOT_FOUND", before
			case target == ownerMark && mark != ownerMark && strings.Count(before.(string), string(ownerMark)) == 1:
				return output == "LAST_OWNER", before
			}
			staff[change.target] = mark
			return output == done, string(staff)
		},
	}
}

// Owners who leave, are removed, demoted and made owners again, all at once in two processes, are answered as if one
// after the other; the last of them stays.
func TestChangesOfOwnersAtOnceAreLinearizable(t *testing.T) {
	t.Parallel()
	const people, clients, changesEach, rounds = 5, 8, 10, 4
	bundle := setup(t)
	processes := []*testBundle{bundle, bundle.twin(t)}
	staff := make([]person, people)
	for i := range staff {
		staff[i] = bundle.meet("owner" + id.New().String())
	}
	processes[1].known(staff...)
	lastOwners, forged := 0, 0
	for range rounds {
		organizationID, path := bundle.found(t, staff[0], "Acme")
		for _, another := range staff[1:] {
			bundle.join(t, staff[0], path, another, domain.Owner)
		}
		operations := history.Run(clients, func(client int, call func(any, func() any)) {
			process := processes[client%len(processes)]
			for range changesEach {
				change := staffChange{actor: rand.N(people), target: rand.N(people)}
				switch rand.N(8) {
				case 0:
					change.target = change.actor
				case 1, 2, 3:
					change.roleID = domain.Owner
				case 4, 5, 6:
					change.roleID = domain.Viewer
				}
				member, token := path+"/members/"+staff[change.target].UserID.String(), staff[change.actor].token
				call(change, func() any {
					if change.roleID == "" {
						return outcome(process.REST("DELETE", member, token, nil))
					}
					return outcome(process.REST("PATCH", member, token, map[string]any{"roleIds": []string{change.roleID}}))
				})
			}
		}).Operations()
		require.Len(t, operations, clients*changesEach)
		model := staffModel(strings.Repeat(string(ownerMark), people))
		history.RequireLinearizable(t, model, operations)
		if history.RequireForged(t, model, operations, func(operation porcupine.Operation) (any, bool) {
			return "LAST_OWNER", operation.Output == done && operation.Input.(staffChange).roleID == domain.Owner
		}) {
			forged++
		}
		for _, operation := range operations {
			if operation.Output == "LAST_OWNER" {
				lastOwners++
			}
		}
		require.NotZero(t, bundle.countOwners(t, organizationID))
	}
	require.NotZero(t, lastOwners, "it came to the last owner")
	require.NotZero(t, forged, "the model was tried with forged answers")
}

// invited is where an invitation stands: its state, and how often it was mailed.
type invited struct {
	state   domain.State
	sending int
}

// invitationTry is what somebody does with an invitation: accept or reject with the token of a mail, revoke or resend.
type invitationTry struct {
	what string
	// sending is the mail whose token is used, from 1.
	sending int
	// other says that somebody uses it who was not invited.
	other bool
}

var invitationModel = porcupine.Model{
	Init: func() any { return invited{state: domain.Pending, sending: 1} },
	Step: func(before, input, output any) (bool, any) {
		now, try := before.(invited), input.(invitationTry)
		answers := try.what == "accept" || try.what == "reject"
		switch {
		case answers && try.sending != now.sending:
			return output == "NOT_FOUND", now
		case answers && try.other:
			return output == "INVITATION_OTHER_EMAIL", now
		case now.state != domain.Pending:
			return output == "INVITATION_NOT_PENDING", now
		}
		switch try.what {
		case "accept":
			now.state = domain.Accepted
		case "reject":
			now.state = domain.Rejected
		case "revoke":
			now.state = domain.Revoked
		case "resend":
			now.sending++
		}
		return output == done, now
	},
}

// An invitation that is accepted, rejected, revoked and sent again, all at once in two processes, by who was invited and
// by who was not, makes one member or none, and says the same to everybody.
func TestAnswersToAnInvitationAtOnceAreLinearizable(t *testing.T) {
	t.Parallel()
	const clients, triesEach, rounds = 6, 4, 12
	bundle := setup(t)
	processes := []*testBundle{bundle, bundle.twin(t)}
	ada, ben, eve := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("eve")
	processes[1].known(ada, ben, eve)
	joined := 0
	for range rounds {
		organizationID, path := bundle.found(t, ada, "Acme")
		invitationID, token := bundle.invite(t, ada, path, ben.Email, domain.Viewer)
		require.Equal(t, bundle.app.Tokens.Derive(invitationID, 1), token)
		operations := history.Run(clients, func(client int, call func(any, func() any)) {
			process := processes[client%len(processes)]
			for range triesEach {
				try := invitationTry{what: "accept", sending: 1 + rand.N(2), other: rand.N(4) == 0}
				switch rand.N(16) {
				case 0:
					try.what = "reject"
				case 1:
					try = invitationTry{what: "revoke"}
				case 2, 3:
					try = invitationTry{what: "resend"}
				}
				call(try, func() any { return outcome(process.tryInvitation(try, path, invitationID, ada, ben, eve)) })
			}
		}).Operations()
		require.Len(t, operations, clients*triesEach)
		history.RequireLinearizable(t, invitationModel, operations)
		require.True(t, history.RequireForged(t, invitationModel, operations, func(operation porcupine.Operation) (any, bool) {
			return done, operation.Output == "INVITATION_NOT_PENDING" || operation.Output == "NOT_FOUND" || operation.Output == "INVITATION_OTHER_EMAIL"
		}), "of so many tries some are refused")
		accepted := 0
		for _, operation := range operations {
			if operation.Output == done && operation.Input.(invitationTry).what == "accept" {
				accepted++
			}
		}
		var members, others int
		require.NoError(t, bundle.database.Admin.QueryRow(t.Context(), `select count(*) filter (where user_id = $2), count(*) filter (where user_id = $3)
from member where organization_id = $1`, organizationID.String(), ben.UserID.String(), eve.UserID.String()).Scan(&members, &others))
		require.Equal(t, accepted, members, "who was told to be a member is one, once")
		require.Zero(t, others)
		joined += members
	}
	require.NotZero(t, joined, "invitations were accepted")
}

func (b *testBundle) tryInvitation(try invitationTry, path string, invitationID id.ID, inviter, invited, other person) rpctest.Answer {
	switch try.what {
	case "revoke", "resend":
		return b.REST("POST", path+"/invitations/"+invitationID.String()+":"+try.what, inviter.token, nil)
	}
	who := invited
	if try.other {
		who = other
	}
	token := b.app.Tokens.Derive(invitationID, int32(try.sending))
	return b.REST("POST", "/api/v1/invitations:"+try.what, who.token, map[string]any{"token": token})
}
