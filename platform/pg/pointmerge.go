package pg

import (
	"context"
	"encoding/binary"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/braidhq/braid/platform/id"
)

// mergedForm is a statement over the calls of several requests. To start a statement costs PostgreSQL more than to
// find a row by its key, so what stands side by side in a flush is sent as one.
//
// A call's scope is set when its turn comes, and only then its own statement runs: it refers to the scope, so the
// planner cannot turn them around, and row-level security judges each call's rows by that call's scope as it does
// when it is sent alone.
const mergedForm = `select point_call.number, point_answer.*
from unnest(%s) with ordinality as point_call (%snumber)
cross join lateral (` + setCallScope + `) as point_scope
cross join lateral (
    select * from (
%s
    ) as point_statement where point_scope.is_set is not null offset 0
) as point_answer`

// scopeParameters are the first parameters of every merged statement.
var scopeParameters = []mergedParameter{{pgtype.TextOID, "text", "scope_organization"}, {pgtype.TextOID, "text", "scope_user"}}

// mergedParameter is a parameter of a merged statement: an array with one element for each call.
type mergedParameter struct {
	element  uint32
	typeName string
	name     string
}

var placeholder = regexp.MustCompile(`\$(\d+)`)

// mergedStatement is a statement's merged form on one connection.
type mergedStatement struct {
	preparedStatement
	parameters []mergedParameter
}

// mergedParameters returns the parameters of a statement's merged form; false when one has no array type.
func mergedParameters(types *pgtype.Map, statement *pgconn.StatementDescription) ([]mergedParameter, bool) {
	parameters := scopeParameters[:len(scopeParameters):len(scopeParameters)]
	for i, oid := range statement.ParamOIDs {
		known, ok := types.TypeForOID(oid)
		if !ok {
			return nil, false
		}
		if _, ok := types.TypeForName("_" + known.Name); !ok {
			return nil, false
		}
		parameters = append(parameters, mergedParameter{oid, known.Name, fmt.Sprintf("argument_%d", i+1)})
	}
	return parameters, true
}

func mergedText(sql string, parameters []mergedParameter) string {
	arrays, names := make([]string, len(parameters)), ""
	for i, parameter := range parameters {
		arrays[i] = fmt.Sprintf("$%d::%s[]", i+1, parameter.typeName)
		names += parameter.name + ", "
	}
	inner := placeholder.ReplaceAllString(sql, "point_call.argument_$1")
	return fmt.Sprintf(mergedForm, strings.Join(arrays, ", "), names, inner)
}

// prepareMerged returns the merged form of a prepared statement, nil when it has none: its requests are sent one by one.
func (c *pointConnection) prepareMerged(ctx context.Context, sql string, single *preparedStatement) *mergedStatement {
	if single.merged != nil || single.unmergeable {
		return single.merged
	}
	single.unmergeable = true
	parameters, ok := mergedParameters(c.session.TypeMap(), single.description)
	if !ok {
		return nil
	}
	made, err := c.describe(ctx, mergedText(sql, parameters))
	if err != nil || len(made.columns) != len(single.columns)+1 {
		return nil
	}
	made.columns = made.columns[1:]
	single.merged, single.unmergeable = &mergedStatement{preparedStatement: *made, parameters: parameters}, false
	return single.merged
}

// arrayHeader is the length of a one-dimensional array's header: dimensions, whether NULLs may follow, type, length, lower bound.
const arrayHeader = 20

// argumentArrays builds the parameters of a merged statement in PostgreSQL's binary form, in buffers used again.
type argumentArrays struct {
	arrays  [][]byte
	formats []int16
	calls   int
}

func (a *argumentArrays) reset(parameters []mergedParameter) {
	for len(a.arrays) < len(parameters) {
		a.arrays = append(a.arrays, make([]byte, arrayHeader, 512))
		a.formats = append(a.formats, pgtype.BinaryFormatCode)
	}
	a.calls = 0
	for i, parameter := range parameters {
		header := a.arrays[i][:arrayHeader]
		binary.BigEndian.PutUint32(header[0:], 1)
		binary.BigEndian.PutUint32(header[4:], 1)
		binary.BigEndian.PutUint32(header[8:], parameter.element)
		binary.BigEndian.PutUint32(header[16:], 1)
		a.arrays[i] = header
	}
}

// add adds a call: its scope and its encoded arguments. It reports false, and adds nothing, when an argument's text
// would have to be read by the server: such a request is sent alone.
func (a *argumentArrays) add(scope Scope, arguments *pgx.ExtendedQueryBuilder, parameters []mergedParameter) bool {
	for i, value := range arguments.ParamValues {
		element := parameters[len(scopeParameters)+i].element
		if value != nil && arguments.ParamFormats[i] != pgtype.BinaryFormatCode && element != pgtype.TextOID && element != pgtype.VarcharOID {
			return false
		}
	}
	a.arrays[0] = appendIdentifier(a.arrays[0], scope.OrganizationID)
	a.arrays[1] = appendIdentifier(a.arrays[1], scope.UserID)
	for i, value := range arguments.ParamValues {
		at := len(scopeParameters) + i
		a.arrays[at] = appendElement(a.arrays[at], value)
	}
	a.calls++
	return true
}

// finish returns the arrays of all calls added. They are valid until the next reset.
func (a *argumentArrays) finish(parameters []mergedParameter) (values [][]byte, formats []int16) {
	for i := range parameters {
		binary.BigEndian.PutUint32(a.arrays[i][12:], uint32(a.calls)) //nolint:gosec // at most maxFlush
	}
	return a.arrays[:len(parameters)], a.formats[:len(parameters)]
}

func appendElement(array, value []byte) []byte {
	if value == nil {
		return append(array, 0xff, 0xff, 0xff, 0xff)
	}
	return append(binary.BigEndian.AppendUint32(array, uint32(len(value))), value...) //nolint:gosec // a message is below 1 GB
}

// appendIdentifier adds an identifier as a text.
func appendIdentifier(array []byte, value id.ID) []byte {
	start := len(array)
	array, _ = value.AppendText(append(array, 0, 0, 0, 0))                // it has no error to return
	binary.BigEndian.PutUint32(array[start:], uint32(len(array)-start-4)) //nolint:gosec // at most 36
	return array
}
