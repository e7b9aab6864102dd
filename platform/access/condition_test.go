package access_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/errs"
)

// outcome tells what a condition is by what it does before an allow and before a deny.
func outcome(t testing.TB, condition string, question access.Question) truth {
	t.Helper()
	graph, err := access.NewGraph(nil, []access.Role{
		{ID: "allows", Allow: []string{"allowed"}},
		{ID: "denies", Allow: []string{"refused"}, Parents: []access.Parent{{RoleID: "denied", Mode: access.Conditional, Condition: condition}}},
		{ID: "denied", Deny: []string{"refused"}},
	})
	require.NoError(t, err, condition)
	holdings, err := graph.Hold(access.Subject{ID: "ada", Kind: access.User}, []access.Assignment{
		{RoleID: "allows", Scope: everywhere, Condition: condition}, {RoleID: "denies", Scope: everywhere},
	})
	require.NoError(t, err, condition)
	question.Permission = "allowed"
	allows := holdings.Decide(&question).Allowed
	question.Permission = "refused"
	denies := !holdings.Decide(&question).Allowed
	require.False(t, allows && !denies, condition)
	switch {
	case allows:
		return isTrue
	case denies:
		return isUnknown
	default:
		return isFalse
	}
}

func TestWhatConditionsSay(t *testing.T) {
	t.Parallel()
	question := *ask("")
	for condition, want := range map[string]truth{
		`now == timestamp("2026-03-02T09:00:00Z")`:                                          isTrue,
		`now.getDayOfWeek() in [0, 6]`:                                                      isFalse,
		`now.getHours("Europe/Berlin") == 10`:                                               isTrue,
		`now.getHours("+02:00") == 11`:                                                      isTrue,
		`request.address == "10.1.2.3"`:                                                     isTrue,
		`inNetwork(request.address, "10.1.0.0/16")`:                                         isTrue,
		`!inNetwork(request.address, "2001:db8::/32")`:                                      isTrue,
		`inNetwork(request.address, "10.2.0.0/16") ? false : true`:                          isTrue,
		`inNetwork("10.2.0.1", "10.2.0.0/16")`:                                              isTrue,
		`inNetwork(subject.id, "10.2.0.0/16")`:                                              isUnknown,
		`request.factor == "passkey" && request.secondFactor`:                               isTrue,
		`request.secondFactor ? request.factor == "otp" : true`:                             isFalse,
		`now - request.loginTime <= duration("5m")`:                                         isTrue,
		`subject.id == "ada" && subject.kind == "user"`:                                     isTrue,
		`subject.id.startsWith("a") && subject.kind.size() == 4`:                            isTrue,
		`request.factor.matches("^pass(key|word)$")`:                                        isTrue,
		`resource.type == "task" && resource.id != "b" && resource.project in ["project7"]`: isTrue,
		`"ada" == resource.owner`:                                                           isTrue,
		`subject.id == resource.owner`:                                                      isTrue,
		`!(resource.owner in [subject.id, "ben"])`:                                          isFalse,
		`resource.owner == ""`:                                                              isFalse,
		// What can't be told is unknown, unless it doesn't matter.
		`1 / 0 == 1`:          isUnknown,
		`1 / 0 == 1 && false`: isFalse,
		`1 / 0 == 1 || true`:  isTrue,
		`!(1 / 0 == 1)`:       isUnknown,
	} {
		require.Equal(t, want, outcome(t, condition, question), condition)
	}
}

func TestMissingValuesFailClosed(t *testing.T) {
	t.Parallel()
	bare := access.Question{Now: start}
	stripped := *ask("")
	stripped.Resource = &access.Resource{}
	for _, condition := range []string{
		`request.address != "10.1.2.3"`, `!inNetwork(request.address, "10.0.0.0/8")`, `request.factor != "otp"`, `!request.secondFactor`,
		`request.secondFactor ? false : true`, `request.loginTime < now`, `resource.type != "page"`, `resource.id in ["a"]`,
	} {
		require.Equal(t, isUnknown, outcome(t, condition, bare), condition)
	}
	for _, condition := range []string{`resource.project != "web"`, `resource.owner == subject.id`, `!(resource.id in [])`} {
		require.Equal(t, isUnknown, outcome(t, condition, stripped), condition)
	}
	never := *ask("")
	never.Login.Time = time.Time{}
	require.Equal(t, isUnknown, outcome(t, `request.loginTime < now`, never))
}

