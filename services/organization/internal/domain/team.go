package domain

import (
	"slices"
	"strconv"
	"time"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// What teams may grow to.
const (
	MaxTeamLevels  = 3
	MaxTeams       = 1000
	MaxTeamMembers = 10000
)

// Team is a group of an organization's members.
type Team struct {
	OrganizationID id.ID
	ID             id.ID
	DisplayName    string
	Description    string
	// ParentID is the team above it, zero at the top.
	ParentID  id.ID
	CreatedAt time.Time
	UpdatedAt time.Time
	// Revision grows with every change.
	Revision int64
}

// TeamRole is what somebody is in a team.
type TeamRole string

// The roles in a team.
const (
	TeamPlain TeamRole = "member"
	TeamLead  TeamRole = "lead"
)

// TeamMember is somebody's place in a team.
type TeamMember struct {
	UserID      id.ID
	DisplayName string
	Role        TeamRole
	JoinedAt    time.Time
}

// CheckParent refuses a place that a team can't have. line is the team to be above it and all that are above that, the
// nearest first, empty when there is no such team; height counts the levels from the team itself down, 1 without teams
// below it.
func CheckParent(teamID id.ID, line []id.ID, height int, field string) error {
	switch {
	case len(line) == 0:
		return ErrTeamParentUnknown.WithViolation(errs.Violation{Field: field, Rule: "team.unknown", Message: "names no team of the organization"})
	case slices.Contains(line, teamID):
		return ErrTeamCycle.With("teamId", teamID.String())
	case len(line)+height > MaxTeamLevels:
		return ErrTeamTooDeep.With("limit", strconv.Itoa(MaxTeamLevels))
	}
	return nil
}

// CheckLimit refuses one more of what there are as many of as there may be.
func CheckLimit(what string, count int64, limit int) error {
	if count >= int64(limit) {
		return ErrLimitReached.With("what", what).With("limit", strconv.Itoa(limit))
	}
	return nil
}
