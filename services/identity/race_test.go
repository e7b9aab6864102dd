package identity_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/testkit/history"
)

// proofState is what an account knows of codes, one try after the other: the newest step that was used, the backup codes
// that are left, and the wrong tries since the last right one.
type proofState struct {
	step  int64
	codes string
	tries int
}

// proofTry is one try: a code of a step from now, or a backup code by its place on the paper; the zero value is wrong.
type proofTry struct {
	totp   bool
	step   int64
	backup byte
}

const (
	accepted = ""
	wrong    = "CODE_INVALID"
	locked   = "FACTOR_LOCKED"
)

// proofModel says what each try must be answered with, had there been no two at once.
func proofModel(first proofState) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return first },
		Step: func(before, input, output any) (bool, any) {
			state, try := before.(proofState), input.(proofTry)
			left := []byte(state.codes)
			at := slices.Index(left, try.backup)
			switch {
			case state.tries >= 10:
				return output == locked, state
			case try.totp && try.step > state.step:
				return output == accepted, proofState{step: try.step, codes: state.codes}
			case !try.totp && try.backup != 0 && at >= 0:
				return output == accepted, proofState{step: state.step, codes: string(slices.Delete(left, at, at+1))}
			default:
				state.tries++
				return output == wrong, state
			}
		},
	}
}

// Codes that are tried at once, in two processes, for logins and for step-ups, are answered as if they had come one after
// the other: each is good once, and no more wrong ones get a try than are allowed.
func TestCodesTriedAtOnceAreLinearizable(t *testing.T) {
	t.Parallel()
	const clients, triesEach = 8, 9
	for range 3 {
		h := newHarness(t)
		h.signUp("ada@example.com")
		session := h.signIn("ada@example.com").GetAccessToken()
		phone, codes := h.secure(session)
		processes := []*harness{h, h.twin(testConfig())}
		tries := []proofTry{{totp: true}, {totp: true, step: 1}, {}}
		paper := ""
		for place := range codes[:6] {
			tries = append(tries, proofTry{backup: byte('a' + place)})
			paper += string(rune('a' + place))
		}
		challenges := make(chan string, clients*triesEach)
		for range clients * triesEach {
			challenges <- h.challenge("ada@example.com")
		}
		operations := history.Run(clients, func(client int, call func(any, func() any)) {
			process := processes[client%len(processes)]
			for range triesEach {
				try, challenge := tries[rand.N(len(tries))], <-challenges
				code := "zzzzz-zzzzz"
				switch {
				case try.totp:
					code = phone.code(try.step)
				case try.backup != 0:
					code = codes[try.backup-'a']
				}
				call(try, func() any {
					var err error
					if rand.N(2) == 0 {
						_, err = process.answer(challenge, code)
					} else {
						_, err = process.stepUpByCode(session, code)
					}
					return outcome(t, err)
				})
			}
		}).Operations()
		require.Len(t, operations, clients*triesEach)
		// The code of the step before now was used to confirm the phone.
		model := proofModel(proofState{step: -1, codes: paper})
		history.RequireLinearizable(t, model, operations)
		require.False(t, porcupine.CheckOperations(model, append(operations, operations[accepting(operations)])), "the check finds a code that was accepted twice")
	}
}

// outcome is how a call was answered: by a reason, or accepted.
func outcome(t *testing.T, err error) string {
	t.Helper()
	if err != nil {
		return reasonOf(t, err)
	}
	return accepted
}

// accepting is the place of a try that was accepted.
func accepting(history []porcupine.Operation) int {
	return slices.IndexFunc(history, func(operation porcupine.Operation) bool { return operation.Output == accepted })
}

// family is what is known of a session's refresh tokens: how many were given out after the first, and whether the
// session is over.
type family struct {
	newest int
	over   bool
}

// rotation is one use of a refresh token, or a logout. Tokens are numbered in the order in which they follow each other.
type rotation struct {
	logout bool
	token  int
}

// refused is the answer to a token that is no good; another answer is the number of the token that was given.
const refused = -1

