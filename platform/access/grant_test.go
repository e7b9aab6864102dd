package access_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/errs"
)

var grantRoles = []access.Role{
	{ID: "reader", Allow: []string{"read"}},
	{ID: "writer", Allow: []string{"write"}, Parents: []access.Parent{full("reader")}},
	{ID: "barred", Deny: []string{"read"}},
	{ID: "fromOffice", Parents: []access.Parent{conditional("reader", office)}},
	{ID: "ownReader", Parents: []access.Parent{conditional("reader", `resource.owner == subject.id`)}},
	{ID: "heirOfOwn", Parents: []access.Parent{full("ownReader")}},
	{ID: "barredPerhaps", Parents: []access.Parent{conditional("barred", "request.secondFactor")}},
}

const office = `inNetwork(request.address, "10.0.0.0/8")`

var (
	web  = access.Scope{Kind: access.Project, ProjectID: "web"}
	app  = access.Scope{Kind: access.Project, ProjectID: "app"}
	task = access.Scope{Kind: access.OneResource, ResourceType: "task", ResourceID: "a"}
	hour = start.Add(time.Hour)
)

// give is an assignment of a role in the whole organization, changed by those that follow.
func give(roleID string, changes ...func(*access.Assignment)) access.Assignment {
	given := access.Assignment{ID: roleID, RoleID: roleID, Scope: everywhere}
	for _, change := range changes {
		change(&given)
	}
	return given
}

func owned(a *access.Assignment) { a.Owned = true }

func in(scope access.Scope) func(*access.Assignment) {
	return func(a *access.Assignment) { a.Scope = scope }
}

func on(condition string) func(*access.Assignment) {
	return func(a *access.Assignment) { a.Condition = condition }
}

func from(at time.Time) func(*access.Assignment) { return func(a *access.Assignment) { a.Start = at } }

func until(at time.Time) func(*access.Assignment) {
	return func(a *access.Assignment) { a.Expire = at }
}

func source(of access.Assignment) func(*access.Assignment) {
	return func(a *access.Assignment) { a.Source = &of }
}

// grantCase is what somebody has, what they would give, and the permission that they lack for it.
type grantCase struct {
	own   []access.Assignment
	given access.Assignment
	lacks string
}

func checkGrants(t *testing.T, cases map[string]grantCase) {
	graph := newGraph(t, grantRoles...)
	for name, example := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			holdings, err := graph.Hold(ada, example.own)
			require.NoError(t, err)
			err = holdings.CheckGrant(&example.given, start)
			if example.lacks == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, access.ErrGrantExceedsOwn)
			require.Equal(t, example.lacks, errs.From(err).Metadata["permission"])
		})
	}
}

func TestNobodyGrantsMoreOrLongerThanTheyHold(t *testing.T) {
	t.Parallel()
	checkGrants(t, map[string]grantCase{
		"the same":                            {[]access.Assignment{give("reader")}, give("reader"), ""},
		"less":                                {[]access.Assignment{give("writer")}, give("reader"), ""},
		"more":                                {[]access.Assignment{give("reader")}, give("writer"), "write"},
		"nothing":                             {nil, give("reader"), "read"},
		"what gives nothing":                  {nil, give("barred"), ""},
		"a narrower scope":                    {[]access.Assignment{give("reader")}, give("reader", in(web)), ""},
		"a narrower scope still":              {[]access.Assignment{give("reader")}, give("reader", in(task)), ""},
		"a wider scope":                       {[]access.Assignment{give("reader", in(web))}, give("reader"), "read"},
		"another scope":                       {[]access.Assignment{give("reader", in(web))}, give("reader", in(app)), "read"},
		"the same project":                    {[]access.Assignment{give("reader", in(web))}, give("reader", in(web)), ""},
		"a task that could be in the project": {[]access.Assignment{give("reader", in(web))}, give("reader", in(task)), "read"},
		"global":                              {[]access.Assignment{give("reader")}, give("reader", in(access.Scope{Kind: access.Global})), "read"},
		"permissions from several":            {[]access.Assignment{give("reader"), give("writer")}, give("writer"), ""},
		"of owned things":                     {[]access.Assignment{give("reader", owned)}, give("reader"), "read"},
		"of what the other one owns":          {[]access.Assignment{give("reader", owned)}, give("reader", owned), "read"},
		"narrowed to what the other one owns": {[]access.Assignment{give("reader")}, give("reader", owned), ""},
		"longer":                              {[]access.Assignment{give("reader", until(hour))}, give("reader"), "read"},
		"a little longer":                     {[]access.Assignment{give("reader", until(hour))}, give("reader", until(hour.Add(1))), "read"},
		"as long":                             {[]access.Assignment{give("reader", until(hour))}, give("reader", until(hour)), ""},
		"what has expired":                    {[]access.Assignment{give("reader", until(start))}, give("reader", until(start)), "read"},
		"what has not begun":                  {[]access.Assignment{give("reader", from(hour))}, give("reader", from(hour)), "read"},
		"later":                               {[]access.Assignment{give("reader", from(start))}, give("reader", from(hour)), ""},
	})
	holdings, err := newGraph(t).Hold(ada, nil)
	require.NoError(t, err)
	require.ErrorIs(t, holdings.CheckGrant(&access.Assignment{RoleID: "gone"}, start), access.ErrRoleUnknown)
}

