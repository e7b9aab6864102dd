package organization

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/testkit/rpctest"
)

// everyScope is that of a credential that may all that its owner may.
var everyScope = []string{"organization.*", "identity.*", "workflow.*", "notification.*", "audit.*"}

// harmless are the RPCs that machines may call and that give nobody anything, with why. Whoever adds an RPC says here that
// it is one of them, or in the walk how it would be used to give somebody more.
var harmless = map[string]string{
	"OrganizationService/UpdateOrganization":     "it has no roles",
	"DeletionService/CancelDeletion":             "it keeps what there is",
	"OwnershipService/CancelOwnershipTransfer":   "it takes an offer back",
	"SuspensionService/SuspendMember":            "it takes, and is measured as well",
	"MemberService/RemoveMember":                 "it takes, and is measured as well",
	"TeamMemberService/RemoveTeamMember":         "it takes, or ends a denial, which is measured",
	"TeamMemberService/UpdateTeamMember":         "who leads a team gives by it no more than they hold",
	"AssignmentService/DeleteAssignment":         "it takes, and is measured as well",
	"SupportGrantService/DeleteSupportGrant":     "it takes",
	"RoleService/DeleteRole":                     "nobody has a role that is deleted",
	"TeamService/CreateTeam":                     "a team is made without anything",
	"TeamService/DeleteTeam":                     "it takes, or ends a denial, which is measured",
	"InvitationService/RevokeInvitation":         "it takes an invitation back",
	"InvitationLinkService/RevokeInvitationLink": "it takes a link back",
	"PermissionService/CreatePermission":         "nobody but owners holds a new permission",
	"PermissionService/UpdatePermission":         "only its description changes",
	"PermissionService/DeletePermission":         "it takes",
	"DomainService/CreateDomain":                 "a new domain lets nobody join",
	"DomainService/VerifyDomain":                 "a verified domain lets nobody join by itself",
	"DomainService/DeleteDomain":                 "it takes a way to join",
}

// attack is a request by which somebody would get what the credential is not good for.
type attack struct {
	method, path string
	body         any
	// refusal finds the reason where it does not stand in an error.
	refusal func(rpctest.Answer) string
}

// stage is an organization with all that grants are made of.
type stage struct {
	bundle       *testBundle
	owner, guest person
	id           id.ID
	path         string
	robot        robot
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{bundle: setup(t)}
	s.owner, s.guest = s.bundle.meet("ada"), s.bundle.meet("gus")
	s.id, s.path = s.bundle.found(t, s.owner, "Acme")
	s.bundle.join(t, s.owner, s.path, s.guest, "guest")
	s.robot = robot{s.id.String(), id.New().String()}
	require.NoError(t, s.bundle.hear(t, s.robot.created()))
	given := s.bundle.REST("POST", s.path+"/assignments", s.owner.token, object{
		"subject": object{"type": "SERVICE_ACCOUNT", "id": s.robot.id}, "roleId": "admin",
	})
	require.Equal(t, 200, given.Status, given.Text)
	return s
}

// credential makes a personal access token of the owner known, or a key of the service account with the one who made it.
func (s *stage) credential(makerID id.ID, scopes ...string) string {
	limits := &call.Limits{OrganizationID: s.id, Scopes: call.NewScopes(scopes), MakerID: makerID}
	actor := call.Actor{Kind: call.User, UserID: s.owner.UserID, CredentialID: id.New(), Limits: limits}
	if !makerID.IsZero() {
		actor.Kind, actor.UserID = call.ServiceAccount, id.MustParse(s.robot.id)
	}
	token := "machine-" + actor.CredentialID.String()
	s.bundle.Tokens.Machine(token, actor)
	return token
}

func (s *stage) made(t *testing.T, path string, body object) string {
	t.Helper()
	answer := s.bundle.REST("POST", s.path+path, s.owner.token, body)
	require.Equal(t, 200, answer.Status, answer.Text)
	return answer.Body["id"].(string)
}

