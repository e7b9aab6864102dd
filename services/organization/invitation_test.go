package organization

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/gen/go/braid/organization/v1/organizationv1connect"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/testkit/rpctest"
)

const (
	acceptPath = "/api/v1/invitations:accept"
	rejectPath = "/api/v1/invitations:reject"
)

func TestInvitationIsAcceptedOnce(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	organizationID, path := bundle.found(t, ada, "Acme")
	bundle.takeEvents(t)

	answer := bundle.REST("POST", path+"/invitations", ada.token, map[string]any{"email": "BEN@Example.com", "roleId": "member"})
	require.Equal(t, 200, answer.Status, answer.Text)
	require.Equal(t, "PENDING", answer.Body["state"])
	require.Equal(t, "BEN@Example.com", answer.Body["email"])
	require.Equal(t, "2026-01-09T03:04:05Z", answer.Body["expireTime"])
	require.Equal(t, ada.UserID.String(), answer.Body["inviterId"])
	invitationID := id.MustParse(answer.Body["id"].(string))
	token := bundle.mailedToken(t, path, invitationID)

	accepted := bundle.REST("POST", acceptPath, ben.token, map[string]any{"token": token}, rpctest.IdempotencyKey("accept"))
	require.Equal(t, 200, accepted.Status, accepted.Text)
	require.Equal(t, organizationID.String(), accepted.Body["organizationId"])
	member := accepted.Body["member"].(map[string]any)
	require.Equal(t, ben.UserID.String(), member["userId"])
	require.Equal(t, []any{"member"}, member["roleIds"])
	require.Equal(t, 200, bundle.REST("GET", path, ben.token, nil).Status)

	events := bundle.takeEvents(t)
	require.Equal(t, []string{"organization.invitation.sent", "organization.invitation.accepted", "organization.member.added"}, types(events))
	require.Equal(t, int32(1), events[0].Payload.(*organizationv1.InvitationSent).GetSending())
	require.Equal(t, "invitation/"+invitationID.String(), events[1].Subject)
	for _, event := range events {
		text := prototext.Format(event.Payload)
		require.NotContains(t, text, token)
		require.NotContains(t, strings.ToLower(text), "ben@example.com")
	}

	again := bundle.REST("POST", acceptPath, ben.token, map[string]any{"token": token}, rpctest.IdempotencyKey("accept"))
	require.Equal(t, accepted.Body, again.Body, "the same request has the same answer")
	require.Equal(t, "true", again.Header.Get("Idempotency-Replayed"))
	another := bundle.REST("POST", acceptPath, ben.token, map[string]any{"token": token})
	require.Equal(t, 409, another.Status)
	require.Equal(t, "INVITATION_NOT_PENDING", another.Reason())
	require.Equal(t, "ACCEPTED", another.Metadata()["state"])
	require.Empty(t, bundle.takeEvents(t))
}

func TestTokensAreNowhereInTheDatabase(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	_, token := bundle.invite(t, ada, path, "ben@example.com", "member")
	for _, table := range []string{"invitation", "invitation_token", "outbox", "idempotency"} {
		var text string
		require.NoError(t, bundle.database.Admin.QueryRow(t.Context(), `select coalesce(string_agg(t::text, ' '), '') from `+table+` t`).Scan(&text))
		require.NotContains(t, text, token, table)
	}
}

func TestOnlyTheInvitedAddressMayAnswer(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben, eve := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("eve")
	_, path := bundle.found(t, ada, "Acme")
	_, token := bundle.invite(t, ada, path, ben.Email, "member")
	bundle.takeEvents(t)
	for _, answerPath := range []string{acceptPath, rejectPath} {
		answer := bundle.REST("POST", answerPath, eve.token, map[string]any{"token": token})
		require.Equal(t, 403, answer.Status)
		require.Equal(t, "INVITATION_OTHER_EMAIL", answer.Reason())
		for _, unknown := range []string{token[1:], "nothing", token + "A"} {
			answer = bundle.REST("POST", answerPath, ben.token, map[string]any{"token": unknown})
			require.Equal(t, 404, answer.Status)
			require.Equal(t, "NOT_FOUND", answer.Reason())
		}
	}
	require.Empty(t, bundle.takeEvents(t))
	require.Equal(t, 404, bundle.REST("GET", path, eve.token, nil).Status)
}

