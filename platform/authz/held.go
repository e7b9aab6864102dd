package authz

import (
	"fmt"
	"slices"
	"time"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
)

// Answer is what the owner says of a subject, at one moment: it is read in one statement.
type Answer struct {
	// Member says that it is a member, or a service account of the organization; nothing else is set without.
	Member         bool
	ServiceAccount bool
	// Suspended says that the member may do nothing for now.
	Suspended bool
	// Frozen is why nothing in the organization can be changed, nil when it can.
	Frozen *errs.Error
	// RoleIDs are a member's own roles, which hold in the whole organization.
	RoleIDs []string
	// Revision is the organization's access revision that all of this holds for.
	Revision int64
	// RolesRevision is that of the organization's own roles; they come along when the asker knows another one.
	RolesRevision int64
	Roles         []access.Role
	// Permissions are the organization's own, likewise.
	Permissions []string
	// Assignments are what the subject has besides, own and by teams.
	Assignments []access.Assignment
	// Policy is what the organization asks of everybody; nil is nothing.
	Policy *organizationv1.Policy
	// JoinedAt is when the member joined.
	JoinedAt time.Time
	// GrantID is the support grant that makes an operator a member until EndsAt; zero for members.
	GrantID id.ID
	EndsAt  time.Time
	// RequiredConnection is the organization's that the member has to sign in by; zero for none.
	RequiredConnection id.ID
}

// Held is what a subject has in an organization, ready to be asked. It must not be changed.
type Held struct {
	Member    bool
	Suspended bool
	Frozen    *errs.Error
	RoleIDs   []string
	Revision  int64
	*access.Holdings

	policy   *Policy
	joinedAt time.Time
	grantID  id.ID
	endsAt   time.Time
}

// ownersOwn is the role of an organization's graph that holds the permissions that it has added: an owner has it beside
// the role that the contract knows.
const ownersOwn = "owner.own"

// ShownRole returns the id of a role as people know it: to them an owner has one role.
func ShownRole(roleID string) string {
	if roleID == ownersOwn {
		return "owner"
	}
	return roleID
}

// graph is an organization's roles at a revision.
type graph struct {
	revision int64
	*access.Graph
}

// NewBase compiles the system roles, which the contract gives their permissions and all organizations share.
func NewBase() (*access.Graph, error) {
	methods, err := rpc.Catalog()
	if err != nil {
		return nil, err
	}
	allowed := map[string][]string{}
	for _, method := range methods {
		if method.Permission != "" {
			least := slices.Index(rpc.SystemRoles, method.Role)
			for _, role := range rpc.SystemRoles[least:] {
				allowed[role] = append(allowed[role], method.Permission)
			}
		}
	}
	roles := make([]access.Role, 0, len(rpc.SystemRoles))
	for _, role := range rpc.SystemRoles {
		slices.Sort(allowed[role])
		roles = append(roles, access.Role{ID: role, Allow: slices.Compact(allowed[role])})
	}
	base, err := access.NewGraph(nil, roles)
	if err != nil {
		return nil, fmt.Errorf("compile the system roles: %w", err)
	}
	return base, nil
}

// NewGraph compiles an organization's own roles over the system roles. Its owners hold the permissions that it has
// added.
func NewGraph(base *access.Graph, roles []access.Role, permissions []string) (*access.Graph, error) {
	if len(roles) == 0 && len(permissions) == 0 {
		return base, nil
	}
	return access.NewGraph(base, append(slices.Clip(roles), access.Role{ID: ownersOwn, Allow: permissions}))
}

// Hold compiles what a subject has against the organization's graph.
func Hold(compiled *access.Graph, subjectID id.ID, answer Answer) (Held, error) {
	held := Held{
		Member: answer.Member, Suspended: answer.Suspended, Frozen: answer.Frozen, RoleIDs: answer.RoleIDs, Revision: answer.Revision,
		joinedAt: answer.JoinedAt, grantID: answer.GrantID, endsAt: answer.EndsAt,
	}
	if !answer.Member {
		return held, nil
	}
	var err error
	if held.policy, err = PolicyOf(answer.Policy); err != nil {
		return held, err
	}
	held.policy = held.policy.Requiring(answer.RequiredConnection)
	subject := access.Subject{ID: subjectID.String(), Kind: access.User}
	if answer.ServiceAccount {
		subject.Kind = access.ServiceAccount
	}
	assignments := make([]access.Assignment, 0, len(answer.RoleIDs)+len(answer.Assignments)+1)
	for _, roleID := range answer.RoleIDs {
		assignments = append(assignments, access.Assignment{RoleID: roleID, Scope: access.Scope{Kind: access.Organization}})
		if roleID == "owner" && compiled.HasRole(ownersOwn) {
			assignments = append(assignments, access.Assignment{RoleID: ownersOwn, Scope: access.Scope{Kind: access.Organization}})
		}
	}
	held.Holdings, err = compiled.Hold(subject, append(assignments, answer.Assignments...))
	return held, err
}

