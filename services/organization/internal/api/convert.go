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
		Etag: domain.Etag(organization.Revision),
	}
}

func encodeMember(member domain.Membership) *organizationv1.Member {
	return &organizationv1.Member{
		UserId: member.UserID.String(), DisplayName: member.DisplayName, Email: member.Email, RoleIds: member.RoleIDs,
		JoinTime: timestamppb.New(member.JoinedAt), Etag: domain.Etag(member.Revision), AccessRevision: app.EncodeRevision(member.AccessRevision),
	}
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
