package list_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/testkit/pgtest"
)

// tasks is the list that the tests ask for: one field of each type, some absent in some rows.
var tasks = list.Spec{
	Name: "tasks",
	Fields: map[string]list.Field{
		"status":     {Column: "status", Type: list.String},
		"kind":       {Column: "kind", Type: list.String, Values: map[string]any{"bug": "b", "feature": "f"}},
		"title":      {Column: "title", Type: list.Text},
		"labels":     {Column: "labels", Type: list.StringSet},
		"assigneeId": {Column: "assignee_id", Type: list.ID},
		"number":     {Column: "number", Type: list.Int},
		"dueTime":    {Column: "due_at", Type: list.Time},
		"priority":   {Column: "priority", Type: list.Enum, Values: map[string]any{"LOW": 1, "NORMAL": 2, "HIGH": 3}},
		"unread":     {Column: "read_at is null", Type: list.Bool},
	},
	Orders: map[string]list.Order{
		"number":   {Column: "number", Type: list.Int, Unique: true},
		"status":   {Column: "status", Type: list.String},
		"priority": {Column: "priority", Type: list.Int},
		"dueTime":  {Column: "due_at", Type: list.Time, Nullable: true},
	},
	Default:  "number",
	Tiebreak: list.Order{Column: "id", Type: list.ID},
}

const createTask = `create table task (
    run bigint not null, id uuid not null, number int not null, status text not null, kind text not null, title text not null,
    labels text[] not null, assignee_id uuid, due_at timestamptz, priority smallint not null, read_at timestamptz)`

var (
	ada = id.MustParse("0192f3a4-0000-7000-8000-00000000000a")
	ben = id.MustParse("0192f3a4-0000-7000-8000-00000000000b")
)

func TestSpecIsDeclaredInFull(t *testing.T) {
	t.Parallel()
	require.NoError(t, tasks.Validate())

	wrong := tasks
	wrong.Default = "nothing"
	require.ErrorContains(t, wrong.Validate(), "default order of list tasks")
	wrong = tasks
	wrong.Tiebreak.Nullable = true
	require.ErrorContains(t, wrong.Validate(), "tiebreak")
	wrong = tasks
	wrong.Orders = map[string]list.Order{"number": {Column: "number", Type: list.Bool}}
	require.ErrorContains(t, wrong.Validate(), "order number")
	wrong.Orders = map[string]list.Order{"number": {Column: "number", Type: list.Int, Nullable: true, Unique: true}}
	require.ErrorContains(t, wrong.Validate(), "order number", "rows without a value would be equal")
	wrong = tasks
	wrong.Fields = map[string]list.Field{"priority": {Column: "priority", Type: list.Enum}}
	require.ErrorContains(t, wrong.Validate(), "field priority")
}

// selections are filters, with the numbers of the rows of selectable that must come back.
var selections = map[string][]int{
	``:                         {1, 2, 3, 4},
	"  \n ":                    {1, 2, 3, 4},
	`status = "todo"`:          {1, 4},
	`status=todo`:              {1, 4},
	`status = 'in_progress'`:   {2},
	`status != "todo"`:         {2, 3},
	`NOT status = "todo"`:      {2, 3},
	`-status = "todo"`:         {2, 3},
	`status = "x' or true --"`: nil,
	`kind = bug`:               {1, 4},
	`kind != "bug"`:            {2, 3},

	`title:"100%"`:                    {1},
	`title:"cpu_LOAD"`:                {1},
	`title:"C:\\temp"`:                {3},
	`title:"\"full\""`:                {3},
	`title:"ÉCLAIR"`:                  {4},
	`title:error`:                     {2},
	`title = "Write a better error"`:  {2},
	`title != "Write a better error"`: {1, 3, 4},

	`labels:"web"`:                 {1, 3},
	`labels:web AND labels:urgent`: {1},
	`NOT labels:"web"`:             {2, 4},
	`labels:*`:                     {1, 3, 4},
	`labels:"*"`:                   {4},
	`labels:"a b"`:                 {4},

	`assigneeId = "` + ada.String() + `"`:                {1, 4},
	`assigneeId = ` + ada.String():                       {1, 4},
	`assigneeId != ` + ada.String():                      {2, 3},
	`NOT assigneeId = ` + ada.String():                   {2, 3},
	`assigneeId:*`:                                       {1, 2, 4},
	`NOT assigneeId:*`:                                   {3},
	`assigneeId = ""`:                                    {3},
	`assigneeId != ""`:                                   {1, 2, 4},
	`(assigneeId=` + strings.ToUpper(ben.String()) + `)`: {2},

	`number = 2`:                   {2},
	`number > 2`:                   {3, 4},
	`number >= 2 number <= 3`:      {2, 3},
	`number != -5`:                 {1, 2, 3, 4},
	`number < 9223372036854775807`: {1, 2, 3, 4},

	`dueTime > "2030-01-01T00:00:00Z"`:      {2},
	`dueTime >= 2030-01-01T00:00:00Z`:       {1, 2},
	`dueTime = 2030-01-01T02:00:00+02:00`:   {1},
	`dueTime < 2030-06-01t12:00:00.000001z`: {1, 2},
	`dueTime != 2030-01-01T00:00:00Z`:       {2, 3, 4},
	`NOT dueTime > 2030-01-01T00:00:00Z`:    {1, 3, 4},
	`dueTime:*`:                             {1, 2},

	`priority = HIGH`:    {3, 4},
	`priority = "HIGH"`:  {3, 4},
	`priority != HIGH`:   {1, 2},
	`priority >= NORMAL`: {2, 3, 4},

	`unread = true`:      {1, 3},
	`unread = false`:     {2, 4},
	`unread != true`:     {2, 4},
	`NOT unread = false`: {1, 3},

	// AIP-160: OR binds tighter than AND.
	`status = done OR status = todo AND priority = HIGH`:         {3, 4},
	`(status = done) OR (status = todo AND priority = LOW)`:      {1, 3},
	`NOT (status = todo OR status = done)`:                       {2},
	`status = todo priority = LOW`:                               {1},
	`NOT (assigneeId = ` + ada.String() + ` AND priority = LOW)`: {2, 3, 4},
}

