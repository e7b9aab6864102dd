package identity_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
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
		begin := time.Now()
		var group sync.WaitGroup
		histories := make([][]porcupine.Operation, clients)
		for client := range clients {
			challenges := make([]string, triesEach)
			for i := range challenges {
				challenges[i] = h.challenge("ada@example.com")
			}
			group.Go(func() {
				process := processes[client%len(processes)]
				for _, challenge := range challenges {
					try := tries[rand.N(len(tries))]
					code := "zzzzz-zzzzz"
					switch {
					case try.totp:
						code = phone.code(try.step)
					case try.backup != 0:
						code = codes[try.backup-'a']
					}
					called := time.Since(begin).Nanoseconds()
					var err error
					if rand.N(2) == 0 {
						_, err = process.answer(challenge, code)
					} else {
						_, err = process.stepUpByCode(session, code)
					}
					answered := accepted
					if err != nil {
						answered = reasonOf(t, err)
					}
					histories[client] = append(histories[client], porcupine.Operation{
						ClientId: client, Input: try, Call: called, Output: answered, Return: time.Since(begin).Nanoseconds(),
					})
				}
			})
		}
		group.Wait()
		history := slices.Concat(histories...)
		require.Len(t, history, clients*triesEach)
		// The code of the step before now was used to confirm the phone.
		model := proofModel(proofState{step: -1, codes: paper})
		require.Equal(t, porcupine.Ok, porcupine.CheckOperationsTimeout(model, history, time.Minute))
		require.False(t, porcupine.CheckOperations(model, append(history, history[accepting(history)])), "the check finds a code that was accepted twice")
	}
}

// accepting is the place of a try that was accepted.
func accepting(history []porcupine.Operation) int {
	return slices.IndexFunc(history, func(operation porcupine.Operation) bool { return operation.Output == accepted })
}
