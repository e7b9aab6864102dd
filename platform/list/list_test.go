package list_test

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/testkit/pgtest"
)

func TestPageSize(t *testing.T) {
	t.Parallel()
	for asked, want := range map[int32]int{0: 50, 1: 1, 200: 200, 201: 200, 1 << 30: 200} {
		query, err := tasks.Parse(list.Request{PageSize: asked})
		require.NoError(t, err)
		require.Equal(t, want, query.PageSize())
	}
	_, err := tasks.Parse(list.Request{PageSize: -1})
	requireRefused(t, err, "pageSize")
}

func TestOrderByIsRefused(t *testing.T) {
	t.Parallel()
	for _, orderBy := range []string{
		"title", "number sideways", "number,", ",", "number asc desc", "number; drop table task", "number,number",
		"number desc, number", strings.Repeat("a", 300), "number\x00", "(select 1)", "status,priority,dueTime,number,number,status",
	} {
		_, err := tasks.Parse(list.Request{OrderBy: orderBy})
		requireRefused(t, err, "orderBy")
	}
}

func TestOrderIsAlwaysTotal(t *testing.T) {
	t.Parallel()
	for orderBy, want := range map[string]string{
		"":                           " order by number limit 51",
		"number desc":                " order by number desc limit 51",
		"status":                     " order by status, id limit 51",
		"status desc":                " order by status desc, id desc limit 51",
		"priority desc, status":      " order by priority desc, status, id limit 51",
		"dueTime":                    " order by due_at, id limit 51",
		"dueTime desc":               " order by due_at desc nulls last, id desc limit 51",
		" priority  desc , number  ": " order by priority desc, number limit 51",
	} {
		query, err := tasks.Parse(list.Request{OrderBy: orderBy})
		require.NoError(t, err)
		sql, args := query.Build("select 1 from task where run = $1", 7)
		require.Equal(t, "select 1 from task where run = $1"+want, sql)
		require.Equal(t, []any{7}, args)
	}
}