const selectable = `insert into task values
	(0, gen_random_uuid(), 1, 'todo',        'b', 'Fix the 100% CPU_load',   '{web,urgent}', $1,   '2030-01-01T00:00:00Z', 1, null),
	(0, gen_random_uuid(), 2, 'in_progress', 'f', 'Write a better error',    '{}',           $2,   '2030-06-01T12:00:00Z', 2, now()),
	(0, gen_random_uuid(), 3, 'done',        'f', 'C:\temp is "full"',       '{web}',        null, null,                   3, null),
	(0, gen_random_uuid(), 4, 'todo',        'b', 'éclair Ärger 100 CPUxload', '{*,a b}',     $1,   null,                   3, now())`

// Each filter is asked of PostgreSQL.
func TestFilterSelects(t *testing.T) {
	t.Parallel()
	database := pgtest.Open(t, "list")
	_, err := database.Owner.Exec(t.Context(), createTask)
	require.NoError(t, err)
	_, err = database.Owner.Exec(t.Context(), selectable, ada.String(), ben.String())
	require.NoError(t, err)

	for filter, want := range selections {
		query, err := tasks.Parse(list.Request{Filter: filter})
		require.NoError(t, err, filter)
		sql, args := query.Build("select number from task where run = $1", 0)
		rows, err := database.Owner.Query(t.Context(), sql, args...)
		require.NoError(t, err, "%s\n%s", filter, sql)
		var got []int
		for rows.Next() {
			var number int
			require.NoError(t, rows.Scan(&number))
			got = append(got, number)
		}
		require.NoError(t, rows.Err(), "%s\n%s", filter, sql)
		require.Equal(t, want, got, "%s\n%s", filter, sql)
	}
}

// Of a text at its ends: an asterisk stands for anything, presence is not being empty.
func TestFilterSelectsTexts(t *testing.T) {
	t.Parallel()
	database := pgtest.Open(t, "list")
	_, err := database.Owner.Exec(t.Context(), createTask)
	require.NoError(t, err)
	all := []string{"", "Alpha one", "Beta alpha", `100% *`, `\d* b`, "a_b"}
	for _, title := range all {
		_, err = database.Owner.Exec(t.Context(), `insert into task values (0, gen_random_uuid(), 1, $1, 'b', $1, '{}', null, null, 1, null)`, title)
		require.NoError(t, err)
	}
	for filter, want := range map[string][]string{
		`title:*`:              all[1:],
		`NOT title:*`:          {""},
		`title:"*"`:            all,
		`title:"a*"`:           {"Alpha one", "Beta alpha", "a_b"},
		`title:"*ALPHA*"`:      {"Alpha one", "Beta alpha"},
		`title:"\\*"`:          {"100% *", `\d* b`},
		`title:"% \\*"`:        {"100% *"},
		`title:"d* b"`:         {`\d* b`},
		`title = "Alpha*"`:     {"Alpha one"},
		`title = "alpha*"`:     nil,
		`title = "*alpha"`:     {"Beta alpha"},
		`title = "*a*"`:        {"Alpha one", "Beta alpha", "a_b"},
		`title = "a_*"`:        {"a_b"},
		`title = "Al_*"`:       nil,
		`title = "100%*"`:      {"100% *"},
		`title = "*%"`:         nil,
		`title = "100% \\*"`:   {"100% *"},
		`title = "\\d*"`:       {`\d* b`},
		`title = "Alpha*one"`:  nil,
		`title = "*"`:          all,
		`title != "*alpha"`:    {"", "Alpha one", `100% *`, `\d* b`, "a_b"},
		`NOT title = "Alpha*"`: {"", "Beta alpha", `100% *`, `\d* b`, "a_b"},
		`status:*`:             all[1:],
		`status = "Alpha*"`:    {"Alpha one"},
		`status != "*a*"`:      {"", `100% *`, `\d* b`},
		`status = "100% \\*"`:  {"100% *"},
	} {
		query, err := tasks.Parse(list.Request{Filter: filter})
		require.NoError(t, err, filter)
		sql, args := query.Build("select title from task where run = $1", 0)
		rows, err := database.Owner.Query(t.Context(), sql, args...)
		require.NoError(t, err, "%s\n%s", filter, sql)
		var got []string
		for rows.Next() {
			var title string
			require.NoError(t, rows.Scan(&title))
			got = append(got, title)
		}
		require.NoError(t, rows.Err(), "%s\n%s", filter, sql)
		require.ElementsMatch(t, want, got, "%s\n%s", filter, sql)
	}
}

