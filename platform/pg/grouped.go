package pg

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
)

// Grouped is a statement that several members of a shared transaction have run as one. To start a statement costs
// PostgreSQL more than to write a row, so what all of them do goes out once, for all their calls.
//
// It is written over {calls}, a relation with one row for each call and the call's arguments for columns; {names} are
// their names, comma by comma. Alone it has one row. For many, each row's scope is set when its turn comes, and the
// statement must take the rows as they come: put them into a table, or look up by them with a join that keeps them on
// its outer side. Then row-level security judges what a call reads and writes by that call's scope. Were the rows read
// ahead, the scope of the last would stand for all, and the calls of others would find nothing or be refused, and be
// run again each alone: slower, and never more than a call may see.
//
// The first parameter is a uuid that no two calls have in common. A statement that answers has it for its first column,
// and gives at most one row for each call.
type Grouped struct {
	one, many string
	// arrays are the types of the parameters that are arrays themselves, which no array can hold; else "".
	arrays []string
}

const (
	oneCall   = `(select %s) as calls`
	manyCalls = `(
    select %s
    from unnest(%s) as call (%s)
    cross join lateral (` + setCallScope + `) as scope
    where scope.is_set is not null
    offset 0
) as calls`
)

// NewGrouped returns the statement. The parameters are given as "name type, name type".
func NewGrouped(parameters, sql string) *Grouped {
	made := &Grouped{}
	var values, names, selected, arrays []string
	for parameter := range strings.SplitSeq(parameters, ",") {
		name, typeName, _ := strings.Cut(strings.TrimSpace(parameter), " ")
		number := len(names) + 1
		values = append(values, fmt.Sprintf("$%d::%s as %s", number, typeName, name))
		element, isArray := strings.CutSuffix(typeName, "[]")
		if isArray {
			selected = append(selected, fmt.Sprintf("call.%s::%s as %s", name, typeName, name))
			arrays = append(arrays, fmt.Sprintf("$%d::text[]", number))
			made.arrays = append(made.arrays, "_"+element)
		} else {
			selected = append(selected, "call."+name)
			arrays = append(arrays, fmt.Sprintf("$%d::%s[]", number, typeName))
			made.arrays = append(made.arrays, "")
		}
		names = append(names, name)
	}
	count := len(names)
	sql = strings.ReplaceAll(sql, "{names}", strings.Join(names, ", "))
	made.one = strings.ReplaceAll(sql, "{calls}", fmt.Sprintf(oneCall, strings.Join(values, ", ")))
	arrays = append(arrays, fmt.Sprintf("$%d::text[]", count+1), fmt.Sprintf("$%d::text[]", count+2))
	names = append(names, "scope_organization", "scope_user")
	made.many = strings.ReplaceAll(sql, "{calls}", fmt.Sprintf(manyCalls,
		strings.Join(selected, ", "), strings.Join(arrays, ", "), strings.Join(names, ", ")))
	return made
}

// call is the statement for one call.
func (g *Grouped) call(arguments []any) statement {
	return statement{sql: g.one, arguments: arguments, grouped: g}
}

// arguments returns what the form for many takes: an array for each parameter, with the calls' scopes behind.
func (g *Grouped) arguments(types *pgtype.Map, calls []groupedCall) ([]any, error) {
	columns := make([]pgtype.FlatArray[any], len(g.arrays)+2)
	for i := range columns {
		columns[i] = make(pgtype.FlatArray[any], len(calls))
	}
	for row, call := range calls {
		if len(call.arguments) != len(g.arrays) {
			return nil, fmt.Errorf("a grouped statement of %d parameters has %d arguments", len(g.arrays), len(call.arguments))
		}
		for column, argument := range call.arguments {
			if g.arrays[column] != "" {
				var err error
				if argument, err = arrayText(types, g.arrays[column], argument); err != nil {
					return nil, err
				}
			}
			columns[column][row] = argument
		}
		for i, text := range call.member.scope.arguments() {
			columns[len(g.arrays)+i][row] = text
		}
	}
	arguments := make([]any, len(columns))
	for i, column := range columns {
		arguments[i] = column
	}
	return arguments, nil
}

// arrayText writes an array as PostgreSQL does in text.
func arrayText(types *pgtype.Map, typeName string, value any) (any, error) {
	known, ok := types.TypeForName(typeName)
	if !ok {
		return nil, fmt.Errorf("no type %s is known", typeName)
	}
	text, err := types.Encode(known.OID, pgtype.TextFormatCode, value, nil)
	if err != nil || text == nil {
		return nil, err
	}
	return string(text), nil
}

// groupedCall is a member's call of a grouped statement.
type groupedCall struct {
	member    *sharer
	arguments []any
	// answered says that the member waits for its row.
	answered bool
}

// parcel is what is sent at once in a round: one member's statement, or one statement for the calls of several.
type parcel struct {
	statement
	calls []groupedCall
}

// answered says that somebody waits for the rows.
func (p parcel) answered() bool {
	return slices.ContainsFunc(p.calls, func(call groupedCall) bool { return call.answered })
}

// arrange puts the members' statements into as few parcels as their orders allow: each member's own stay in their
// order, and what can't be grouped goes first, so that more of the rest meet.
func arrange(members []*sharer) (parcels []parcel) {
	next := make([]int, len(members))
	take := func(i int) parcel {
		member := members[i]
		taken := member.statements[next[i]]
		next[i]++
		answered := member.state == sharerWaits && next[i] == len(member.statements)
		return parcel{taken, []groupedCall{{member, taken.arguments, answered}}}
	}
	head := func(i int) *statement {
		if next[i] == len(members[i].statements) {
			return nil
		}
		return &members[i].statements[next[i]]
	}
	for {
		var group *Grouped
		for i := range members {
			for head(i) != nil && head(i).grouped == nil {
				parcels = append(parcels, take(i))
			}
			if group == nil && head(i) != nil {
				group = head(i).grouped
			}
		}
		if group == nil {
			return parcels
		}
		var gathered parcel
		for i := range members {
			if head(i) != nil && head(i).grouped == group {
				taken := take(i)
				gathered.statement = taken.statement
				gathered.calls = append(gathered.calls, taken.calls...)
			}
		}
		parcels = append(parcels, gathered)
	}
}
