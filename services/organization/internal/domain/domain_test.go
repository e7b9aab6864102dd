package domain_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	platformv1 "github.com/braidhq/braid/gen/go/braid/platform/v1"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

func TestReasonsStandInTheContract(t *testing.T) {
	t.Parallel()
	for _, refusal := range domain.Errors() {
		_, own := organizationv1.ErrorReason_value[refusal.Reason]
		_, shared := platformv1.ErrorReason_value[refusal.Reason]
		require.True(t, own || shared, refusal.Reason)
		require.NotEqual(t, errs.Internal, refusal.Kind, refusal.Reason)
	}
	// And the other way round: what the contract promises can happen.
	for name, number := range organizationv1.ErrorReason_value {
		if number == 0 {
			continue
		}
		require.Condition(t, func() bool {
			for _, refusal := range domain.Errors() {
				if refusal.Reason == name {
					return true
				}
			}
			return false
		}, name)
	}
}

func TestSlugFrom(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Acme":                     "acme",
		"  Acme & Söhne GmbH ":     "acme-s-hne-gmbh",
		"--A--B--":                 "a-b",
		"A":                        "a-org",
		"株式会社":                     "organization",
		strings.Repeat("ab ", 100): strings.TrimRight(strings.Repeat("ab-", 14)[:40], "-"),
	} {
		require.Equal(t, want, domain.SlugFrom(name), name)
	}
}

func TestSlugsFitTheContract(t *testing.T) {
	t.Parallel()
	// The pattern of Organization.slug in the contract.
	pattern := regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{1,38})[a-z0-9]$`)
	rapid.Check(t, func(t *rapid.T) {
		slug := domain.SlugFrom(rapid.String().Draw(t, "name"))
		require.Regexp(t, pattern, slug)
		require.Regexp(t, pattern, domain.SlugWithSuffix(slug, id.New()))
	})
}

func TestDisplayNameIsNotBlank(t *testing.T) {
	t.Parallel()
	name, err := domain.CheckDisplayName("displayName", "  Acme ")
	require.NoError(t, err)
	require.Equal(t, "Acme", name)
	_, err = domain.CheckDisplayName("displayName", " \t")
	require.Equal(t, errs.InvalidArgument, errs.KindOf(err))
	require.Equal(t, "displayName", errs.From(err).Violations[0].Field)
}

func TestEtagGuards(t *testing.T) {
	t.Parallel()
	require.NoError(t, domain.CheckEtag("", 7))
	require.NoError(t, domain.CheckEtag(domain.Etag(7), 7))
	err := domain.CheckEtag(domain.Etag(6), 7)
	require.ErrorIs(t, err, errs.ErrETagMismatch)
	require.Equal(t, domain.Etag(7), errs.From(err).Metadata["etag"])
}

func TestInvitationExpiresByTheClock(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	pending := domain.Invitation{Stored: domain.Pending, ExpiresAt: now.Add(domain.InvitationLifetime), Sending: 1}
	require.Equal(t, domain.Pending, pending.State(pending.ExpiresAt.Add(-time.Microsecond)))
	require.Equal(t, domain.Expired, pending.State(pending.ExpiresAt))
	err := pending.CheckPending(pending.ExpiresAt)
	require.ErrorIs(t, err, domain.ErrInvitationNotPending)
	require.Equal(t, "EXPIRED", errs.From(err).Metadata["state"])

	accepted := pending.Settle(domain.Accepted, now)
	require.Equal(t, domain.Accepted, accepted.State(pending.ExpiresAt.Add(time.Hour)), "what was answered does not expire")
	require.Equal(t, "ACCEPTED", errs.From(accepted.CheckPending(now)).Metadata["state"])

	resender := id.New()
	resent := pending.Resend(resender, now.Add(time.Hour))
	require.Equal(t, resender, resent.InviterID)
	require.Equal(t, int32(2), resent.Sending)
	require.Equal(t, pending.ExpiresAt.Add(time.Hour), resent.ExpiresAt)
}

func TestOnlyTheInvitedAddressMayAnswer(t *testing.T) {
	t.Parallel()
	invitation := domain.Invitation{Email: "Ben@Example.com"}
	require.NoError(t, invitation.CheckInvited(domain.Person{Email: "ben@example.COM"}))
	require.ErrorIs(t, invitation.CheckInvited(domain.Person{Email: "ben@example.org"}), domain.ErrInvitationOtherEmail)
	require.ErrorIs(t, invitation.CheckInvited(domain.Person{}), domain.ErrInvitationOtherEmail)
}