// attacks are the ways to give, by RPC. Each is made once, with its own resources.
func (s *stage) attacks(t *testing.T) map[string]attack {
	t.Helper()
	b, guest := s.bundle, s.guest.UserID.String()
	admins := s.made(t, "/teams", object{"displayName": "Admins"})
	require.Equal(t, 200, b.assignTeam(s.owner, s.path, id.MustParse(admins), object{"roleId": "admin"}).Status)
	guests := s.made(t, "/teams", object{"displayName": "Guests"})
	b.addTo(t, s.owner, s.path+"/teams/"+guests, s.guest, "MEMBER")
	role := b.role(t, s.owner, s.path, object{"displayName": "Changing"})
	once := b.role(t, s.owner, s.path, object{"displayName": "Once", "permissions": []string{"organization.policy.read"}})
	require.Equal(t, 200, b.REST("PATCH", s.path+"/roles/"+once, s.owner.token, object{"permissions": []string{}}).Status)
	invitation, _ := b.invite(t, s.owner, s.path, "eve@example.com", "admin")
	lent := b.assign(t, s.owner, s.path, s.owner, object{"roleId": "admin", "scope": object{"type": "ORGANIZATION"}, "delegable": true})
	away := b.meet("sue")
	b.join(t, s.owner, s.path, away, "admin")
	suspended := s.path + "/members/" + away.UserID.String()
	require.Equal(t, 200, b.REST("POST", suspended+":suspend", s.owner.token, object{}).Status)
	b.named(t)
	domainPath, name, value := b.claim(t, s.owner, s.path, "acme.example")
	_, _ = name, value
	subject := object{"type": "USER", "id": guest}
	return map[string]attack{
		"MemberService/UpdateMember":         {method: "PATCH", path: "/members/" + guest, body: object{"roleIds": []string{"admin"}}},
		"InvitationService/CreateInvitation": {method: "POST", path: "/invitations", body: object{"email": "mallory@example.com", "roleId": "admin"}},
		"InvitationService/ResendInvitation": {method: "POST", path: "/invitations/" + invitation.String() + ":resend", body: object{}},
		"InvitationBatchService/BatchCreateInvitations": {
			method: "POST", path: "/invitations:batchCreate", body: object{"rows": []object{{"email": "trudy@example.com", "roleId": "admin"}}},
			refusal: func(answer rpctest.Answer) string {
				reason, _ := answer.Body["results"].([]any)[0].(map[string]any)["reason"].(string)
				return reason
			},
		},
		"InvitationLinkService/CreateInvitationLink": {method: "POST", path: "/invitation-links", body: object{"roleId": "admin"}},
		"AssignmentService/CreateAssignment":         {method: "POST", path: "/assignments", body: object{"subject": subject, "roleId": "admin"}},
		"AssignmentService/DelegateAssignment":       {method: "POST", path: "/assignments/" + lent + ":delegate", body: object{"subject": subject}},
		"TeamMemberService/AddTeamMember":            {method: "POST", path: "/teams/" + admins + "/members", body: object{"userId": guest, "role": "MEMBER"}},
		"TeamService/UpdateTeam":                     {method: "PATCH", path: "/teams/" + guests, body: object{"parentTeamId": admins}},
		"RoleService/CreateRole":                     {method: "POST", path: "/roles", body: object{"displayName": "More", "permissions": []string{"organization.policy.read"}}},
		"RoleService/UpdateRole":                     {method: "PATCH", path: "/roles/" + role, body: object{"permissions": []string{"organization.policy.read"}}},
		"RoleService/RestoreRole":                    {method: "POST", path: "/roles/" + once + ":restore", body: object{"version": 1}},
		"SuspensionService/ResumeMember":             {method: "POST", path: strings.TrimPrefix(suspended, s.path) + ":resume", body: object{}},
		"DomainService/UpdateDomain":                 {method: "PATCH", path: strings.TrimPrefix(domainPath, s.path), body: object{"autoJoinRoleId": "admin"}},
	}
}

func (a attack) by(s *stage, token string) string {
	answer := s.bundle.REST(a.method, s.path+a.path, token, a.body)
	if a.refusal != nil && answer.Status == 200 {
		return a.refusal(answer)
	}
	return answer.Reason()
}

// A script's token for one thing, found in a repository, makes nobody an owner: whatever RPC it is good for, it gives no
// more than it may itself. The walk knows every RPC that machines may call.
func TestANarrowCredentialGivesNobodyWhatItMayNotDoItself(t *testing.T) {
	t.Parallel()
	methods, err := rpc.Catalog()
	require.NoError(t, err)
	s := newStage(t)
	attacks := s.attacks(t)
	walked := 0
	for _, method := range methods {
		if method.Service != Name || !method.Machines || method.ReadOnly {
			continue
		}
		name := strings.TrimPrefix(method.Procedure, "/braid.organization.v1.")
		if _, known := harmless[name]; known {
			continue
		}
		attempt, known := attacks[name]
		require.True(t, known, "%s takes credentials of machines: say whether it gives anybody anything", name)
		walked++
		for of, token := range map[string]string{
			"a token":                           s.credential(id.ID{}, method.Permission),
			"a key":                             s.credential(s.owner.UserID, method.Permission),
			"a wide key made by who holds less": s.credential(s.guest.UserID, everyScope...),
		} {
			if of != "a token" && name == "AssignmentService/DelegateAssignment" {
				continue // Nobody delegates what somebody else has.
			}
			require.Equal(t, "GRANT_EXCEEDS_OWN", attempt.by(s, token), "%s by %s", name, of)
		}
	}
	require.Equal(t, len(attacks), walked, "every way to give is an RPC")
}

// What is measured is the credential, not that there is one.
func TestAWideCredentialGivesWhatItsOwnerHolds(t *testing.T) {
	t.Parallel()
	for _, of := range []string{"a token", "a key"} {
		t.Run(of, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			token := s.credential(id.ID{}, everyScope...)
			if of == "a key" {
				token = s.credential(s.owner.UserID, everyScope...)
			}
			for name, attempt := range s.attacks(t) {
				if of == "a key" && name == "AssignmentService/DelegateAssignment" || name == "DomainService/UpdateDomain" {
					continue // Only a verified domain lets anybody join.
				}
				require.Empty(t, attempt.by(s, token), name)
			}
		})
	}
}

// Ownership is what owners give, and a token only if it may all that an owner may.
func TestANarrowTokenMakesNobodyAnOwner(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	crown := func(token string) string {
		return s.bundle.REST("PATCH", s.path+"/members/"+s.guest.UserID.String(), token, object{"roleIds": []string{"owner"}}).Reason()
	}
	require.Equal(t, "GRANT_EXCEEDS_OWN", crown(s.credential(id.ID{}, "organization.member.update")))
	require.Equal(t, "GRANT_EXCEEDS_OWN", crown(s.credential(id.ID{}, "organization.*", "workflow.*")))
	require.Equal(t, "GRANT_EXCEEDS_OWN", crown(s.credential(s.owner.UserID, everyScope...)), "a service account is no owner")
	require.Empty(t, crown(s.credential(id.ID{}, everyScope...)))
}