func TestTokenIsBoundToItsList(t *testing.T) {
	t.Parallel()
	request := list.Request{Filter: "number > 0", OrderBy: "status desc", PageSize: 1, Binding: []string{"organization", "project"}}
	query, err := tasks.Parse(request)
	require.NoError(t, err)
	token, page := list.Page(query, []row{{number: 1, status: "todo", id: ada}, {number: 2}}, row.value)
	require.Len(t, page, 1)
	require.NotEmpty(t, token)
	require.NotContains(t, token, "=")

	request.PageToken = token
	_, err = tasks.Parse(request)
	require.NoError(t, err)
	larger := request
	larger.PageSize = 100
	_, err = tasks.Parse(larger)
	require.NoError(t, err, "the size may change from page to page")

	other := tasks
	other.Name = "others"
	_, err = other.Parse(request)
	requireTokenRefused(t, err)
	for name, change := range map[string]func(*list.Request){
		"filter":       func(r *list.Request) { r.Filter = "number > 1" },
		"no filter":    func(r *list.Request) { r.Filter = "" },
		"order":        func(r *list.Request) { r.OrderBy = "status" },
		"binding":      func(r *list.Request) { r.Binding = []string{"organization", "another"} },
		"less binding": func(r *list.Request) { r.Binding = []string{"organization"} },
		"shift":        func(r *list.Request) { r.Binding = []string{"organizationp", "roject"} },
		"padded":       func(r *list.Request) { r.PageToken += "=" },
		"newline":      func(r *list.Request) { r.PageToken += "\n" },
		"short":        func(r *list.Request) { r.PageToken = "AAAA" },
		"no base64":    func(r *list.Request) { r.PageToken = "!" },
		"huge":         func(r *list.Request) { r.PageToken = strings.Repeat("A", 1<<16) },
	} {
		changed := request
		change(&changed)
		_, err := tasks.Parse(changed)
		require.Error(t, err, name)
		requireTokenRefused(t, err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	require.NoError(t, err)
	for i := range raw {
		altered := slices.Clone(raw)
		altered[i] ^= 1
		request.PageToken = base64.RawURLEncoding.EncodeToString(altered)
		_, err := tasks.Parse(request)
		require.Error(t, err, "byte %d", i)
		requireTokenRefused(t, err)
	}
}

// A store whose rows do not fit its declaration must be heard of at once: a guess would skip rows.
func TestPageRefusesValuesThatDoNotFit(t *testing.T) {
	t.Parallel()
	query, err := tasks.Parse(list.Request{OrderBy: "status", PageSize: 1})
	require.NoError(t, err)
	require.Panics(t, func() {
		list.Page(query, []row{{}, {}}, func(row, string) any { return 5 })
	})
	require.Panics(t, func() {
		list.Page(query, []row{{}, {}}, func(row, string) any { return nil })
	})
}

func requireRefused(t *testing.T, err error, field string) {
	t.Helper()
	require.Error(t, err)
	problem := errs.From(err)
	require.Equal(t, errs.InvalidArgument, problem.Kind)
	require.Equal(t, field, problem.Violations[0].Field)
}

func requireTokenRefused(t *testing.T, err error) {
	t.Helper()
	requireRefused(t, err, "pageToken")
	require.Equal(t, "PAGE_TOKEN_INVALID", errs.From(err).Reason)
}

type row struct {
	id       id.ID
	number   int32
	status   string
	priority int
	due      *time.Time
}

func (r row) value(order string) any {
	switch order {
	case "number":
		return r.number
	case "status":
		return r.status
	case "priority":
		return r.priority
	case "dueTime":
		return r.due
	default:
		return r.id
	}
}

// compare is what PostgreSQL must agree with: NULL comes last in both directions.
func (r row) compare(other row, order drawnOrder) int {
	direction := 1 - 2*boolean(order.desc)
	switch order.name {
	case "number":
		return direction * cmp.Compare(r.number, other.number)
	case "status":
		return direction * cmp.Compare(r.status, other.status)
	case "priority":
		return direction * cmp.Compare(r.priority, other.priority)
	case "dueTime":
		if r.due == nil || other.due == nil {
			return cmp.Compare(boolean(r.due == nil), boolean(other.due == nil))
		}
		return direction * r.due.Compare(*other.due)
	default:
		return direction * cmp.Compare(r.id.String(), other.id.String())
	}
}

func boolean(value bool) int {
	if value {
		return 1
	}
	return 0
}

func drawRows(t *rapid.T) []row {
	statuses := []string{"cancelled", "done", "todo"}
	numbers := rapid.SliceOfNDistinct(rapid.Int32Range(0, 1000), 0, 40, rapid.ID[int32]).Draw(t, "numbers")
	rows := make([]row, len(numbers))
	for i, number := range numbers {
		rows[i] = row{
			id: id.New(), number: number,
			status:   rapid.SampledFrom(statuses).Draw(t, "status"),
			priority: rapid.IntRange(0, 2).Draw(t, "priority"),
		}
		if rapid.Bool().Draw(t, "has due") {
			due := time.Date(2030, 1, 1, 0, 0, 0, 1000*rapid.IntRange(0, 2).Draw(t, "due"), time.UTC)
			rows[i].due = &due
		}
	}
	return rows
}

type drawnOrder struct {
	name string
	desc bool
}

func drawOrders(t *rapid.T) ([]drawnOrder, string) {
	names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"number", "status", "priority", "dueTime"}), 1, 4, rapid.ID[string]).Draw(t, "orders")
	var orders []drawnOrder
	var parts []string
	for _, name := range names {
		desc := rapid.Bool().Draw(t, "desc")
		orders = append(orders, drawnOrder{name, desc})
		parts = append(parts, name+map[bool]string{true: " desc", false: ""}[desc])
	}
	return append(orders, drawnOrder{"", orders[len(orders)-1].desc}), strings.Join(parts, ", ")
}