func TestRejectedRevokedAndExpiredInvitationsAreOver(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	end := map[string]func(invitationID id.ID, token string){
		"REJECTED": func(_ id.ID, token string) {
			answer := bundle.REST("POST", rejectPath, ben.token, map[string]any{"token": token})
			require.Equal(t, 200, answer.Status, answer.Text)
			require.Equal(t, []string{"organization.invitation.sent", "organization.invitation.rejected"}, types(bundle.takeEvents(t)))
		},
		"REVOKED": func(invitationID id.ID, _ string) {
			answer := bundle.REST("POST", path+"/invitations/"+invitationID.String()+":revoke", ada.token, map[string]any{})
			require.Equal(t, 200, answer.Status, answer.Text)
			require.Equal(t, "REVOKED", answer.Body["state"])
			require.Equal(t, []string{"organization.invitation.sent", "organization.invitation.revoked"}, types(bundle.takeEvents(t)))
		},
		"EXPIRED": func(id.ID, string) { bundle.clock.Advance(domain.InvitationLifetime) },
	}
	bundle.takeEvents(t)
	for _, state := range []string{"REJECTED", "REVOKED", "EXPIRED"} {
		invitationID, token := bundle.invite(t, ada, path, ben.Email, "member")
		end[state](invitationID, token)
		bundle.takeEvents(t)
		invitationPath := path + "/invitations/" + invitationID.String()
		for _, request := range []struct {
			path, token string
			body        map[string]any
		}{
			{acceptPath, ben.token, map[string]any{"token": token}},
			{rejectPath, ben.token, map[string]any{"token": token}},
			{invitationPath + ":revoke", ada.token, map[string]any{}},
			{invitationPath + ":resend", ada.token, map[string]any{}},
		} {
			answer := bundle.REST("POST", request.path, request.token, request.body)
			require.Equal(t, 409, answer.Status, "%s %s", state, request.path)
			require.Equal(t, "INVITATION_NOT_PENDING", answer.Reason())
			require.Equal(t, state, answer.Metadata()["state"])
		}
		mail, err := bundle.app.GetInvitationMail(t.Context(), id.MustParse(path[len("/api/v1/organizations/"):]), invitationID)
		require.NoError(t, err)
		require.Empty(t, mail.Token)
		newest := bundle.REST("GET", path+"/invitations", ada.token, nil).Body["invitations"].([]any)[0].(map[string]any)
		require.Equal(t, state, newest["state"])
		require.Empty(t, bundle.takeEvents(t))
		bundle.clock.Advance(time.Second)
	}
}

func TestResendMakesAnotherTokenAndTheOldOneDies(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	invitationID, old := bundle.invite(t, ada, path, ben.Email, "member")
	bundle.takeEvents(t)
	bundle.clock.Advance(6 * 24 * time.Hour)
	answer := bundle.REST("POST", path+"/invitations/"+invitationID.String()+":resend", ada.token, map[string]any{})
	require.Equal(t, 200, answer.Status, answer.Text)
	require.Equal(t, "2026-01-15T03:04:05Z", answer.Body["expireTime"])
	events := bundle.takeEvents(t)
	require.Equal(t, int32(2), events[0].Payload.(*organizationv1.InvitationSent).GetSending())

	token := bundle.mailedToken(t, path, invitationID)
	require.NotEqual(t, old, token)
	require.Equal(t, 404, bundle.REST("POST", acceptPath, ben.token, map[string]any{"token": old}).Status)
	bundle.clock.Advance(2 * 24 * time.Hour)
	require.Equal(t, 200, bundle.REST("POST", acceptPath, ben.token, map[string]any{"token": token}).Status)
}

