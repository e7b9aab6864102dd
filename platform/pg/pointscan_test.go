package pg_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
)

// TestPointValuesAreThoseOfAnyRead reads values of many types once with the driver's decoding and once with ours.
func TestPointValuesAreThoseOfAnyRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	read := func(querier pg.Querier, expression string, target any) any {
		err := querier.QueryRow(t.Context(), `select `+expression).Scan(target)
		if err != nil {
			return "error" // not its text: the driver names the column of each statement differently
		}
		return target
	}
	targets := map[string]func() any{
		"id": func() any { return new(id.ID) }, "nullable id": func() any { return new(*id.ID) }, "ids": func() any { return new([]id.ID) },
		"text": func() any { return new(string) }, "nullable text": func() any { return new(*string) }, "texts": func() any { return new([]string) },
		"int16": func() any { return new(int16) }, "int32": func() any { return new(int32) }, "int64": func() any { return new(int64) },
		"bool": func() any { return new(bool) }, "time": func() any { return new(time.Time) }, "nullable time": func() any { return new(*time.Time) },
		"bytes": func() any { return new([]byte) }, "float": func() any { return new(float64) }, "any": func() any { return new(any) },
	}
	values := []string{
		`'01a202a2-8586-7a51-b55b-f190f638ee17'::uuid`, `'00000000-0000-0000-0000-000000000000'::uuid`,
		`array['01a202a2-8586-7a51-b55b-f190f638ee17']::uuid[]`, `'{}'::uuid[]`,
		`'some text with ü and '||chr(1)`, `''`, `'fixed'::char(9)`, `'varying'::varchar(9)`, `'{"a":1}'::jsonb`,
		`array['a','','ü"{},\']`, `'{}'::text[]`, `array[array['a'],array['b']]`, `'[3:4]={a,b}'::text[]`,
		`7::int2`, `-32768::int2`, `7`, `-2147483648::int4`, `2147483647`, `7::int8`, `-9223372036854775808::int8`,
		`true`, `false`, `1.5::float8`, `1.5::numeric`, `'\x00ff'::bytea`,
		`'2026-11-22 10:11:12.345678+02'::timestamptz`, `'1999-12-31 23:59:59.999999Z'::timestamptz`, `'0044-03-15 00:00:00Z BC'::timestamptz`,
		`'infinity'::timestamptz`, `'-infinity'::timestamptz`, `'2026-11-22'::date`,
	}
	// NULLs only where they fit: what the driver says of the others depends on what it decoded before.
	nulls := map[string][]string{
		"id": {`null::uuid`}, "nullable id": {`null::uuid`}, "ids": {`null::uuid[]`, `array[null]::uuid[]`}, "nullable text": {`null::text`},
		"text": {`null::text`}, "texts": {`null::text[]`, `array['a',null]`}, "int32": {`null::int4`}, "nullable time": {`null::timestamptz`}, "any": {`null::text`},
	}
	for name, target := range targets {
		for _, value := range nulls[name] {
			require.Equal(t, read(b.DB.Read(b.mine), value, target()), read(b.DB.Point(b.mine), value, target()), "%s as %s", value, name)
		}
		for _, value := range values {
			require.Equal(t, read(b.DB.Read(b.mine), value, target()), read(b.DB.Point(b.mine), value, target()), "%s as %s", value, name)
		}
	}
	require.Error(t, b.DB.Point(b.mine).QueryRow(t.Context(), `select 1, 2`).Scan(new(int)), "a target too few")
	require.NoError(t, b.DB.Point(b.mine).QueryRow(t.Context(), `select 1, 2`).Scan(nil, new(int)))
}
