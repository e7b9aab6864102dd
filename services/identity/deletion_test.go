package identity_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
)

// owned answers as organization does about who would leave what alone.
type owned struct{ organizations map[string][]string }

func (o *owned) ListSoleOwnerships(_ context.Context, request *organizationv1.ListSoleOwnershipsRequest) (*organizationv1.ListSoleOwnershipsResponse, error) {
	return &organizationv1.ListSoleOwnershipsResponse{OrganizationIds: o.organizations[request.GetUserId()]}, nil
}

// said returns reason and metadata of an error over REST.
func said(body map[string]any) (reason string, metadata map[string]any) {
	details := body["error"].(map[string]any)["details"].([]any)
	fact := details[0].(map[string]any)
	metadata, _ = fact["metadata"].(map[string]any)
	return fact["reason"].(string), metadata
}

func TestDeletionEndsWhatGetsInAndIsCalledOff(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	user := h.signUp("ada@example.com")
	h.signUp("ben@example.com")
	access := h.signIn("ada@example.com").GetAccessToken()
	h.owned.organizations[user.GetId()] = []string{"one", "two"}
	_, body := h.rest(http.MethodDelete, "/api/v1/me", access, "")
	reason, metadata := said(body)
	require.Equal(t, "SOLE_OWNER", reason)
	require.Equal(t, "one,two", metadata["organizationIds"])
	delete(h.owned.organizations, user.GetId())

	login := func(password string) (int, map[string]any) {
		return h.rest(http.MethodPost, "/api/v1/auth/login", "", `{"email":"ada@example.com","password":"`+password+`"}`)
	}
	cancel := func(token any) string {
		status, body := h.rest(http.MethodPost, "/api/v1/me:cancelDeletion", "", `{"cancellationToken":"`+token.(string)+`"}`)
		if status == http.StatusOK {
			return ""
		}
		reason, _ := said(body)
		return reason
	}
	leave := func() any {
		status, body := h.rest(http.MethodDelete, "/api/v1/me", h.signIn("ada@example.com").GetAccessToken(), "")
		require.Equal(t, http.StatusOK, status, body)
		_, body = login("wrong wrong wrong")
		reason, _ := said(body)
		require.Equal(t, "CREDENTIALS_INVALID", reason, "to who does not know the password nothing has changed")
		_, body = login(goodPassword)
		reason, metadata := said(body)
		require.Equal(t, "ACCOUNT_DELETION_PENDING", reason)
		require.NotEmpty(t, metadata["deletionTime"])
		return metadata["cancellationToken"]
	}
	first := leave()
	require.False(t, h.active(access))
	require.Zero(t, h.count(`select count(*) from session where account_id = $1`, user.GetId()))
	h.clock.Advance(11 * time.Minute)
	require.Equal(t, "CANCELLATION_TOKEN_INVALID", cancel(first), "it is good for ten minutes")
	_, body = login(goodPassword)
	_, metadata = said(body)
	good := metadata["cancellationToken"]
	require.Equal(t, "CANCELLATION_TOKEN_INVALID", cancel("x"+good.(string)[1:]))
	require.Empty(t, cancel(good))
	require.Equal(t, "CANCELLATION_TOKEN_INVALID", cancel(good), "it is over")
	h.signIn("ada@example.com")

	// A token of the deletion before is not good for the next, and none when the grace is over.
	h.clock.Advance(time.Second)
	second := leave()
	require.Equal(t, "CANCELLATION_TOKEN_INVALID", cancel(good))
	h.clock.Advance(7 * 24 * time.Hour)
	require.Equal(t, "CANCELLATION_TOKEN_INVALID", cancel(second))
	_, body = login(goodPassword)
	_, metadata = said(body)
	require.Empty(t, metadata["cancellationToken"])
	h.signIn("ben@example.com")
	var told []string
	for _, event := range h.events() {
		if _, about := event.message.(interface{ GetAttemptId() string }); about {
			told = append(told, event.eventType)
		}
	}
	require.Equal(t, []string{"identity.user.deletion_requested", "identity.user.deletion_cancelled", "identity.user.deletion_requested"}, told)
}
