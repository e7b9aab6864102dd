package api

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/services/organization/internal/app"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

func encodeOrganization(organization domain.Organization) *organizationv1.Organization {
	return &organizationv1.Organization{
		Id: organization.ID.String(), DisplayName: organization.DisplayName, Slug: organization.Slug,
		CreateTime: timestamppb.New(organization.CreatedAt), UpdateTime: timestamppb.New(organization.UpdatedAt),
		Etag: domain.Etag(organization.Revision), State: app.OrganizationStates[organization.State],
		SuspensionReason: organization.SuspensionReason,
	}
}

func encodeMember(member domain.Membership) *organizationv1.Member {
	encoded := &organizationv1.Member{
		UserId: member.UserID.String(), DisplayName: member.DisplayName, Email: member.Email, RoleIds: member.RoleIDs,
		Title: member.Title, AvatarPath: member.AvatarPath,
		JoinTime: timestamppb.New(member.JoinedAt), Etag: domain.Etag(member.Revision), AccessRevision: app.EncodeRevision(member.AccessRevision),
		State: organizationv1.Member_ACTIVE,
	}
	if member.Suspended() {
		encoded.State = organizationv1.Member_SUSPENDED
		encoded.SuspendTime, encoded.SuspendReason = timestamppb.New(member.SuspendedAt), member.SuspensionReason
	}
	return encoded
}

var states = map[domain.State]organizationv1.Invitation_State{
	domain.Pending:  organizationv1.Invitation_PENDING,
	domain.Accepted: organizationv1.Invitation_ACCEPTED,
	domain.Rejected: organizationv1.Invitation_REJECTED,
	domain.Revoked:  organizationv1.Invitation_REVOKED,
	domain.Expired:  organizationv1.Invitation_EXPIRED,
}

// encodeInvitation shows an invitation that was just read or written: its stored state is the one it has.
func encodeInvitation(invitation domain.Invitation) *organizationv1.Invitation {
	return &organizationv1.Invitation{
		Id: invitation.ID.String(), Email: invitation.Email, RoleId: invitation.RoleID, State: states[invitation.Stored],
		InviterId: invitation.InviterID.String(), CreateTime: timestamppb.New(invitation.CreatedAt),
		UpdateTime: timestamppb.New(invitation.UpdatedAt), ExpireTime: timestamppb.New(invitation.ExpiresAt),
	}
}

func encodeTeam(team domain.Team) *organizationv1.Team {
	encoded := &organizationv1.Team{
		Id: team.ID.String(), DisplayName: team.DisplayName, Description: team.Description,
		CreateTime: timestamppb.New(team.CreatedAt), UpdateTime: timestamppb.New(team.UpdatedAt), Etag: domain.Etag(team.Revision),
	}
	if !team.ParentID.IsZero() {
		encoded.ParentTeamId = team.ParentID.String()
	}
	return encoded
}

func encodeTeamMember(member domain.TeamMember) *organizationv1.TeamMember {
	encoded := &organizationv1.TeamMember{
		UserId: member.UserID.String(), DisplayName: member.DisplayName, Role: organizationv1.TeamMember_MEMBER,
		JoinTime: timestamppb.New(member.JoinedAt),
	}
	if member.Role == domain.TeamLead {
		encoded.Role = organizationv1.TeamMember_LEAD
	}
	return encoded
}

func encodeTransfer(transfer domain.Transfer) *organizationv1.OwnershipTransfer {
	return &organizationv1.OwnershipTransfer{
		Id: transfer.ID.String(), OwnerId: transfer.OwnerID.String(), UserId: transfer.UserID.String(),
		CreateTime: timestamppb.New(transfer.CreatedAt), ExpireTime: timestamppb.New(transfer.ExpiresAt),
	}
}