// Whatever the order and the size of the pages, and also when the rows are from several tables: together they are the
// whole list, sorted, each row once.
func TestPagesAreTheWholeList(t *testing.T) {
	t.Parallel()
	database := pgtest.Open(t, "list")
	_, err := database.Owner.Exec(t.Context(), createTask)
	require.NoError(t, err)
	var runs atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		run := runs.Add(1)
		rows := drawRows(rt)
		for _, row := range rows {
			_, err := database.Owner.Exec(t.Context(), `insert into task values ($1, $2, $3, $4, 'b', '', '{}', null, $5, $6, null)`,
				run, row.id.String(), row.number, row.status, row.due, row.priority)
			require.NoError(rt, err)
		}
		orders, orderBy := drawOrders(rt)
		size := rapid.Int32Range(1, 7).Draw(rt, "size")
		want := slices.SortedFunc(slices.Values(rows), func(a, b row) int {
			for _, order := range orders {
				if result := a.compare(b, order); result != 0 {
					return result
				}
			}
			return 0
		})

		parts := rapid.SampledFrom([][]string{nil, {"number % 2 = 0", "number % 2 <> 0"}, {"number % 3 = 0", "false", "number % 3 <> 0"}}).Draw(rt, "tables")
		request := list.Request{OrderBy: orderBy, PageSize: size, Filter: "number >= 0", Binding: []string{fmt.Sprint(run)}}
		var got []row
		for pages := 0; ; pages++ {
			require.LessOrEqual(rt, pages, len(rows), "the pages do not end")
			query, err := tasks.Parse(request)
			require.NoError(rt, err)
			page, next := readPage(t, rt, database, query, run, parts)
			require.LessOrEqual(rt, len(page), int(size))
			got = append(got, page...)
			if next == "" {
				break
			}
			require.Len(rt, page, int(size))
			request.PageToken = next
		}
		require.Equal(rt, numbers(want), numbers(got), orderBy)
	})
}

// readPage reads from one table what meets one of the parts, as if each part had a table of its own.
func readPage(t *testing.T, rt *rapid.T, database *pgtest.Database, query *list.Query, run int64, parts []string) ([]row, string) {
	const base = `select id::text, number, status, priority, due_at from task where run = $1`
	sql, args := query.Build(base, run)
	if len(parts) > 1 {
		var bases []string
		for _, part := range parts {
			bases = append(bases, base+" and "+part)
		}
		sql, args = query.BuildUnion(bases, run)
	}
	found, err := database.Owner.Query(t.Context(), sql, args...)
	require.NoError(rt, err, sql)
	defer found.Close()
	var rows []row
	for found.Next() {
		var read row
		var key string
		require.NoError(rt, found.Scan(&key, &read.number, &read.status, &read.priority, &read.due))
		read.id = id.MustParse(key)
		rows = append(rows, read)
	}
	require.NoError(rt, found.Err(), sql)
	next, page := list.Page(query, rows, row.value)
	return page, next
}

func numbers(rows []row) []int32 {
	found := make([]int32, 0, len(rows))
	for _, row := range rows {
		found = append(found, row.number)
	}
	return found
}

// Rows that come and go between two pages change nothing about the others.
func TestPagesSurviveChanges(t *testing.T) {
	t.Parallel()
	database := pgtest.Open(t, "list")
	_, err := database.Owner.Exec(t.Context(), createTask)
	require.NoError(t, err)
	insert := func(number int) {
		_, err := database.Owner.Exec(t.Context(), `insert into task values (1, gen_random_uuid(), $1, 'todo', 'b', '', '{}', null, null, 1, null)`, number)
		require.NoError(t, err)
	}
	for number := 10; number <= 60; number += 10 {
		insert(number)
	}
	request := list.Request{PageSize: 2, OrderBy: "number"}
	var got []int32
	for step := 0; ; step++ {
		query, err := tasks.Parse(request)
		require.NoError(t, err)
		sql, args := query.Build(`select number from task where run = $1`, 1)
		rows, err := database.Owner.Query(t.Context(), sql, args...)
		require.NoError(t, err)
		var page []row
		for rows.Next() {
			var read row
			require.NoError(t, rows.Scan(&read.number))
			page = append(page, read)
		}
		require.NoError(t, rows.Err())
		next, page := list.Page(query, page, row.value)
		got = append(got, numbers(page)...)
		if next == "" {
			break
		}
		request.PageToken = next
		if step == 0 {
			// One before the place and one after it; the row that the token names goes away.
			insert(5)
			insert(35)
			_, err := database.Owner.Exec(t.Context(), `delete from task where number = 20`)
			require.NoError(t, err)
		}
	}
	require.Equal(t, []int32{10, 20, 30, 35, 40, 50, 60}, got)
}
