package app

import (
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// What is told in events as it is answered is encoded here: permissions, roles and assignments.

var inheritances = map[domain.Inheritance]organizationv1.Role_Inheritance{
	domain.Full: organizationv1.Role_FULL, domain.Partial: organizationv1.Role_PARTIAL, domain.Conditional: organizationv1.Role_CONDITIONAL,
}

var subjectTypes = map[domain.SubjectType]organizationv1.Subject_Type{
	domain.User: organizationv1.Subject_USER, domain.TeamSubject: organizationv1.Subject_TEAM, domain.ServiceAccount: organizationv1.Subject_SERVICE_ACCOUNT,
}

// OrganizationStates are the states as the contract spells them.
var OrganizationStates = map[domain.OrganizationState]organizationv1.Organization_State{
	domain.Active:          organizationv1.Organization_ACTIVE,
	domain.Suspended:       organizationv1.Organization_SUSPENDED,
	domain.DeletionPending: organizationv1.Organization_PENDING_DELETION,
	domain.Deleting:        organizationv1.Organization_DELETING,
}

var scopeTypes = map[domain.ScopeType]organizationv1.Scope_Type{
	domain.InOrganization: organizationv1.Scope_ORGANIZATION, domain.InProject: organizationv1.Scope_PROJECT, domain.OnResource: organizationv1.Scope_RESOURCE,
}

// EncodeRole spells a role as the contract does.
func EncodeRole(role domain.Role) *organizationv1.Role {
	encoded := EncodeContent(role.RoleContent)
	encoded.Id, encoded.System = role.ID, role.System()
	encoded.AccessRevision = EncodeRevision(role.AccessRevision)
	if role.System() {
		return encoded
	}
	encoded.Version, encoded.Etag = role.Version, domain.Etag(int64(role.Version))
	encoded.CreateTime, encoded.UpdateTime = encodeTime(role.CreatedAt), encodeTime(role.UpdatedAt)
	return encoded
}

// EncodeContent spells what an organization says of a role.
func EncodeContent(content domain.RoleContent) *organizationv1.Role {
	encoded := &organizationv1.Role{
		DisplayName: content.DisplayName, Description: content.Description, Permissions: content.Allowed, DeniedPermissions: content.Denied,
	}
	for _, parent := range content.Parents {
		encoded.Parents = append(encoded.Parents, &organizationv1.Role_Parent{
			RoleId: parent.RoleID, Inheritance: inheritances[parent.Inheritance], Permissions: parent.Permissions, Condition: parent.Condition,
		})
	}
	return encoded
}

// EncodeSubject spells who has a role.
func EncodeSubject(subject domain.Subject) *organizationv1.Subject {
	return &organizationv1.Subject{Type: subjectTypes[subject.Type], Id: subject.ID.String()}
}

// EncodeScope spells where a role holds.
func EncodeScope(scope domain.Scope) *organizationv1.Scope {
	return &organizationv1.Scope{Type: scopeTypes[scope.Type], Id: encodeID(scope.ID), ResourceType: scope.ResourceType}
}

// EncodeAssignment spells an assignment.
func EncodeAssignment(given domain.Assignment) *organizationv1.Assignment {
	return &organizationv1.Assignment{
		Id: given.ID.String(), Subject: EncodeSubject(given.Subject), RoleId: given.RoleID, Scope: EncodeScope(given.Scope),
		Owned: given.Owned, Delegable: given.Delegable, StartTime: encodeTime(given.StartsAt), ExpireTime: encodeTime(given.ExpiresAt),
		Condition: given.Condition, SourceAssignmentId: encodeID(given.SourceID), CreatorId: given.CreatorID.String(),
		CreateTime: encodeTime(given.CreatedAt), AccessRevision: EncodeRevision(given.AccessRevision),
	}
}

// encodeHolding spells all that a subject has.
func encodeHolding(catalog store.Catalog, holding store.Holding, permissions []string) *organizationv1.GetEffectivePermissionsResponse {
	// Nobody is a member of what is being erased.
	if len(holding.RoleIDs) == 0 && !holding.ServiceAccount || catalog.State == domain.Deleting {
		return &organizationv1.GetEffectivePermissionsResponse{}
	}
	encoded := &organizationv1.GetEffectivePermissionsResponse{
		Member: true, Permissions: permissions, RoleIds: holding.RoleIDs, AccessRevision: catalog.AccessRevision,
		RolesRevision: catalog.RolesRevision, CustomPermissions: catalog.Permissions, ServiceAccount: holding.ServiceAccount,
		OrganizationState: OrganizationStates[catalog.State],
	}
	encoded.JoinTime, encoded.RequiredSsoConnectionId = encodeTime(holding.JoinedAt), encodeID(holding.RequiredConnection)
	if catalog.Policy.Revision > 0 {
		encoded.Policy = EncodePolicy(catalog.Policy)
	}
	for _, role := range catalog.Roles {
		own := EncodeContent(role.RoleContent)
		own.Id = role.ID
		encoded.Roles = append(encoded.Roles, own)
	}
	if holding.Suspended {
		// Whoever forgets to look finds nothing that could be used.
		encoded.Suspended, encoded.Permissions, encoded.RoleIds = true, nil, nil
		return encoded
	}
	for _, held := range holding.Assignments {
		one := &organizationv1.GetEffectivePermissionsResponse_HeldAssignment{
			Assignment: EncodeAssignment(held.Assignment), TeamId: encodeID(held.TeamID),
		}
		if held.Source != nil {
			one.Source = EncodeAssignment(*held.Source)
		}
		encoded.Assignments = append(encoded.Assignments, one)
	}
	return encoded
}

// EncodeRevision spells an access revision; 0 is none.
func EncodeRevision(revision int64) string {
	if revision == 0 {
		return ""
	}
	return strconv.FormatInt(revision, 10)
}

// encodeTime spells a time; the zero one is none.
func encodeTime(at time.Time) *timestamppb.Timestamp {
	if at.IsZero() {
		return nil
	}
	return timestamppb.New(at)
}

// encodeID spells an identifier; the zero one is none.
func encodeID(of id.ID) string {
	if of.IsZero() {
		return ""
	}
	return of.String()
}