func TestCreateInvitationRefusals(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "member")
	bundle.invite(t, ada, path, "cleo@example.com", "viewer")
	bundle.takeEvents(t)
	for name, test := range map[string]struct {
		email, role string
		status      int
		reason      string
	}{
		"a member":           {"Ben@example.com", "viewer", 409, "MEMBER_EXISTS"},
		"a pending one":      {"CLEO@example.com", "viewer", 409, "INVITATION_EXISTS"},
		"an unknown role":    {"dan@example.com", "king", 400, "ROLE_UNKNOWN"},
		"not even an e-mail": {"dan", "viewer", 400, "INVALID_ARGUMENT"},
		"two dots":           {"two..dots@example.com", "viewer", 400, "INVALID_ARGUMENT"},
		"a dot in front":     {".lead@example.com", "viewer", 400, "INVALID_ARGUMENT"},
		"a dot at the end":   {"trail.@example.com", "viewer", 400, "INVALID_ARGUMENT"},
		"too long a name":    {strings.Repeat("a", 65) + "@example.com", "viewer", 400, "INVALID_ARGUMENT"},
	} {
		answer := bundle.REST("POST", path+"/invitations", ada.token, map[string]any{"email": test.email, "roleId": test.role})
		require.Equal(t, test.status, answer.Status, name)
		require.Equal(t, test.reason, answer.Reason(), name)
		if test.reason == "INVALID_ARGUMENT" {
			require.Equal(t, []string{"email"}, answer.Fields(), name)
		}
	}
	denied := bundle.REST("POST", path+"/invitations", ben.token, map[string]any{"email": "dan@example.com", "roleId": "viewer"})
	require.Equal(t, "PERMISSION_DENIED", denied.Reason())
	require.Empty(t, bundle.takeEvents(t))

	_, other := bundle.found(t, ben, "Other")
	bundle.invite(t, ben, other, "cleo@example.com", "viewer")
	bundle.clock.Advance(domain.InvitationLifetime)
	bundle.invite(t, ada, path, "cleo@example.com", "viewer")
}

func TestAMemberAcceptsNoSecondInvitation(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	_, token := bundle.invite(t, ada, path, "second@example.com", "admin")
	bundle.join(t, ada, path, ben, "viewer")
	moved := ben.Person
	moved.Email = "second@example.com"
	bundle.people.add(moved)
	bundle.takeEvents(t)
	answer := bundle.REST("POST", acceptPath, ben.token, map[string]any{"token": token})
	require.Equal(t, 409, answer.Status)
	require.Equal(t, "MEMBER_EXISTS", answer.Reason())
	require.Empty(t, bundle.takeEvents(t))
	newest := bundle.REST("GET", path+"/invitations", ada.token, nil).Body["invitations"].([]any)
	require.Len(t, newest, 2)
}

func TestManyAcceptsHaveOneEffect(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	_, token := bundle.invite(t, ada, path, ben.Email, "member")
	bundle.takeEvents(t)

	var accepted, refused atomic.Int32
	var group sync.WaitGroup
	start := make(chan struct{})
	for range 8 {
		group.Go(func() {
			<-start
			switch answer := bundle.REST("POST", acceptPath, ben.token, map[string]any{"token": token}); {
			case answer.Status == 200:
				accepted.Add(1)
			case answer.Reason() == "INVITATION_NOT_PENDING":
				refused.Add(1)
			}
		})
	}
	close(start)
	group.Wait()
	require.Equal(t, int32(1), accepted.Load())
	require.Equal(t, int32(7), refused.Load())
	require.Equal(t, []string{"organization.invitation.accepted", "organization.member.added"}, types(bundle.takeEvents(t)))
}

func TestManyInvitationsOfOneAddressHaveOneEffect(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	bundle.takeEvents(t)
	var created atomic.Int32
	var group sync.WaitGroup
	start := make(chan struct{})
	for range 6 {
		group.Go(func() {
			<-start
			if bundle.REST("POST", path+"/invitations", ada.token, map[string]any{"email": "ben@example.com", "roleId": "member"}).Status == 200 {
				created.Add(1)
			}
		})
	}
	close(start)
	group.Wait()
	require.Equal(t, int32(1), created.Load())
	require.Len(t, bundle.takeEvents(t), 1)
}

