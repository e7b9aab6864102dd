package list_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/list"
)

var numbered = regexp.MustCompile(`\$[0-9]+`)

// FuzzFilter: whatever the filter, it is refused as the filter's fault, or becomes a statement in which nothing of it
// is text, with one argument for each placeholder and brackets that match.
func FuzzFilter(f *testing.F) {
	for _, seed := range []string{
		``, `status = "todo"`, `title:"100%" OR labels:"x"`, `NOT (number > 5 AND unread = true)`, `assigneeId = ` + ada.String(),
		`dueTime >= 2030-01-01T00:00:00Z`, `priority < HIGH -unread = false`, `assigneeId = ""`, `status = "\x00"`, `a.b.c:*`, `title:* status = "*x\\*"`, `((((`, `f(g("x"), 1)`,
	} {
		f.Add(seed, "status desc, dueTime")
	}
	f.Fuzz(func(t *testing.T, filter, orderBy string) {
		started := time.Now()
		query, err := tasks.Parse(list.Request{Filter: filter, OrderBy: orderBy})
		require.Less(t, time.Since(started), 5*time.Second)
		if err != nil {
			problem := errs.From(err)
			require.Equal(t, errs.InvalidArgument, problem.Kind)
			require.Contains(t, []string{"filter", "orderBy"}, problem.Violations[0].Field)
			return
		}
		sql, args := query.Build("select 1 from task where run = $1", 1)
		require.NotContains(t, sql, "\x00")
		require.Equal(t, strings.Count(sql, "("), strings.Count(sql, ")"))
		found := numbered.FindAllString(sql, -1)
		require.Len(t, found, len(args))
		for i, placeholder := range found {
			require.Equal(t, "$"+strconv.Itoa(i+1), placeholder)
		}
		// The statement is made of this vocabulary alone.
		rest := numbered.ReplaceAllString(strings.TrimPrefix(sql, "select 1 from task where run"), "")
		rest = vocabulary.ReplaceAllString(rest, "")
		require.Empty(t, strings.Trim(rest, " "), sql)
	})
}

var vocabulary = regexp.MustCompile(`\b(status|kind|title|labels|assignee_id|number|due_at|priority|read_at|id|and|or|is|not|true|null|distinct|from|i?like|cardinality|array|order by|limit 51|desc|nulls last)\b|::(text|bigint|timestamptz|uuid|boolean)|<=|>=|@>|[()\[\],=<>]|''|0`)

// FuzzPageToken: whatever the token, it is refused as such, or it is one that was given out.
func FuzzPageToken(f *testing.F) {
	request := list.Request{OrderBy: "dueTime, status", PageSize: 1, Binding: []string{"organization"}}
	query, err := tasks.Parse(request)
	require.NoError(f, err)
	token, _ := list.Page(query, []row{{status: "todo", id: ada}, {}}, row.value)
	f.Add(token)
	f.Add("")
	f.Add(token[:20])
	f.Fuzz(func(t *testing.T, text string) {
		request := request
		request.PageToken = text
		query, err := tasks.Parse(request)
		if err != nil {
			require.Equal(t, "PAGE_TOKEN_INVALID", errs.From(err).Reason)
			return
		}
		sql, args := query.Build("select 1 from task where run = $1", 1)
		require.Len(t, numbered.FindAllString(sql, -1), len(args))
	})
}
