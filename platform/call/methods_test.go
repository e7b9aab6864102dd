package call_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/call"
)

func TestMethodsAreReadFromClaims(t *testing.T) {
	t.Parallel()
	methods := call.MethodsOf([]string{"pwd", "otp", "mfa", "unheard-of"}, call.StrongACR)
	require.Equal(t, call.Password|call.OneTimeCode|call.SeveralFactors|call.Strong, methods)
	require.True(t, methods.Has(call.Password|call.OneTimeCode))
	require.False(t, methods.Has(call.Password|call.DeviceKey))
	require.Zero(t, call.MethodsOf(nil, "urn:other"))
}
