package access_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/errs"
)

func TestNobodyGrantsWhatTheyDoNotHold(t *testing.T) {
	t.Parallel()
	graph := newGraph(t,
		access.Role{ID: "reader", Allow: []string{"read"}},
		access.Role{ID: "writer", Allow: []string{"write"}, Parents: []access.Parent{full("reader")}},
		access.Role{ID: "barred", Deny: []string{"read"}},
		access.Role{ID: "fromOffice", Parents: []access.Parent{conditional("reader", `inNetwork(request.address, "10.0.0.0/8")`)}},
		access.Role{ID: "ownReader", Parents: []access.Parent{conditional("reader", `resource.owner == subject.id`)}},
		access.Role{ID: "heirOfOwn", Parents: []access.Parent{full("ownReader")}},
		access.Role{ID: "barredPerhaps", Parents: []access.Parent{conditional("barred", "request.secondFactor")}},
	)
	web, app := access.Scope{Kind: access.Project, ProjectID: "web"}, access.Scope{Kind: access.Project, ProjectID: "app"}
	task := access.Scope{Kind: access.OneResource, ResourceType: "task", ResourceID: "a"}
	give := func(roleID string, change ...func(*access.Assignment)) access.Assignment {
		a := access.Assignment{ID: roleID, RoleID: roleID, Scope: everywhere}
		for _, changed := range change {
			changed(&a)
		}
		return a
	}
	in := func(scope access.Scope) func(*access.Assignment) {
		return func(a *access.Assignment) { a.Scope = scope }
	}
	on := func(condition string) func(*access.Assignment) {
		return func(a *access.Assignment) { a.Condition = condition }
	}
	until := func(at time.Time) func(*access.Assignment) { return func(a *access.Assignment) { a.Expire = at } }
	from := func(at time.Time) func(*access.Assignment) { return func(a *access.Assignment) { a.Start = at } }
	source := func(of access.Assignment) func(*access.Assignment) {
		return func(a *access.Assignment) { a.Source = &of }
	}
	owned := func(a *access.Assignment) { a.Owned = true }
	office := `inNetwork(request.address, "10.0.0.0/8")`
	hour := start.Add(time.Hour)
	for name, example := range map[string]struct {
		own   []access.Assignment
		given access.Assignment
		lacks string
	}{
		"the same":                                {[]access.Assignment{give("reader")}, give("reader"), ""},
		"less":                                    {[]access.Assignment{give("writer")}, give("reader"), ""},
		"more":                                    {[]access.Assignment{give("reader")}, give("writer"), "write"},
		"nothing":                                 {nil, give("reader"), "read"},
		"what gives nothing":                      {nil, give("barred"), ""},
		"a narrower scope":                        {[]access.Assignment{give("reader")}, give("reader", in(web)), ""},
		"a narrower scope still":                  {[]access.Assignment{give("reader")}, give("reader", in(task)), ""},
		"a wider scope":                           {[]access.Assignment{give("reader", in(web))}, give("reader"), "read"},
		"another scope":                           {[]access.Assignment{give("reader", in(web))}, give("reader", in(app)), "read"},
		"the same project":                        {[]access.Assignment{give("reader", in(web))}, give("reader", in(web)), ""},
		"a task that could be in the project":     {[]access.Assignment{give("reader", in(web))}, give("reader", in(task)), "read"},
		"global":                                  {[]access.Assignment{give("reader")}, give("reader", in(access.Scope{Kind: access.Global})), "read"},
		"permissions from several":                {[]access.Assignment{give("reader"), give("writer")}, give("writer"), ""},
		"of owned things":                         {[]access.Assignment{give("reader", owned)}, give("reader"), "read"},
		"of what the other one owns":              {[]access.Assignment{give("reader", owned)}, give("reader", owned), "read"},
		"narrowed to what the other one owns":     {[]access.Assignment{give("reader")}, give("reader", owned), ""},
		"longer":                                  {[]access.Assignment{give("reader", until(hour))}, give("reader"), "read"},
		"a little longer":                         {[]access.Assignment{give("reader", until(hour))}, give("reader", until(hour.Add(1))), "read"},
		"as long":                                 {[]access.Assignment{give("reader", until(hour))}, give("reader", until(hour)), ""},
		"what has expired":                        {[]access.Assignment{give("reader", until(start))}, give("reader", until(start)), "read"},
		"what has not begun":                      {[]access.Assignment{give("reader", from(hour))}, give("reader", from(hour)), "read"},
		"later":                                   {[]access.Assignment{give("reader", from(start))}, give("reader", from(hour)), ""},
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
	} {
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
	holdings, err := graph.Hold(ada, nil)
	require.NoError(t, err)
	require.ErrorIs(t, holdings.CheckGrant(&access.Assignment{RoleID: "gone"}, start), access.ErrRoleUnknown)
}