func TestInvitationsOfAnotherOrganizationAreNotFound(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, eve := bundle.meet("ada"), bundle.meet("eve")
	_, path := bundle.found(t, ada, "Acme")
	_, evesPath := bundle.found(t, eve, "Evil")
	invitationID, _ := bundle.invite(t, ada, path, "ben@example.com", "member")
	bundle.takeEvents(t)
	for _, foreign := range []string{evesPath + "/invitations/" + invitationID.String(), evesPath + "/invitations/" + id.New().String(),
		path + "/invitations/" + invitationID.String()} {
		for _, verb := range []string{":revoke", ":resend"} {
			answer := bundle.REST("POST", foreign+verb, eve.token, map[string]any{})
			require.Equal(t, 404, answer.Status, foreign+verb)
		}
	}
	require.Equal(t, 404, bundle.REST("DELETE", memberPath(evesPath, ada), eve.token, nil).Status)
	require.Empty(t, bundle.takeEvents(t))
}

func TestGetInvitationMailIsForServicesOnly(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	organizationID, path := bundle.found(t, ada, "Acme")
	invitationID, token := bundle.invite(t, ada, path, "ben@example.com", "member")
	bundle.Tokens.Service("notification-token", "notification")
	request := &organizationv1.GetInvitationMailRequest{OrganizationId: organizationID.String(), InvitationId: invitationID.String()}

	client := organizationv1connect.NewInvitationMailServiceClient(bundle.As("notification-token"))
	mail, err := client.GetInvitationMail(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, "ben@example.com", mail.GetEmail())
	require.Equal(t, "Acme", mail.GetOrganizationDisplayName())
	require.Equal(t, "ada", mail.GetInviterDisplayName())
	require.Equal(t, token, mail.GetToken())
	require.True(t, mail.GetPending())

	_, err = organizationv1connect.NewInvitationMailServiceClient(bundle.As(ada.token)).GetInvitationMail(t.Context(), request)
	require.ErrorContains(t, err, "unauthenticated")
	request.OrganizationId = id.New().String()
	_, err = client.GetInvitationMail(t.Context(), request)
	require.ErrorContains(t, err, "not_found")

	// Once the inviter has left, there is nothing to mail.
	ben := bundle.meet("ben2")
	bundle.join(t, ada, path, ben, "owner")
	require.Equal(t, 200, bundle.REST("DELETE", memberPath(path, ada), ada.token, nil).Status)
	request.OrganizationId = organizationID.String()
	mail, err = client.GetInvitationMail(context.WithoutCancel(t.Context()), request)
	require.NoError(t, err)
	require.True(t, proto.Equal(&organizationv1.GetInvitationMailResponse{}, mail), mail)
}

func TestInvitationsAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	var want []string
	for _, name := range []string{"ben", "cleo", "dan"} {
		bundle.invite(t, ada, path, name+"@example.com", "viewer")
		want = append([]string{name + "@example.com"}, want...)
		bundle.clock.Advance(time.Second)
	}
	var got []string
	token := ""
	for range 10 {
		answer := bundle.REST("GET", path+"/invitations?pageSize=2&pageToken="+token, ada.token, nil)
		require.Equal(t, 200, answer.Status, answer.Text)
		for _, listed := range answer.Body["invitations"].([]any) {
			got = append(got, listed.(map[string]any)["email"].(string))
		}
		if token, _ = answer.Body["nextPageToken"].(string); token == "" {
			break
		}
	}
	require.Equal(t, want, got)
}

func TestPageTokensAreGoodForOneOrganizationOnly(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	_, other := bundle.found(t, ada, "Other")
	for _, name := range []string{"ben", "cleo"} {
		bundle.join(t, ada, path, bundle.meet(name), "viewer")
	}
	for _, list := range []string{"/members", "/invitations", "/roles"} {
		token := bundle.REST("GET", path+list+"?pageSize=1", ada.token, nil).Body["nextPageToken"].(string)
		require.Equal(t, 200, bundle.REST("GET", path+list+"?pageToken="+token, ada.token, nil).Status, list)
		answer := bundle.REST("GET", other+list+"?pageToken="+token, ada.token, nil)
		require.Equal(t, "PAGE_TOKEN_INVALID", answer.Reason(), list)
	}
}
