package pg

import (
	"encoding/binary"
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
	switch column.DataTypeOID {
	case pgtype.UUIDOID:
		return len(source) == 16 && scanIdentifier(source, target)
	case pgtype.TextOID, pgtype.VarcharOID:
		return scanText(source, target)
	case pgtype.Int2OID:
		known, ok := target.(*int16)
		if ok && len(source) == 2 {
			*known = int16(binary.BigEndian.Uint16(source)) //nolint:gosec // two's complement
			return true
		}
	case pgtype.Int4OID:
		known, ok := target.(*int32)
		if ok && len(source) == 4 {
			*known = int32(binary.BigEndian.Uint32(source)) //nolint:gosec // two's complement
			return true
		}
	case pgtype.Int8OID:
		known, ok := target.(*int64)
		if ok && len(source) == 8 {
			*known = int64(binary.BigEndian.Uint64(source)) //nolint:gosec // two's complement
			return true
		}
	case pgtype.BoolOID:
		known, ok := target.(*bool)
		if ok && len(source) == 1 {
			*known = source[0] == 1
			return true
		}
	case pgtype.TimestamptzOID:
		return len(source) == 8 && scanTime(source, target)
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

func scanIdentifier(source []byte, target any) bool {
	switch known := target.(type) {
	case *id.ID:
		*known = id.ID(source)
	case **id.ID:
		value := id.ID(source)
		*known = &value
	default:
		return false
	}
	return true
}

func scanText(source []byte, target any) bool {
	switch known := target.(type) {
	case *string:
		*known = string(source)
	case **string:
		value := string(source)
		*known = &value
	default:
		return false
	}
	return true
}

// postgresEpoch is what timestamps count microseconds from, in Unix microseconds: 1 January 2000.
const postgresEpoch = 946_684_800_000_000

func scanTime(source []byte, target any) bool {
	microseconds := int64(binary.BigEndian.Uint64(source)) //nolint:gosec // two's complement
	if microseconds == 1<<63-1 || microseconds == -1<<63 {
		return false // the infinities
	}
	value := time.UnixMicro(postgresEpoch + microseconds)
	switch known := target.(type) {
	case *time.Time:
		*known = value
	case **time.Time:
		*known = &value
	default:
		return false
	}
	return true
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