func TestNetworksAreOfPlainAddresses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]truth{
		"10.9.9.9": isTrue, "::ffff:10.9.9.9": isTrue, "11.0.0.1": isFalse, "fe80::1%eth0": isTrue, "2001:db8::1": isFalse,
	} {
		question := access.Question{Now: start, Address: netip.MustParseAddr(address)}
		require.Equal(t, want, outcome(t, `inNetwork(request.address, "10.0.0.0/8") || inNetwork(request.address, "fe80::/10")`, question), address)
	}
}

func TestConditionsThatAreRefused(t *testing.T) {
	t.Parallel()
	for condition, want := range map[string]struct{ line, column, position, says string }{
		`now +`:                                                   {"1", "6", "6", "Syntax error"},
		"true &&\n  (missing == 1)":                               {"2", "4", "12", "missing is not known; known are now, request.address"},
		"true &&\n  \"é\" == 1":                                   {"2", "7", "15", "no matching overload"},
		`request.factor`:                                          {"1", "1", "1", "must be true or false"},
		`request == request`:                                      {"1", "1", "1", "request is not known"},
		`resource.color == "red"`:                                 {"1", "1", "1", "resource.color is not known"},
		`now > request.time`:                                      {"1", "7", "7", "request.time is not known"},
		`has(request.factor)`:                                     {"1", "4", "4", "undeclared reference to 'has'"},
		`now < timestamp("yesterday")`:                            {"1", "17", "17", "invalid timestamp"},
		`now - now < duration("soon")`:                            {"1", "22", "22", "invalid duration"},
		`request.factor.matches("(")`:                             {"1", "24", "24", "invalid matches argument"},
		`request.factor.matches("(a{100}){6}")`:                   {"1", "24", "24", "the patterns are too large"},
		`request.factor.matches(request.address)`:                 {"1", "31", "31", "a pattern is a constant"},
		`now.getHours("Nowhere/Atlantis") == 9`:                   {"1", "14", "14", "a time zone is a constant"},
		`now.getHours(request.factor) == 9`:                       {"1", "21", "21", "a time zone is a constant"},
		`now.getDayOfWeek("+99:00") == 1`:                         {"1", "18", "18", "a time zone is a constant"},
		`inNetwork(request.address, "10.0.0.0")`:                  {"1", "28", "28", "a network is a constant"},
		`inNetwork(request.address, request.address)`:             {"1", "35", "35", "a network is a constant"},
		`true ? inNetwork(request.address, "10.0.0.0/99") : true`: {"1", "35", "35", "a network is a constant"},
		`true && resource.type.startsWith("t")`:                   {"1", "17", "17", "resource.type may only be compared"},
		`resource.type == "a" ? true : false`:                     {"1", "9", "9", "may only be compared"},
		`(resource.type == "a") == true`:                          {"1", "10", "10", "may only be compared"},
		`resource.owner == resource.id`:                           {"1", "9", "9", "may only be compared"},
		`resource.owner == request.factor`:                        {"1", "9", "9", "may only be compared"},
		`resource.owner < "b"`:                                    {"1", "9", "9", "may only be compared"},
		`"a" in [resource.owner]`:                                 {"1", "17", "17", "may only be compared"},
		`[resource.owner].size() == 1 && true`:                    {"1", "10", "10", "may only be compared"},
		strings.Repeat(" ", 997) + "true":                         {"1", "1001", "1001", "longer than 1,000 characters"},
	} {
		err := access.CheckCondition(condition)
		assert.ErrorIs(t, err, access.ErrConditionInvalid, condition)
		metadata := errs.From(err).Metadata
		assert.Contains(t, metadata["problem"], want.says, condition)
		assert.Equal(t, []string{want.line, want.column, want.position}, []string{metadata["line"], metadata["column"], metadata["position"]}, condition)
		require.Contains(t, errs.From(err).Message, metadata["problem"])
	}
	require.NoError(t, access.CheckCondition(""))
	require.NoError(t, access.CheckCondition(strings.Repeat(" ", 996)+"true"))
}

