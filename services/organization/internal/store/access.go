package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store/db"
)

// LockAccess locks the organization's row, so that changes of who may do what happen one after another, with the
// transaction's next statement. That one sees all that was committed before: the statement that waits would not.
func LockAccess(ctx context.Context, tx *pg.Tx, organizationID id.ID) error {
	return queue(tx).LockOrganization(ctx, organizationID)
}

// SaveRevisions writes an organization's revisions, with the transaction's next statement. Whoever calls it has locked them.
func SaveRevisions(ctx context.Context, tx *pg.Tx, organizationID id.ID, access, roles int64) error {
	return queue(tx).SaveRevisions(ctx, organizationID, access, roles)
}

// RaiseAccess locks the organization's row and raises its access revision, for changes that nobody's access decides. An
// organization that is gone is ErrNotFound.
func RaiseAccess(ctx context.Context, tx *pg.Tx, organizationID id.ID) (int64, error) {
	revision, err := db.New(tx).RaiseAccess(ctx, organizationID)
	return revision, one("raise access revision", err)
}

// Catalog is an organization's own roles and permissions, at a revision.
type Catalog struct {
	// AccessRevision is 0 when there is no such organization.
	AccessRevision, RolesRevision int64
	State                         domain.OrganizationState
	// Read says that the rest was read: the asker knows another revision.
	Read        bool
	Roles       []domain.Role
	Permissions []string
	// Policy is what the organization asks of everybody. It is always read.
	Policy domain.Policy
}

// Holding is what one subject has.
type Holding struct {
	SubjectID id.ID
	// RoleIDs are a member's own; none means no member.
	RoleIDs []string
	// Suspended members may do nothing, whatever they have.
	Suspended bool
	// ServiceAccount says that it is a service account of the organization.
	ServiceAccount bool
	Assignments    []HeldAssignment
	// JoinedAt is when the member joined.
	JoinedAt time.Time
	// RequiredConnection is the one that the member has to sign in by; zero for none.
	RequiredConnection id.ID
}

// HeldAssignment is an assignment as it reaches a subject.
type HeldAssignment struct {
	domain.Assignment
	// TeamID is the team's that it comes by, zero for the subject's own.
	TeamID id.ID
	// Source is what it was delegated from.
	Source *domain.Assignment
}

// ReadHoldings returns what each of the subjects has at a time, and the organization's roles and permissions unless
// the asker knows this revision of them, all at one moment. The subjects come in the order that they were asked for.
func ReadHoldings(ctx context.Context, querier pg.Querier, organizationID id.ID, knownRoles int64, now time.Time, subjectIDs ...id.ID) (Catalog, []Holding, error) {
	rows, err := db.New(querier).ReadHoldings(ctx, knownRoles, now, subjectIDs, organizationID)
	if err != nil {
		return Catalog{}, nil, fmt.Errorf("read holdings: %w", err)
	}
	if len(rows) == 0 {
		holdings := make([]Holding, len(subjectIDs))
		for i, subjectID := range subjectIDs {
			holdings[i].SubjectID = subjectID
		}
		return Catalog{}, holdings, nil
	}
	catalog := Catalog{
		State: domain.OrganizationState(rows[0].State), AccessRevision: rows[0].AccessRevision, RolesRevision: rows[0].RolesRevision,
		Read: rows[0].RolesRevision != knownRoles, Permissions: rows[0].Permissions,
	}
	if catalog.Read {
		if catalog.Roles, err = rolesFrom(rows[0].Roles); err != nil {
			return Catalog{}, nil, err
		}
	}
	if catalog.Policy, err = policyFrom(rows[0].Policy); err != nil {
		return Catalog{}, nil, err
	}
	holdings := make([]Holding, 0, len(rows))
	for _, row := range rows {
		holding := Holding{
			SubjectID: row.SubjectID, RoleIDs: row.RoleIds, Suspended: row.Suspended, ServiceAccount: row.ServiceAccount,
			JoinedAt: timeFrom(row.JoinedAt), RequiredConnection: row.SsoConnectionID,
		}
		if holding.Assignments, err = assignmentsFrom(row.Assignments); err != nil {
			return Catalog{}, nil, err
		}
		holdings = append(holdings, holding)
	}
	return catalog, holdings, nil
}

