package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store/db"
)

// Assignments is the list of an organization's assignments.
var Assignments = list.Spec{
	Name: "assignments",
	Fields: map[string]list.Field{
		"subject.type": {Column: "subject_type", Type: list.Enum, Values: map[string]any{
			"USER": string(domain.User), "TEAM": string(domain.TeamSubject), "SERVICE_ACCOUNT": string(domain.ServiceAccount),
		}},
		"subject.id": {Column: "subject_id", Type: list.ID},
		"roleId":     {Column: "role_id", Type: list.String},
		"scope.type": {Column: "scope_type", Type: list.Enum, Values: map[string]any{
			"ORGANIZATION": string(domain.InOrganization), "PROJECT": string(domain.InProject), "RESOURCE": string(domain.OnResource),
		}},
		"scope.id":   {Column: "scope_id", Type: list.ID},
		"createTime": {Column: "created_at", Type: list.Time},
	},
	Orders:   map[string]list.Order{"createTime": {Column: "created_at", Type: list.Time}},
	Default:  "createTime desc",
	Tiebreak: list.Order{Column: "id", Type: list.ID},
}

func assignment(row db.Assignment) domain.Assignment {
	return domain.Assignment{
		OrganizationID: row.OrganizationID, ID: row.ID,
		Subject: domain.Subject{Type: domain.SubjectType(row.SubjectType), ID: row.SubjectID}, RoleID: row.RoleID,
		Scope: domain.Scope{Type: domain.ScopeType(row.ScopeType), ID: row.ScopeID, ResourceType: row.ResourceType},
		Owned: row.Owned, Delegable: row.Delegable, SourceID: row.SourceID,
		StartsAt: timeFrom(row.StartsAt), ExpiresAt: timeFrom(row.ExpiresAt), Condition: row.Condition,
		CreatorID: row.CreatorID, CreatedAt: row.CreatedAt,
	}
}

// timeFrom turns NULL into the zero time, and timeOrNil that into NULL.
func timeFrom(stored *time.Time) time.Time {
	if stored == nil {
		return time.Time{}
	}
	return *stored
}

func timeOrNil(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

// InsertAssignment adds an assignment, with the transaction's next statement.
func InsertAssignment(ctx context.Context, tx *pg.Tx, given domain.Assignment) error {
	return queue(tx).InsertAssignment(ctx, db.InsertAssignmentParams{
		OrganizationID: given.OrganizationID, ID: given.ID, SubjectType: string(given.Subject.Type), SubjectID: given.Subject.ID,
		RoleID: given.RoleID, ScopeType: string(given.Scope.Type), ScopeID: given.Scope.ID, ResourceType: given.Scope.ResourceType,
		Owned: given.Owned, Delegable: given.Delegable, SourceID: given.SourceID,
		StartsAt: timeOrNil(given.StartsAt), ExpiresAt: timeOrNil(given.ExpiresAt), Condition: given.Condition,
		CreatorID: given.CreatorID, CreatedAt: given.CreatedAt,
	})
}

// GetAssignment returns an assignment.
func GetAssignment(ctx context.Context, querier pg.Querier, organizationID, assignmentID id.ID) (domain.Assignment, error) {
	row, err := db.New(querier).GetAssignment(ctx, organizationID, assignmentID)
	return assignment(row), one("read assignment", err)
}

// DeleteAssignment removes an assignment and those delegated from it, and returns them as they were, it first.
func DeleteAssignment(ctx context.Context, tx *pg.Tx, organizationID, assignmentID id.ID) ([]domain.Assignment, error) {
	rows, err := db.New(tx).DeleteAssignment(ctx, organizationID, assignmentID)
	return deleted(rows, err)
}

// DeleteSubjectAssignments removes all that a subject has, and all that it has given on, and returns them as they were.
func DeleteSubjectAssignments(ctx context.Context, tx *pg.Tx, organizationID, subjectID id.ID) ([]domain.Assignment, error) {
	rows, err := db.New(tx).DeleteSubjectAssignments(ctx, organizationID, subjectID)
	return deleted(rows, err)
}

func deleted(rows []db.Assignment, err error) ([]domain.Assignment, error) {
	if err != nil {
		return nil, fmt.Errorf("delete assignments: %w", err)
	}
	gone := make([]domain.Assignment, 0, len(rows))
	for _, row := range rows {
		gone = append(gone, assignment(row))
	}
	return gone, nil
}

// Room says whether a subject exists, and whether it and the organization may have one assignment more.
type Room struct {
	SubjectKnown, SubjectFull, OrganizationFull bool
}

// ReadRoom looks for a subject and at the limits.
func ReadRoom(ctx context.Context, tx *pg.Tx, organizationID id.ID, subject domain.Subject) (Room, error) {
	row, err := db.New(tx).GetRoom(ctx, db.GetRoomParams{
		OrganizationID: organizationID, SubjectType: string(subject.Type), SubjectID: subject.ID,
		SubjectLimit: domain.MaxSubjectAssignments, OrganizationLimit: domain.MaxOrganizationAssignments,
	})
	if err != nil {
		return Room{}, fmt.Errorf("count assignments: %w", err)
	}
	return Room{
		SubjectKnown: row.Known, SubjectFull: row.Own >= domain.MaxSubjectAssignments,
		OrganizationFull: row.Everybodys >= domain.MaxOrganizationAssignments,
	}, nil
}

const listAssignments = `select organization_id, id, subject_type, subject_id, role_id, scope_type, scope_id, resource_type, owned, delegable,
    source_id, starts_at, expires_at, condition, creator_id, created_at
from assignment where organization_id = $1`

// ListAssignments returns a page of an organization's assignments.
func ListAssignments(ctx context.Context, querier pg.Querier, organizationID id.ID, query *list.Query) (string, []domain.Assignment, error) {
	sql, arguments := query.Build(listAssignments, organizationID)
	return page(ctx, querier, query, sql, arguments, func(rows pgx.Rows, row *domain.Assignment) error {
		var found db.Assignment
		err := rows.Scan(&found.OrganizationID, &found.ID, &found.SubjectType, &found.SubjectID, &found.RoleID, &found.ScopeType,
			&found.ScopeID, &found.ResourceType, &found.Owned, &found.Delegable, &found.SourceID, &found.StartsAt, &found.ExpiresAt,
			&found.Condition, &found.CreatorID, &found.CreatedAt)
		*row = assignment(found)
		return err
	}, func(row domain.Assignment, order string) any {
		if order == "createTime" {
			return row.CreatedAt
		}
		return row.ID
	})
}

// ListTeamAssignments returns all that teams have.
func ListTeamAssignments(ctx context.Context, tx *pg.Tx, organizationID id.ID, teamIDs []id.ID) ([]domain.Assignment, error) {
	rows, err := db.New(tx).ListTeamAssignments(ctx, organizationID, teamIDs)
	if err != nil {
		return nil, fmt.Errorf("list assignments of teams: %w", err)
	}
	found := make([]domain.Assignment, 0, len(rows))
	for _, row := range rows {
		found = append(found, assignment(row))
	}
	return found, nil
}
