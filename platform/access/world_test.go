package access_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/access"
)

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// meaning is what a condition says, in Go.
type meaning func(*access.Question, access.Subject) truth

// world is an organization with one subject, small enough to be read when something is wrong with it.
type world struct {
	system, roles []access.Role
	subject       access.Subject
	assignments   []access.Assignment
	language      *language
	graph         *access.Graph
	holdings      *access.Holdings
}

func (w *world) meaning(condition string) meaning { return w.language.meanings[condition] }

// language is the conditions that worlds are made of, with the base graph that remembers them.
type language struct {
	texts    []string
	meanings map[string]meaning
	base     *access.Graph
}

var systemRoles = []access.Role{
	{ID: "viewer", Allow: []string{"read"}},
	{ID: "editor", Allow: []string{"write"}, Parents: []access.Parent{{RoleID: "viewer", Mode: access.Full}}},
	{ID: "barred", Deny: []string{"write", "share"}},
	{ID: "trusted", Parents: []access.Parent{
		{RoleID: "editor", Mode: access.Conditional, Condition: `request.secondFactor`},
		{RoleID: "barred", Mode: access.Partial, Permissions: []string{"share"}},
	}},
}

var permissions = []string{"read", "write", "delete", "share", "unheard"}

// sharedLanguage is made once: conditions are compiled much more slowly than worlds are asked.
var sharedLanguage = sync.OnceValue(func() *language {
	random := rand.New(rand.NewPCG(1, 2))
	l := &language{meanings: make(map[string]meaning)}
	for len(l.meanings) < 120 {
		text, means := compose(random, random.IntN(4))
		if l.meanings[text] == nil {
			l.meanings[text] = means
			l.texts = append(l.texts, text)
		}
	}
	l.meanings["request.secondFactor"] = secondFactor
	base, err := access.NewGraph(nil, systemRoles)
	if err != nil {
		panic(err)
	}
	l.base = base
	return l
})

func compose(random *rand.Rand, depth int) (string, meaning) {
	if depth == 0 {
		atom := atoms[random.IntN(len(atoms))]
		return atom.text, atom.means
	}
	left, meansLeft := compose(random, random.IntN(depth))
	right, meansRight := compose(random, random.IntN(depth))
	switch random.IntN(3) {
	case 0:
		return "(" + left + " && " + right + ")", func(q *access.Question, s access.Subject) truth { return min(meansLeft(q, s), meansRight(q, s)) }
	case 1:
		return "(" + left + " || " + right + ")", func(q *access.Question, s access.Subject) truth { return max(meansLeft(q, s), meansRight(q, s)) }
	default:
		return "!(" + left + ")", func(q *access.Question, s access.Subject) truth { return isTrue - meansLeft(q, s) }
	}
}

func is(value bool) truth {
	if value {
		return isTrue
	}
	return isFalse
}

// known is unknown where the value is missing.
func known(value string, means func(string) bool) truth {
	if value == "" {
		return isUnknown
	}
	return is(means(value))
}

func ofResource(get func(access.Resource) string, means func(value string, s access.Subject) bool) meaning {
	return func(q *access.Question, s access.Subject) truth {
		if q.Resource == nil {
			return isUnknown
		}
		return known(get(*q.Resource), func(value string) bool { return means(value, s) })
	}
}

func secondFactor(q *access.Question, _ access.Subject) truth {
	return known(string(q.Login.Factor), func(string) bool { return q.Login.SecondFactor })
}

var (
	typeOf    = func(r access.Resource) string { return r.Type }
	idOf      = func(r access.Resource) string { return r.ID }
	projectOf = func(r access.Resource) string { return r.ProjectID }
	ownerOf   = func(r access.Resource) string { return r.OwnerID }
)

