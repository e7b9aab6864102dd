package pg

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/braidhq/braid/platform/id"
)

// scanKnown reads a value of the types that most columns have, and reports false for any other, which is pgtype's: it
// looks for a plan anew for each value of each row, which costs more than all else of a read in this process.
func scanKnown(column *pgconn.FieldDescription, source []byte, target any) bool {
	if source == nil {
		return scanNull(column.DataTypeOID, target)
	}
	if column.Format != pgtype.BinaryFormatCode && column.DataTypeOID != pgtype.TextOID {
		return false
	}
	number := binary.BigEndian
	switch column.DataTypeOID {
	case pgtype.UUIDOID:
		return len(source) == 16 && assign(target, id.ID(source))
	case pgtype.TextOID, pgtype.VarcharOID:
		return assign(target, string(source))
	case pgtype.Int2OID:
		return len(source) == 2 && assign(target, int16(number.Uint16(source))) //nolint:gosec // two's complement
	case pgtype.Int4OID:
		return len(source) == 4 && assign(target, int32(number.Uint32(source))) //nolint:gosec // two's complement
	case pgtype.Int8OID:
		return len(source) == 8 && assign(target, int64(number.Uint64(source))) //nolint:gosec // two's complement
	case pgtype.BoolOID:
		return len(source) == 1 && assign(target, source[0] == 1)
	case pgtype.TimestamptzOID:
		return len(source) == 8 && scanTime(int64(number.Uint64(source)), target) //nolint:gosec // two's complement
	case pgtype.TextArrayOID:
		if known, ok := target.(*[]string); ok {
			return scanArray(source, known, readText, 0)
		}
	case pgtype.UUIDArrayOID:
		if known, ok := target.(*[]id.ID); ok {
			return scanArray(source, known, readIdentifier, len(id.ID{}))
		}
	}
	return false
}

// scanNull sets what a NULL is read into to nothing, as pgtype does.
func scanNull(oid uint32, target any) bool {
	switch known := target.(type) {
	case *id.ID:
		*known = id.ID{}
		return oid == pgtype.UUIDOID
	case **id.ID:
		*known = nil
		return oid == pgtype.UUIDOID
	case **string:
		*known = nil
		return oid == pgtype.TextOID
	case **time.Time:
		*known = nil
		return oid == pgtype.TimestamptzOID
	}
	return false
}

// assign sets a target of a value's type, or one that may be nil.
func assign[Value any](target any, value Value) bool {
	switch known := target.(type) {
	case *Value:
		*known = value
	case **Value:
		*known = &value
	default:
		return false
	}
	return true
}

// postgresEpoch is what timestamps count microseconds from, in Unix microseconds: 1 January 2000.
const postgresEpoch = 946_684_800_000_000

func scanTime(microseconds int64, target any) bool {
	if microseconds == math.MaxInt64 || microseconds == math.MinInt64 {
		return false // the infinities
	}
	return assign(target, time.UnixMicro(postgresEpoch+microseconds))
}

// scanArray reads an array of one dimension without NULLs.
func scanArray[Element any](source []byte, target *[]Element, read func([]byte) Element, size int) bool {
	if len(source) < 12 {
		return false
	}
	dimensions := binary.BigEndian.Uint32(source)
	if dimensions == 0 {
		*target = []Element{}
		return true
	}
	if dimensions != 1 || len(source) < arrayHeader {
		return false
	}
	count := int(binary.BigEndian.Uint32(source[12:]))
	rest := source[arrayHeader:]
	if count > len(rest)/4 {
		return false
	}
	elements := make([]Element, 0, count)
	for range count {
		if len(rest) < 4 {
			return false
		}
		length := binary.BigEndian.Uint32(rest)
		// A NULL has the length -1, which is too long.
		if rest = rest[4:]; uint64(length) > uint64(len(rest)) || size > 0 && int(length) != size {
			return false
		}
		elements = append(elements, read(rest[:length]))
		rest = rest[length:]
	}
	*target = elements
	return true
}

func readText(source []byte) string { return string(source) }

func readIdentifier(source []byte) id.ID { return id.ID(source) }
