package organization

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/gen/go/braid/organization/v1/organizationv1connect"
)

func TestAnAdminDoesNotResendAnOwnersInvitation(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	_, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "admin")
	invitationID, _ := bundle.invite(t, ada, path, "cleo@example.com", "owner")
	answer := bundle.REST("POST", path+"/invitations/"+invitationID.String()+":resend", ben.token, map[string]any{})
	require.Equal(t, "GRANT_EXCEEDS_OWN", answer.Reason())
}

// What an invitation gives is what its inviter may give when it is accepted.
func TestAnInvitationGivesNoMoreThanItsInviterMayGive(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	organizationID, path := bundle.found(t, ada, "Acme")
	bundle.Tokens.Service("notification-token", "notification")
	for name, test := range map[string]struct {
		role, inviterBecomes string
		good                 bool
	}{
		"may still give it":         {"member", "admin", true},
		"may give less":             {"owner", "admin", false},
		"may invite nobody":         {"viewer", "member", false},
		"has left the organization": {"viewer", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			nickname := strings.ReplaceAll(name, " ", "-")
			inviter, invited := bundle.meet("inviter-"+nickname), bundle.meet("invited-"+nickname)
			bundle.join(t, ada, path, inviter, "owner")
			invitationID, token := bundle.invite(t, inviter, path, invited.Email, test.role)
			if test.inviterBecomes == "" {
				require.Equal(t, 200, bundle.REST("DELETE", memberPath(path, inviter), ada.token, nil).Status)
			} else {
				changed := bundle.REST("PATCH", memberPath(path, inviter), ada.token, map[string]any{"roleIds": []string{test.inviterBecomes}})
				require.Equal(t, 200, changed.Status, changed.Text)
			}
			bundle.takeEvents(t)
			mail, err := organizationv1connect.NewInvitationMailServiceClient(bundle.As("notification-token")).GetInvitationMail(t.Context(),
				&organizationv1.GetInvitationMailRequest{OrganizationId: organizationID.String(), InvitationId: invitationID.String()})
			require.NoError(t, err)
			require.Equal(t, test.good, mail.GetPending())
			require.Equal(t, test.good, mail.GetToken() != "")

			answer := bundle.REST("POST", acceptPath, invited.token, map[string]any{"token": token})
			if test.good {
				require.Equal(t, 200, answer.Status, answer.Text)
				return
			}
			require.Equal(t, 409, answer.Status, answer.Text)
			require.Equal(t, "INVITATION_NOT_PENDING", answer.Reason())
			require.Equal(t, "PENDING", answer.Metadata()["state"])
			require.Empty(t, bundle.takeEvents(t))
			require.Equal(t, 404, bundle.REST("GET", path, invited.token, nil).Status)

			resent := bundle.REST("POST", path+"/invitations/"+invitationID.String()+":resend", ada.token, map[string]any{})
			require.Equal(t, 200, resent.Status, resent.Text)
			require.Equal(t, ada.UserID.String(), resent.Body["inviterId"])
			token = bundle.mailedToken(t, path, invitationID)
			require.Equal(t, 200, bundle.REST("POST", acceptPath, invited.token, map[string]any{"token": token}).Status)
		})
	}
}