// atoms are what compositions are made of: for every variable and every operator over resources at least one.
var atoms = []struct {
	text  string
	means meaning
}{
	{`true`, func(*access.Question, access.Subject) truth { return isTrue }},
	{`1 / 0 == 1`, func(*access.Question, access.Subject) truth { return isUnknown }},
	{`now < timestamp("2026-03-02T10:00:00Z")`, func(q *access.Question, _ access.Subject) truth { return is(q.Now.Before(start.Add(time.Hour))) }},
	{`now.getHours() >= 9`, func(q *access.Question, _ access.Subject) truth { return is(q.Now.Hour() >= 9) }},
	{`inNetwork(request.address, "10.0.0.0/8")`, func(q *access.Question, _ access.Subject) truth {
		if !q.Address.IsValid() {
			return isUnknown
		}
		return is(strings.HasPrefix(q.Address.Unmap().String(), "10."))
	}},
	{`request.address.startsWith("192.")`, func(q *access.Question, _ access.Subject) truth {
		if !q.Address.IsValid() {
			return isUnknown
		}
		return is(strings.HasPrefix(q.Address.String(), "192."))
	}},
	{`request.secondFactor`, secondFactor},
	{`request.factor in ["passkey", "sso"]`, func(q *access.Question, _ access.Subject) truth {
		return known(string(q.Login.Factor), func(factor string) bool { return factor == "passkey" || factor == "sso" })
	}},
	{`now - request.loginTime < duration("1h")`, func(q *access.Question, _ access.Subject) truth {
		if q.Login.Factor == "" || q.Login.Time.IsZero() {
			return isUnknown
		}
		return is(q.Now.Sub(q.Login.Time) < time.Hour)
	}},
	{`subject.id == "ada"`, func(_ *access.Question, s access.Subject) truth { return is(s.ID == "ada") }},
	{`subject.kind != "user"`, func(_ *access.Question, s access.Subject) truth { return is(s.Kind != access.User) }},
	{`resource.type == "task"`, ofResource(typeOf, func(v string, _ access.Subject) bool { return v == "task" })},
	{`"a" != resource.id`, ofResource(idOf, func(v string, _ access.Subject) bool { return v != "a" })},
	{`resource.project in ["web", "app"]`, ofResource(projectOf, func(v string, _ access.Subject) bool { return v == "web" || v == "app" })},
	{`resource.owner == subject.id`, ofResource(ownerOf, func(v string, s access.Subject) bool { return v == s.ID })},
	{`resource.owner in ["ben", subject.id]`, ofResource(ownerOf, func(v string, s access.Subject) bool { return v == "ben" || v == s.ID })},
	{`resource.project in []`, ofResource(projectOf, func(string, access.Subject) bool { return false })},
}

// newWorld makes the world of a seed.
func newWorld(t testing.TB, random *rand.Rand, language *language) *world {
	w := &world{
		system: systemRoles, language: language,
		subject: pick(random, access.Subject{ID: "ada", Kind: access.User}, access.Subject{ID: "ada", Kind: access.Operator},
			access.Subject{ID: "bot", Kind: access.ServiceAccount}),
	}
	w.addRoles(random)
	for range 1 + random.IntN(5) {
		w.assignments = append(w.assignments, w.assignment(random, 0))
	}
	var err error
	// The order in which roles are stored doesn't matter.
	shuffled := append([]access.Role(nil), w.roles...)
	random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	w.graph, err = access.NewGraph(language.base, shuffled)
	require.NoError(t, err, w)
	w.holdings, err = w.graph.Hold(w.subject, w.assignments)
	require.NoError(t, err, w)
	return w
}

// addRoles adds a few roles with parents anywhere below them, or a chain as deep as may be.
func (w *world) addRoles(random *rand.Rand) {
	count, chain := 1+random.IntN(6), random.IntN(8) == 0
	if chain {
		count = access.MaxDepth + 1
	}
	var below []string
	for i := range count {
		role := access.Role{ID: fmt.Sprintf("role%d", i), Allow: some(random, 3), Deny: some(random, 8)}
		if chain && i > 0 {
			role.Allow, role.Deny = nil, nil
			role.Parents = []access.Parent{w.parent(random, below[i-1])}
		} else if !chain {
			for range random.IntN(4) {
				candidates := append(append([]string(nil), below...), "viewer", "editor", "barred", "trusted")
				role.Parents = append(role.Parents, w.parent(random, candidates[random.IntN(len(candidates))]))
			}
		}
		below = append(below, role.ID)
		w.roles = append(w.roles, role)
	}
}

