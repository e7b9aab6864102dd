package rpc

import (
	"testing"

	"buf.build/go/protovalidate"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"pgregory.net/rapid"
)

// TestShortCheckAgreesWithTheValidator tries the requests of the whole contract: what the short check lets through, the
// validator lets through too; and it is worth its place.
func TestShortCheckAgreesWithTheValidator(t *testing.T) {
	t.Parallel()
	methods, err := Catalog()
	require.NoError(t, err)
	validator, err := protovalidate.New()
	require.NoError(t, err)
	var short []*Method
	for _, method := range methods {
		require.False(t, method.isValid(dynamicpb.NewMessage(method.Descriptor.Input())), "%s: empty", method.Procedure)
		if method.identifiers != nil {
			short = append(short, method)
		}
	}
	require.Greater(t, len(short), 5)
	digit := rapid.SampledFrom([]rune("0123456789abcdefABCDEF"))
	text := rapid.OneOf(
		rapid.StringMatching(`[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`),
		rapid.StringMatching(`[0-9a-gA-G-]{8}[-0][0-9a-f]{4}[-0][0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f@`+"`"+`G]{11,13}`),
		rapid.StringOfN(digit, 36, 36, -1), rapid.String(),
	)
	rapid.Check(t, func(t *rapid.T) {
		method := short[rapid.IntRange(0, len(short)-1).Draw(t, "method")]
		request := dynamicpb.NewMessage(method.Descriptor.Input())
		for _, field := range method.identifiers {
			request.Set(field, protoreflect.ValueOfString(text.Draw(t, "text")))
		}
		if (validator.Validate(request) == nil) != method.isValid(request) {
			t.Fatalf("%s: the validator says %v", request, validator.Validate(request))
		}
	})
}
