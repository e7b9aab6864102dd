package api

import (
	"context"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/fieldmask"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/app"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

// CreateTeam makes a team.
func (h *Handlers) CreateTeam(ctx context.Context, request *organizationv1.CreateTeamRequest) (*organizationv1.Team, error) {
	return h.changeTeam(ctx, func(ctx context.Context, tx *pg.Tx) (domain.Team, error) {
		return h.app.CreateTeam(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), domain.Team{
			DisplayName: request.GetDisplayName(), Description: request.GetDescription(), ParentID: id.ParseOrZero(request.GetParentTeamId()),
		})
	})
}

// changeTeam answers with a team as it was just written.
func (h *Handlers) changeTeam(ctx context.Context, change func(context.Context, *pg.Tx) (domain.Team, error)) (*organizationv1.Team, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.Team, error) {
		changed, err := change(ctx, tx)
		if err != nil {
			return nil, err
		}
		encoded := encodeTeam(changed)
		encoded.AccessRevision = writtenRevision(ctx)
		return encoded, nil
	})
}

// ListTeams lists the teams.
func (h *Handlers) ListTeams(ctx context.Context, request *organizationv1.ListTeamsRequest) (*organizationv1.ListTeamsResponse, error) {
	next, teams, err := h.app.ListTeams(ctx, id.ParseOrZero(request.GetOrganizationId()), list.RequestOf(request))
	if err != nil {
		return nil, err
	}
	response := &organizationv1.ListTeamsResponse{NextPageToken: next}
	for _, team := range teams {
		response.Teams = append(response.Teams, encodeTeam(team))
	}
	return response, nil
}

// GetTeam returns a team.
func (h *Handlers) GetTeam(ctx context.Context, request *organizationv1.GetTeamRequest) (*organizationv1.Team, error) {
	team, err := h.app.GetTeam(ctx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetTeamId()))
	if err != nil {
		return nil, err
	}
	return encodeTeam(team), nil
}

var teamFields = fieldmask.For(&organizationv1.Team{})

// UpdateTeam changes a team.
func (h *Handlers) UpdateTeam(ctx context.Context, request *organizationv1.UpdateTeamRequest) (*organizationv1.Team, error) {
	wanted := request.GetTeam()
	fields, err := teamFields.Read(request.GetUpdateMask(), wanted)
	if err != nil {
		return nil, err
	}
	change := app.TeamChange{Etag: wanted.GetEtag()}
	if fields.Has("display_name") {
		change.DisplayName = &wanted.DisplayName
	}
	if fields.Has("description") {
		change.Description = &wanted.Description
	}
	if fields.Has("parent_team_id") {
		parentID := id.ParseOrZero(wanted.GetParentTeamId())
		change.ParentID = &parentID
	}
	return h.changeTeam(ctx, func(ctx context.Context, tx *pg.Tx) (domain.Team, error) {
		return h.app.UpdateTeam(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetTeamId()), change)
	})
}

// DeleteTeam removes a team.
func (h *Handlers) DeleteTeam(ctx context.Context, request *organizationv1.DeleteTeamRequest) (*organizationv1.DeleteTeamResponse, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.DeleteTeamResponse, error) {
		err := h.app.DeleteTeam(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetTeamId()))
		return &organizationv1.DeleteTeamResponse{AccessRevision: writtenRevision(ctx)}, err
	})
}

var teamRoles = map[organizationv1.TeamMember_Role]domain.TeamRole{
	organizationv1.TeamMember_MEMBER: domain.TeamPlain, organizationv1.TeamMember_LEAD: domain.TeamLead,
}

// AddTeamMember puts somebody into a team.
func (h *Handlers) AddTeamMember(ctx context.Context, request *organizationv1.AddTeamMemberRequest) (*organizationv1.TeamMember, error) {
	role, ok := teamRoles[request.GetRole()]
	if !ok {
		role = domain.TeamPlain
	}
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.TeamMember, error) {
		added, err := h.app.AddTeamMember(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetTeamId()),
			id.ParseOrZero(request.GetUserId()), role)
		if err != nil {
			return nil, err
		}
		encoded := encodeTeamMember(added)
		encoded.AccessRevision = writtenRevision(ctx)
		return encoded, nil
	})
}

// ListTeamMembers lists who is in a team.
func (h *Handlers) ListTeamMembers(ctx context.Context, request *organizationv1.ListTeamMembersRequest) (*organizationv1.ListTeamMembersResponse, error) {
	next, members, err := h.app.ListTeamMembers(ctx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetTeamId()), list.RequestOf(request))
	if err != nil {
		return nil, err
	}
	response := &organizationv1.ListTeamMembersResponse{NextPageToken: next}
	for _, member := range members {
		response.Members = append(response.Members, encodeTeamMember(member))
	}
	return response, nil
}

var teamMemberFields = fieldmask.For(&organizationv1.TeamMember{})

// UpdateTeamMember changes somebody's role in a team.
func (h *Handlers) UpdateTeamMember(ctx context.Context, request *organizationv1.UpdateTeamMemberRequest) (*organizationv1.TeamMember, error) {
	wanted := request.GetMember()
	fields, err := teamMemberFields.Read(request.GetUpdateMask(), wanted)
	if err != nil {
		return nil, err
	}
	var role domain.TeamRole
	if fields.Has("role") {
		if role = teamRoles[wanted.GetRole()]; role == "" {
			return nil, errs.Invalid("member.role", "enum.defined_only", "must be MEMBER or LEAD")
		}
	}
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.TeamMember, error) {
		updated, err := h.app.UpdateTeamMember(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetTeamId()),
			id.ParseOrZero(request.GetUserId()), role)
		if err != nil {
			return nil, err
		}
		encoded := encodeTeamMember(updated)
		return encoded, fields.Keeps(encoded, "member")
	})
}

// RemoveTeamMember takes somebody out of a team, or lets the caller leave it.
func (h *Handlers) RemoveTeamMember(ctx context.Context, request *organizationv1.RemoveTeamMemberRequest) (*organizationv1.RemoveTeamMemberResponse, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.RemoveTeamMemberResponse, error) {
		err := h.app.RemoveTeamMember(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetTeamId()), id.ParseOrZero(request.GetUserId()))
		return &organizationv1.RemoveTeamMemberResponse{AccessRevision: writtenRevision(ctx)}, err
	})
}