// TestCostBombs: what would take long is refused when it is written; nothing loops, so nothing else can.
func TestCostBombs(t *testing.T) {
	t.Parallel()
	nested := `[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, [1,2,3,4,5,6,7,8,9].all(c, a + b + c > 0)))`
	product := `[` + strings.Repeat(`request.address,`, 50) + `""]`
	for name, condition := range map[string]string{
		"comprehension": nested,
		"map":           `[1,2].map(x, [x, x]).map(y, [y, y]).size() > 0`,
		"deep brackets": strings.Repeat("(", 400) + "true" + strings.Repeat(")", 400),
		"deep lists":    strings.Repeat("[", 300) + "1" + strings.Repeat("]", 300) + " == [1]",
		"many nodes":    strings.TrimSuffix(strings.Repeat("1+", 490), "+") + " > 0",
		"many matches":  strings.TrimSuffix(strings.Repeat(`"a".matches("`+strings.Repeat("a?", 16)+`")&&`, 19), "&&"),
		"long matches": `(request.address + request.address + request.address + request.address).matches("` + strings.Repeat("a?", 49) + `") && (` +
			`request.address + request.address + request.address + request.address).matches("` + strings.Repeat("b?", 49) + `") && (` +
			`request.address + request.address + request.address + request.address).matches("` + strings.Repeat("c?", 49) + `")`,
		"lists": product + ` == ` + product[:len(product)/8],
	} {
		before := time.Now()
		require.ErrorIs(t, access.CheckCondition(condition), access.ErrConditionInvalid, name)
		require.Less(t, time.Since(before), time.Second, name)
	}
}

// TestCostIsBoundedAtRunTime: a value may be longer than the estimate takes it to be.
func TestCostIsBoundedAtRunTime(t *testing.T) {
	t.Parallel()
	question := *ask("")
	condition := `!request.factor.contains("xyz")`
	require.Equal(t, isTrue, outcome(t, condition, question))
	question.Login.Factor = access.Factor(strings.Repeat("x", 1_000_000))
	require.Equal(t, isUnknown, outcome(t, condition, question), "over the limit")
}

// FuzzCondition: whatever is written is refused, or can be evaluated within its bounds, and alike for one resource and for
// a list.
func FuzzCondition(f *testing.F) {
	for _, atom := range atoms {
		f.Add(atom.text)
	}
	f.Add(`request.secondFactor ? now.getHours("Europe/Berlin") > 3 : "a".matches("^b*$")`)
	f.Add(`resource.owner == subject.id && !(resource.type in ["a", "b"]) || [1].all(x, x > 0)`)
	f.Fuzz(func(t *testing.T, condition string) {
		if err := access.CheckCondition(condition); err != nil || condition == "" {
			if err != nil {
				require.ErrorIs(t, err, access.ErrConditionInvalid)
			}
			return
		}
		question := *ask("")
		before := time.Now()
		outcome(t, condition, question)
		require.Less(t, time.Since(before), time.Second)

		graph, err := access.NewGraph(nil, []access.Role{{ID: "reader", Allow: []string{"read"}}})
		require.NoError(t, err)
		holdings, err := graph.Hold(access.Subject{ID: "ada", Kind: access.User}, []access.Assignment{{RoleID: "reader", Scope: everywhere, Condition: condition}})
		require.NoError(t, err)
		question.Permission = "read"
		open := question
		open.Resource = nil
		require.Equal(t, holdings.Decide(&question).Allowed, holdings.Reach(&open).Contains(question.Resource))
	})
}
