// Package jsonwire holds the pieces that the generated JSON encoders are made of. What they write is what protojson
// would with EmitDefaultValues, without reflection: the lists that people wait for are mostly encoding.
package jsonwire

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Appender is implemented by every generated message of the contract.
type Appender interface {
	// AppendJSON adds the message in its JSON form to dst.
	AppendJSON(dst []byte) []byte
}

const hexDigits = "0123456789abcdef"

// AppendString adds a JSON string. Bytes that are no UTF-8 become U+FFFD: an answer must never be broken by one row.
func AppendString(dst []byte, text string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(text); {
		char := text[i]
		if char >= utf8.RuneSelf {
			decoded, size := utf8.DecodeRuneInString(text[i:])
			if decoded == utf8.RuneError && size == 1 {
				dst = append(append(dst, text[start:i]...), "\uFFFD"...)
				start = i + 1
			}
			i += size
			continue
		}
		if char >= ' ' && char != '"' && char != '\\' {
			i++
			continue
		}
		dst = append(dst, text[start:i]...)
		dst = appendEscaped(dst, char)
		i++
		start = i
	}
	return append(append(dst, text[start:]...), '"')
}

func appendEscaped(dst []byte, char byte) []byte {
	switch char {
	case '"', '\\':
		return append(dst, '\\', char)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	default:
		return append(dst, '\\', 'u', '0', '0', hexDigits[char>>4], hexDigits[char&0xf])
	}
}

// AppendInt64 adds a 64-bit number, which JSON carries as a string.
func AppendInt64(dst []byte, number int64) []byte {
	return append(strconv.AppendInt(append(dst, '"'), number, 10), '"')
}

// AppendInt32 adds a 32-bit number.
func AppendInt32(dst []byte, number int32) []byte { return strconv.AppendInt(dst, int64(number), 10) }

// AppendUint64 adds a 64-bit number, which JSON carries as a string.
func AppendUint64(dst []byte, number uint64) []byte {
	return append(strconv.AppendUint(append(dst, '"'), number, 10), '"')
}

// AppendUint32 adds a 32-bit number.
func AppendUint32(dst []byte, number uint32) []byte {
	return strconv.AppendUint(dst, uint64(number), 10)
}

// AppendFloat adds a number, or in quotes what JSON has no number for.
func AppendFloat[F float32 | float64](dst []byte, number F) []byte {
	switch wide := float64(number); {
	case math.IsNaN(wide):
		return append(dst, `"NaN"`...)
	case math.IsInf(wide, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(wide, -1):
		return append(dst, `"-Infinity"`...)
	}
	encoded, _ := json.Marshal(number) // Fails for the above alone.
	return append(dst, encoded...)
}

// AppendBytes adds bytes as base64 text.
func AppendBytes(dst, value []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(dst, '"'), value), '"')
}

// AppendNull adds null, the one value of its type.
func AppendNull(dst []byte, _ structpb.NullValue) []byte { return append(dst, "null"...) }

// CompareBools puts false first, as protojson does with the keys of a map.
func CompareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}

// AppendBool adds true or false.
func AppendBool(dst []byte, value bool) []byte { return strconv.AppendBool(dst, value) }

// AppendEnum adds a value's name, or its number when this version has no name for it.
func AppendEnum(dst []byte, name string, known bool, number int32) []byte {
	if !known {
		return AppendInt32(dst, number)
	}
	return append(append(append(dst, '"'), name...), '"')
}

// AppendTimestamp adds an RFC 3339 time in UTC with 0, 3, 6 or 9 digits behind the second.
func AppendTimestamp(dst []byte, stamp *timestamppb.Timestamp) []byte {
	at := stamp.AsTime()
	dst = at.AppendFormat(append(dst, '"'), time.RFC3339) // the layout that package time has a short way for
	if nanos := at.Nanosecond(); nanos > 0 {
		dst[len(dst)-1] = '.' // was the Z
		digits := 9
		for nanos%1000 == 0 {
			nanos, digits = nanos/1000, digits-3
		}
		dst = append(dst, "000000000Z"[9-digits:]...)
		for at := len(dst) - 2; nanos > 0; at-- {
			dst[at] = byte('0' + nanos%10)
			nanos /= 10
		}
	}
	return append(dst, '"')
}

// AppendMessage adds a message of a well-known type that has a form of its own.
func AppendMessage(dst []byte, message proto.Message) []byte {
	encoded, err := protojson.MarshalOptions{EmitDefaultValues: true}.MarshalAppend(dst, message)
	if err != nil {
		return append(dst, "null"...)
	}
	return encoded
}