func TestNobodyGrantsAroundConditionsAndDenials(t *testing.T) {
	t.Parallel()
	checkGrants(t, map[string]grantCase{
		"on a condition":                          {[]access.Assignment{give("reader")}, give("reader", on(office)), ""},
		"without the own condition":               {[]access.Assignment{give("reader", on(office))}, give("reader"), "read"},
		"with the own condition":                  {[]access.Assignment{give("reader", on(office))}, give("reader", on(office)), ""},
		"with another condition":                  {[]access.Assignment{give("reader", on(office))}, give("reader", on("true")), "read"},
		"with an own condition about oneself":     {[]access.Assignment{give("reader", on("resource.owner == subject.id"))}, give("reader", on("resource.owner == subject.id")), "read"},
		"of a role with conditions":               {[]access.Assignment{give("fromOffice")}, give("reader"), "read"},
		"a role with conditions":                  {[]access.Assignment{give("fromOffice")}, give("fromOffice"), ""},
		"a role with conditions from the whole":   {[]access.Assignment{give("reader")}, give("fromOffice"), ""},
		"a role with conditions about oneself":    {[]access.Assignment{give("ownReader")}, give("ownReader"), "read"},
		"an heir of it":                           {[]access.Assignment{give("heirOfOwn")}, give("heirOfOwn"), "read"},
		"what is denied elsewhere":                {[]access.Assignment{give("reader"), give("barred", in(app))}, give("reader", in(web)), ""},
		"what is denied somewhere in it":          {[]access.Assignment{give("reader"), give("barred", in(app))}, give("reader"), "read"},
		"what is denied in a task of it":          {[]access.Assignment{give("reader"), give("barred", in(task))}, give("reader", in(web)), "read"},
		"what is denied perhaps":                  {[]access.Assignment{give("reader"), give("barredPerhaps")}, give("reader"), "read"},
		"what will be denied":                     {[]access.Assignment{give("reader"), give("barred", from(hour))}, give("reader"), "read"},
		"what was denied":                         {[]access.Assignment{give("reader"), give("barred", until(start))}, give("reader"), ""},
		"on":                                      {[]access.Assignment{give("reader", in(web), until(hour), owned, on(office))}, give("reader", source(give("reader"))), ""},
		"on more":                                 {[]access.Assignment{give("reader")}, give("writer", source(give("reader"))), "write"},
		"on from another":                         {[]access.Assignment{give("reader")}, give("reader", source(give("writer"))), "read"},
		"on from what has expired":                {[]access.Assignment{give("reader", until(start))}, give("reader", source(give("reader"))), "read"},
		"what was granted on to oneself":          {[]access.Assignment{give("reader", source(give("writer", until(hour))))}, give("reader"), "read"},
		"what was granted on to oneself, as long": {[]access.Assignment{give("reader", source(give("writer", until(hour))))}, give("reader", until(hour)), ""},
	})
}

// TestGranteesMayNothingThatGrantorsMayNot: whatever a random subject is entitled to give, whoever gets it and nothing else
// is never allowed what the grantor would be refused.
func TestGranteesMayNothingThatGrantorsMayNot(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	var granted, used int
	for number := range uint64(40_000) {
		random := rand.New(rand.NewPCG(seed, number))
		w := newWorld(t, random, sharedLanguage())
		given := w.assignment(random, 0)
		if given.Source = nil; random.IntN(2) == 0 {
			given.Source = &w.assignments[random.IntN(len(w.assignments))]
			if given.Source.Subject == (access.Subject{}) {
				own := *given.Source
				own.Subject = w.subject
				given.Source = &own
			}
		}
		at := start.Add(-2 * time.Hour)
		if given.Scope.Kind == access.Global || w.holdings.CheckGrant(&given, at) != nil {
			continue
		}
		granted++
		grantee, err := w.graph.Hold(access.Subject{ID: "ben", Kind: access.User}, []access.Assignment{given})
		require.NoError(t, err)
		for range 20 {
			question := newQuestion(random)
			if !grantee.Decide(question).Allowed {
				continue
			}
			used++
			if !w.holdings.Decide(question).Allowed {
				require.Fail(t, "the grantor may not", fmt.Sprintf("world %d of seed %d\n%vgiven %+v\nquestion %+v about %+v",
					number, seed, w, given, *question, question.Resource))
			}
		}
	}
	require.Greater(t, granted, 1000)
	require.Greater(t, used, 1000)
}

// What a credential may do is a part of what its owner may, and so is what it may give.
func TestWhatIsCutIsNeitherDecidedNorGranted(t *testing.T) {
	t.Parallel()
	graph, err := access.NewGraph(nil, grantRoles)
	require.NoError(t, err)
	whole, err := graph.Hold(access.Subject{ID: "ada", Kind: access.User}, []access.Assignment{give("writer")})
	require.NoError(t, err)
	cut := whole.Within(func(permission string) bool { return permission == "read" })
	writer, reader := give("writer"), give("reader")
	require.NoError(t, whole.CheckGrant(&writer, start))
	require.NoError(t, cut.CheckGrant(&reader, start))
	require.ErrorIs(t, cut.CheckGrant(&writer, start), access.ErrGrantExceedsOwn)
	for permission, allowed := range map[string]bool{"read": true, "write": false} {
		question := access.Question{Permission: permission, Now: start}
		reach := cut.Reach(&question)
		require.Equal(t, allowed, cut.Decide(&question).Allowed)
		require.Equal(t, allowed, cut.Everywhere(permission))
		require.Equal(t, allowed, reach.Everything())
		require.Equal(t, !allowed, reach.Nothing())
		require.True(t, whole.Decide(&question).Allowed, "the whole is what it was")
	}
}