// familyModel: the newest token makes the next one. The one before it gets the same answer again, as whoever did not
// hear the first one. An older one is in two hands, and ends the session.
var familyModel = porcupine.Model{
	Init: func() any { return family{} },
	Step: func(before, input, output any) (bool, any) {
		state, use := before.(family), input.(rotation)
		switch {
		case use.logout:
			return true, family{newest: state.newest, over: true}
		case state.over:
			return output == refused, state
		case use.token == state.newest:
			return output == state.newest+1, family{newest: state.newest + 1}
		case use.token == state.newest-1:
			return output == state.newest, state
		case use.token < state.newest:
			return output == refused, family{newest: state.newest, over: true}
		default:
			return false, state
		}
	},
}

// wallet holds the refresh tokens of a session that its holders have seen, the oldest first.
type wallet struct {
	mu     sync.Mutex
	tokens []string
}

func (w *wallet) pick() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	// Most use what they got last; now and then somebody comes with an older one.
	back := 0
	switch rand.N(24) {
	case 0:
		back = 2
	case 1, 2, 3, 4:
		back = 1
	}
	return w.tokens[max(0, len(w.tokens)-1-back)]
}

func (w *wallet) add(token string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.tokens, token) {
		w.tokens = append(w.tokens, token)
	}
}

// numbered replaces the tokens of a history by their place in the family: each came out of exactly one.
func numbered(t *testing.T, first string, operations []porcupine.Operation) []porcupine.Operation {
	t.Helper()
	next := map[string]string{}
	for _, operation := range operations {
		used, given := operation.Input.(string), operation.Output.(string)
		if given == "" || used == "" {
			continue
		}
		if known, ok := next[used]; ok {
			require.Equal(t, known, given, "one token was traded for two")
		}
		next[used] = given
	}
	place := map[string]int{first: 0}
	for token, count := first, 1; next[token] != ""; count++ {
		token = next[token]
		require.NotContains(t, place, token)
		place[token] = count
	}
	for i := range operations {
		used, given := operations[i].Input.(string), operations[i].Output.(string)
		operations[i].Input, operations[i].Output = rotation{logout: used == "", token: place[used]}, refused
		if given != "" {
			operations[i].Output = place[given]
		}
	}
	return operations
}

// Refresh tokens that are used at once in two processes, by their owner and by whoever took an old one, are answered as
// if one after the other: no token is ever traded for two, and an old one ends the session for all.
func TestRefreshTokensUsedAtOnceAreLinearizable(t *testing.T) {
	t.Parallel()
	const clients, usesEach, rounds = 6, 12, 4
	h := newHarness(t)
	processes := []*harness{h, h.twin(testConfig())}
	h.signUp("ada@example.com")
	ended := 0
	for round := range rounds {
		session := h.signIn("ada@example.com")
		held := &wallet{tokens: []string{session.GetRefreshToken()}}
		operations := history.Run(clients, func(client int, call func(any, func() any)) {
			process := processes[client%len(processes)]
			for use := range usesEach {
				if round == 0 && client == 0 && use == usesEach/2 {
					call("", func() any {
						_, _ = process.authAs(session.GetAccessToken()).Logout(t.Context(), &identityv1.LogoutRequest{})
						return ""
					})
				}
				token := held.pick()
				call(token, func() any {
					answer, err := process.refresh(token)
					if err != nil {
						require.Equal(t, "REFRESH_TOKEN_INVALID", reasonOf(t, err))
						return ""
					}
					held.add(answer.GetRefreshToken())
					return answer.GetRefreshToken()
				})
			}
		}).Operations()
		operations = numbered(t, session.GetRefreshToken(), operations)
		history.RequireLinearizable(t, familyModel, operations)
		require.True(t, history.RequireForged(t, familyModel, operations, func(operation porcupine.Operation) (any, bool) {
			return operation.Output.(int) + 1, operation.Output != refused
		}), "the first use is never refused")
		if slices.ContainsFunc(operations, func(operation porcupine.Operation) bool { return operation.Output == refused }) {
			ended++
		}
		_, err := h.refresh(held.tokens[0])
		require.Equal(t, "REFRESH_TOKEN_INVALID", reasonOf(t, err), "the first is old by now")
		require.Zero(t, h.count(`select count(*) from session`), "and has ended the session")
		require.Zero(t, h.count(`select count(*) from refresh_token`))
	}
	require.NotZero(t, ended, "sessions ended while they were used")
}
