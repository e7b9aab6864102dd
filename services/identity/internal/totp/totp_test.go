package totp_test

import (
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/services/identity/internal/totp"
)

// The vectors of RFC 6238 appendix B for SHA-1, cut to six digits.
func TestCodesAreThoseOfTheStandard(t *testing.T) {
	t.Parallel()
	secret := []byte("12345678901234567890")
	for seconds, wanted := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		require.Equal(t, wanted, totp.Code(secret, totp.Step(time.Unix(seconds, 0))), seconds)
	}
	require.Equal(t, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", totp.Encode(secret))
}

func TestAClockMayBeOneStepOff(t *testing.T) {
	t.Parallel()
	secret, now := totp.NewSecret(), time.Unix(1_800_000_015, 0)
	for off := int64(-3); off <= 3; off++ {
		step, ok := totp.Match(secret, totp.Code(secret, totp.Step(now)+off), now)
		require.Equal(t, off >= -1 && off <= 1, ok, off)
		if ok {
			require.Equal(t, totp.Step(now)+off, step)
		}
	}
	_, ok := totp.Match(secret, "", now)
	require.False(t, ok)
}

func TestURIIsReadByApps(t *testing.T) {
	t.Parallel()
	require.Equal(t, "otpauth://totp/Braid:ada+x@example.com?secret=GEZDG&issuer=Braid",
		totp.URI("Braid", "ada+x@example.com", []byte("123")))
	require.Contains(t, totp.URI("My Braid", "a/b c@example.com", []byte("123")), "totp/My%20Braid:a%2Fb%20c@example.com?")
}

// What another's program computes; the RFC's vectors hold where it is not installed, and CI installs it.
func TestCodesAreThoseOfOathtool(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("oathtool")
	if err != nil {
		t.Skip("oathtool is not installed")
	}
	for range 5 {
		secret, now := totp.NewSecret(), time.Now()
		output, err := exec.CommandContext(t.Context(), path, "--totp", "--base32", "--now", "@"+strconv.FormatInt(now.Unix(), 10),
			totp.Encode(secret)).Output()
		require.NoError(t, err)
		require.Equal(t, totp.Code(secret, totp.Step(now))+"\n", string(output))
	}
}