func (w *world) parent(random *rand.Rand, id string) access.Parent {
	switch random.IntN(4) {
	case 0:
		return access.Parent{RoleID: id, Mode: access.Partial, Permissions: some(random, 2)}
	case 1:
		return access.Parent{RoleID: id, Mode: access.Conditional, Condition: w.condition(random)}
	default:
		return access.Parent{RoleID: id, Mode: access.Full}
	}
}

func (w *world) condition(random *rand.Rand) string {
	return w.language.texts[random.IntN(len(w.language.texts))]
}

func (w *world) assignment(random *rand.Rand, step int) access.Assignment {
	a := access.Assignment{ID: fmt.Sprintf("assignment%d.%d", len(w.assignments), step), Owned: random.IntN(5) == 0}
	a.RoleID = pick(random, "viewer", "editor", "barred", "trusted")
	if random.IntN(4) > 0 {
		a.RoleID = w.roles[random.IntN(len(w.roles))].ID
		if random.IntN(2) == 0 {
			a.RoleID = w.roles[len(w.roles)-1].ID
		}
	}
	a.Scope = pick(random, access.Scope{Kind: access.Organization}, access.Scope{Kind: access.Organization},
		access.Scope{Kind: access.Project, ProjectID: pick(random, "web", "app", "ops")},
		access.Scope{Kind: access.OneResource, ResourceType: pick(random, "task", "page"), ResourceID: pick(random, "a", "b")})
	if step > 0 {
		a.Subject = pick(random, access.Subject{ID: "ben", Kind: access.User}, access.Subject{ID: "ada", Kind: access.User})
	} else if w.subject.Kind == access.Operator && random.IntN(3) == 0 {
		a.Scope = access.Scope{Kind: access.Global}
	}
	if random.IntN(4) == 0 {
		a.Start = start.Add(time.Duration(random.IntN(4)-2) * time.Hour)
	}
	if random.IntN(4) == 0 {
		a.Expire = start.Add(time.Duration(random.IntN(4)-1) * time.Hour)
	}
	if random.IntN(3) == 0 {
		a.Condition = w.condition(random)
	}
	if random.IntN(4) == 0 {
		a.Through = "team"
	}
	if step < 2 && random.IntN(5) == 0 {
		source := w.assignment(random, step+1)
		a.Source = &source
	}
	return a
}

func newQuestion(random *rand.Rand) *access.Question {
	q := &access.Question{
		Permission: permissions[random.IntN(len(permissions))],
		Now:        start.Add(time.Duration(random.IntN(5)-2) * time.Hour),
		Address:    pick(random, netip.Addr{}, netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("::ffff:10.1.2.3"), netip.MustParseAddr("192.168.0.1"), netip.MustParseAddr("fe80::1%eth0")),
		Login:      access.Login{Factor: pick(random, "", access.Password, access.OTP, access.Passkey, access.SSO), SecondFactor: random.IntN(2) == 0},
	}
	if random.IntN(4) > 0 {
		q.Login.Time = q.Now.Add(-time.Duration(random.IntN(3)) * 40 * time.Minute)
	}
	if random.IntN(6) > 0 {
		q.Resource = newResource(random)
	}
	return q
}

func newResource(random *rand.Rand) *access.Resource {
	return &access.Resource{
		Type: pick(random, "", "task", "task", "page"), ID: pick(random, "", "a", "b", "c"),
		ProjectID: pick(random, "", "web", "app", "ops"), OwnerID: pick(random, "", "ada", "ben", "bot"),
	}
}

func some(random *rand.Rand, rarely int) (chosen []string) {
	for _, permission := range permissions[:4] {
		if random.IntN(rarely) == 0 {
			chosen = append(chosen, permission)
		}
	}
	return chosen
}

func pick[T any](random *rand.Rand, from ...T) T { return from[random.IntN(len(from))] }

// String is what a failure shows.
func (w *world) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "subject %+v\n", w.subject)
	for _, role := range w.roles {
		fmt.Fprintf(&text, "role %+v\n", role)
	}
	for i := range w.assignments {
		for a := &w.assignments[i]; a != nil; a = a.Source {
			fmt.Fprintf(&text, "assignment %+v\n", *a)
		}
	}
	return text.String()
}