func TestFilterIsRefused(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("(", 17) + "number = 1" + strings.Repeat(")", 17)
	for filter, want := range map[string]string{
		`secret = 1`:                "filter.unknown_field: at character 1: ",
		`number = 1 AND secret = 1`: "filter.unknown_field: at character 16: ",
		`"status" = "todo"`:         "filter.unknown_field: at character 1: ",
		`status.x = "todo"`:         "filter.unknown_field: ",
		`5 = number`:                "filter.unknown_field: ",
		`number = status = 1`:       "filter.syntax: at character 17: ",
		`number`:                    "filter.syntax: at character 1: ",
		`number = 1 and number = 2`: "filter.syntax: at character 12: needs a comparison",
		`number =`:                  "filter.syntax: ",
		`number = 1 AND`:            "filter.syntax: ",
		`(number = 1`:               "filter.syntax: at character 12: ",
		`number = 1)`:               "filter.syntax: at character 11: ",
		`status = "open`:            "filter.syntax: at character 10: unterminated",
		`ä = `:                      "filter.syntax: ",
		`assigneeId = ` + ada.String() + ` secret = 1`: "filter.unknown_field: at character 51: ",
		`lower(status) = "todo"`:                       "filter.unknown_field: ",
		`lower(status)`:                                "filter.function: ",
		`AND(number, number, number)`:                  "filter.syntax: ",
		`NOT()`:                                        "filter.syntax: ",
		`status = lower("x")`:                          "filter.type: at character 10: ",
		`status = (todo OR done)`:                      "filter.type: ",
		`status = 1`:                                   "filter.type: ",
		`status > "a"`:                                 "filter.operator: at character 1: status can't be compared by >, only by = !=",
		`status:"to"`:                                  "filter.operator: ",
		`status = "a\000b"`:                            "filter.type: ",
		`title:"a\x00b"`:                               "filter.type: ",
		`labels:"\x00"`:                                "filter.type: ",
		`kind = other`:                                 "filter.type: at character 8: must be one of bug, feature",
		`kind > bug`:                                   "filter.operator: ",
		`title < "a"`:                                  "filter.operator: ",
		`title:5`:                                      "filter.type: ",
		`labels = "web"`:                               "filter.operator: ",
		`assigneeId = "ada"`:                           "filter.type: ",
		`assigneeId = 00000000-0000-0000-0000-000000000000`: "filter.type: ",
		`assigneeId > ` + ada.String():                      "filter.operator: ",
		`number = "1"`:                                      "filter.type: ",
		`number = 1.5`:                                      "filter.type: ",
		`number = 99999999999999999999`:                     "filter.",
		`dueTime = 2030-01-01`:                              "filter.syntax: ",
		`dueTime = "tomorrow"`:                              "filter.type: ",
		`dueTime = "0000-01-01T00:00:00Z"`:                  "filter.type: ",
		`priority = URGENT`:                                 "filter.type: at character 12: must be one of HIGH, LOW, NORMAL",
		`priority:HIGH`:                                     "filter.operator: ",
		`unread = 1`:                                        "filter.type: ",
		`unread > true`:                                     "filter.operator: ",
		`unread`:                                            "filter.syntax: ",
		deep:                                                "filter.too_complex: ",
		strings.Repeat(`number = 1 `, 33):                   "filter.too_complex: ",
		strings.Repeat(" ", 2049) + "x":                     "filter.too_long: ",
		"status = \"\xff\"":                                 "filter.utf8: ",
		"status = \"\x00\"":                                 "filter.utf8: ",
	} {
		_, err := tasks.Parse(list.Request{Filter: filter})
		require.Error(t, err, filter)
		problem := errs.From(err)
		require.Equal(t, errs.InvalidArgument, problem.Kind, filter)
		require.Equal(t, "INVALID_ARGUMENT", problem.Reason)
		require.Len(t, problem.Violations, 1)
		require.Equal(t, "filter", problem.Violations[0].Field)
		require.Contains(t, problem.Violations[0].Rule+": "+problem.Violations[0].Message, want, filter)
	}
}

// A filter of the greatest length with many brackets must not take long, however wrong it is.
func TestFilterParsingIsBounded(t *testing.T) {
	t.Parallel()
	for _, hostile := range []string{"f(", "(", "-(", "a:f(", "f(( ", "NOT (", "a.", "1 ", `"`, "f(a,", "- "} {
		started := time.Now()
		_, err := tasks.Parse(list.Request{Filter: strings.Repeat(hostile, 2048/len(hostile))})
		require.Error(t, err, hostile)
		require.Less(t, time.Since(started), 2*time.Second, hostile)
	}
}