// Within returns what is held as far as a machine's credential may be used for it; without limits that is all of it.
func (h Held) Within(limits *call.Limits) Held {
	if limits != nil && h.Holdings != nil {
		h.Holdings = h.Holdings.Within(limits.Scopes.Hold)
	}
	return h
}

// AnswerOf reads the owner's answer as it came over the wire.
func AnswerOf(sent *organizationv1.GetEffectivePermissionsResponse) Answer {
	answer := Answer{
		Member: sent.GetMember(), ServiceAccount: sent.GetServiceAccount(), Suspended: sent.GetSuspended(),
		Frozen: FrozenBy(sent.GetOrganizationState()), RoleIDs: sent.GetRoleIds(), Revision: sent.GetAccessRevision(), RolesRevision: sent.GetRolesRevision(),
		Permissions: sent.GetCustomPermissions(), Policy: sent.GetPolicy(), JoinedAt: timeOf(sent.GetJoinTime()),
		RequiredConnection: id.ParseOrZero(sent.GetRequiredSsoConnectionId()),
	}
	for _, role := range sent.GetRoles() {
		answer.Roles = append(answer.Roles, RoleOf(role))
	}
	for _, held := range sent.GetAssignments() {
		assignment := assignmentOf(held.GetAssignment())
		assignment.Through = held.GetTeamId()
		if held.GetSource() != nil {
			source := assignmentOf(held.GetSource())
			// What a source says of its own, it says of who has granted it on.
			source.Subject = access.Subject{ID: held.GetSource().GetSubject().GetId(), Kind: subjectKinds[held.GetSource().GetSubject().GetType()]}
			assignment.Source = &source
		}
		answer.Assignments = append(answer.Assignments, assignment)
	}
	return answer
}

var inheritances = map[organizationv1.Role_Inheritance]access.Mode{
	organizationv1.Role_FULL: access.Full, organizationv1.Role_PARTIAL: access.Partial, organizationv1.Role_CONDITIONAL: access.Conditional,
}

// RoleOf reads a role of the contract as the evaluator knows it.
func RoleOf(sent *organizationv1.Role) access.Role {
	role := access.Role{ID: sent.GetId(), Allow: sent.GetPermissions(), Deny: sent.GetDeniedPermissions()}
	for _, parent := range sent.GetParents() {
		role.Parents = append(role.Parents, access.Parent{
			RoleID: parent.GetRoleId(), Mode: inheritances[parent.GetInheritance()], Permissions: parent.GetPermissions(),
			Condition: parent.GetCondition(),
		})
	}
	return role
}

var subjectKinds = map[organizationv1.Subject_Type]access.Kind{
	organizationv1.Subject_USER: access.User, organizationv1.Subject_SERVICE_ACCOUNT: access.ServiceAccount,
}

func assignmentOf(sent *organizationv1.Assignment) access.Assignment {
	assignment := access.Assignment{
		ID: sent.GetId(), RoleID: sent.GetRoleId(), Owned: sent.GetOwned(), Condition: sent.GetCondition(),
		Start: timeOf(sent.GetStartTime()), Expire: timeOf(sent.GetExpireTime()),
	}
	switch sent.GetScope().GetType() {
	case organizationv1.Scope_PROJECT:
		assignment.Scope = access.Scope{Kind: access.Project, ProjectID: sent.GetScope().GetId()}
	case organizationv1.Scope_RESOURCE:
		assignment.Scope = access.Scope{Kind: access.OneResource, ResourceType: sent.GetScope().GetResourceType(), ResourceID: sent.GetScope().GetId()}
	default:
		assignment.Scope = access.Scope{Kind: access.Organization}
	}
	return assignment
}

func timeOf(sent interface {
	IsValid() bool
	AsTime() time.Time
}) time.Time {
	if !sent.IsValid() {
		return time.Time{}
	}
	return sent.AsTime()
}

func text(value id.ID) string {
	if value.IsZero() {
		return ""
	}
	return value.String()
}