// rolesFrom reads roles as the statement has put them together: with what decides about access only.
func rolesFrom(encoded []byte) ([]domain.Role, error) {
	var rows []struct {
		ID      string          `json:"id"`
		Allowed []string        `json:"allowed"`
		Denied  []string        `json:"denied"`
		Parents []domain.Parent `json:"parents"`
	}
	if err := json.Unmarshal(encoded, &rows); err != nil {
		return nil, fmt.Errorf("read roles: %w", err)
	}
	roles := make([]domain.Role, 0, len(rows))
	for _, row := range rows {
		roles = append(roles, domain.Role{
			ID: row.ID, RoleContent: domain.RoleContent{Allowed: row.Allowed, Denied: row.Denied, Parents: row.Parents},
		})
	}
	return roles, nil
}

// assignmentRow is a row of the table as to_jsonb writes it.
type assignmentRow struct {
	OrganizationID id.ID      `json:"organization_id"`
	ID             id.ID      `json:"id"`
	SubjectType    string     `json:"subject_type"`
	SubjectID      id.ID      `json:"subject_id"`
	RoleID         string     `json:"role_id"`
	ScopeType      string     `json:"scope_type"`
	ScopeID        id.ID      `json:"scope_id"`
	ResourceType   string     `json:"resource_type"`
	Owned          bool       `json:"owned"`
	Delegable      bool       `json:"delegable"`
	SourceID       id.ID      `json:"source_id"`
	StartsAt       *time.Time `json:"starts_at"`
	ExpiresAt      *time.Time `json:"expires_at"`
	Condition      string     `json:"condition"`
	CreatorID      id.ID      `json:"creator_id"`
	CreatedAt      time.Time  `json:"created_at"`
}

func assignmentsFrom(encoded []byte) ([]HeldAssignment, error) {
	if len(encoded) == 0 {
		return nil, nil
	}
	var rows []struct {
		Assignment assignmentRow  `json:"assignment"`
		TeamID     id.ID          `json:"team_id"`
		Source     *assignmentRow `json:"source"`
	}
	if err := json.Unmarshal(encoded, &rows); err != nil {
		return nil, fmt.Errorf("read assignments: %w", err)
	}
	held := make([]HeldAssignment, 0, len(rows))
	for _, row := range rows {
		one := HeldAssignment{Assignment: assignment(db.Assignment(row.Assignment)), TeamID: row.TeamID}
		if row.Source != nil {
			source := assignment(db.Assignment(*row.Source))
			one.Source = &source
		}
		held = append(held, one)
	}
	return held, nil
}

// ListCandidates returns at most so many members and service accounts, by id, who have one of the roles, and come after
// a subject; zero begins.
func ListCandidates(ctx context.Context, querier pg.Querier, organizationID id.ID, roleIDs []string, after id.ID, atMost int) ([]domain.Subject, error) {
	rows, err := db.New(querier).ListCandidates(ctx, organizationID, after, roleIDs, int32(atMost))
	if err != nil {
		return nil, fmt.Errorf("list candidates: %w", err)
	}
	found := make([]domain.Subject, 0, len(rows))
	for _, row := range rows {
		found = append(found, domain.Subject{Type: domain.SubjectType(row.SubjectType), ID: row.ID})
	}
	return found, nil
}

// Reached are those whom something reaches: subjects, with whoever is in a team among them, and whoever has one of the
// roles.
type Reached struct {
	SubjectIDs []id.ID
	RoleIDs    []string
}

// ReachedRole is a role that somebody who is reached has in the whole organization.
type ReachedRole struct {
	RoleID string
	// Own says that it is the asker's.
	Own bool
}

// ListReachedRoles returns the roles in the whole organization, at a time, of those who are reached.
func ListReachedRoles(ctx context.Context, tx *pg.Tx, organizationID, askerID id.ID, reached Reached, now time.Time) ([]ReachedRole, error) {
	rows, err := db.New(tx).ListReachedRoles(ctx, db.ListReachedRolesParams{
		OrganizationID: organizationID, OwnID: askerID, SubjectIds: reached.SubjectIDs, RoleIds: reached.RoleIDs, Now: now,
	})
	if err != nil {
		return nil, fmt.Errorf("list roles of those who are reached: %w", err)
	}
	found := make([]ReachedRole, 0, len(rows))
	for _, row := range rows {
		found = append(found, ReachedRole(row))
	}
	return found, nil
}

// KeepServiceAccount writes what was heard of a service account, with the transaction's next statement. It is for the
// worker role.
func KeepServiceAccount(ctx context.Context, tx *pg.Tx, organizationID, serviceAccountID id.ID, displayName string) error {
	return queue(tx).KeepServiceAccount(ctx, organizationID, serviceAccountID, displayName)
}

// DeleteServiceAccount forgets a service account that is gone, likewise.
func DeleteServiceAccount(ctx context.Context, tx *pg.Tx, organizationID, serviceAccountID id.ID) error {
	return queue(tx).DeleteServiceAccount(ctx, organizationID, serviceAccountID)
}
