package app

import (
	"context"
	"slices"
	"time"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// holder is a subject with all that it holds, and the organization's own roles and permissions, at one moment.
type holder struct {
	authz.Held
	subjectID id.ID
	catalog   store.Catalog
	graph     *access.Graph
	answer    authz.Answer
	// limits are those of the credential that the holder acts with, and maker is who made it, if it is a service account's
	// key: nil for everybody who acts by a session, or does not act at all.
	limits *call.Limits
	maker  *holder
	// impersonated says that an operator acts in the holder's name.
	impersonated bool
}

// readHolders reads what each of the subjects holds, all at the same moment.
func (a *App) readHolders(ctx context.Context, querier pg.Querier, organizationID id.ID, subjectIDs ...id.ID) ([]holder, error) {
	catalog, holdings, err := store.ReadHoldings(ctx, querier, organizationID, 0, a.Clock.Now(), subjectIDs...)
	if err != nil {
		return nil, err
	}
	// The catalog is the same for all of them, and compiled once.
	compiled, err := a.compile(catalog.Roles, catalog.Permissions)
	if err != nil {
		return nil, err
	}
	holders := make([]holder, 0, len(holdings))
	for _, holding := range holdings {
		answer := authz.AnswerOf(encodeHolding(catalog, holding, nil))
		held, err := authz.Hold(compiled, holding.SubjectID, answer)
		if err != nil {
			return nil, err
		}
		holders = append(holders, holder{Held: held, subjectID: holding.SubjectID, catalog: catalog, graph: compiled, answer: answer})
	}
	return holders, nil
}

// compile makes the organization's graph of roles.
func (a *App) compile(roles []domain.Role, permissions []string) (*access.Graph, error) {
	stored := make([]access.Role, 0, len(roles))
	for _, role := range roles {
		encoded := EncodeContent(role.RoleContent)
		encoded.Id = role.ID
		stored = append(stored, authz.RoleOf(encoded))
	}
	return authz.NewGraph(a.Base, stored, permissions)
}

// lockAccess begins a change of who may do what: it locks the organization, so that no two such changes happen at once,
// and returns who makes this one, with what they hold then. They may hold nothing any more.
func (a *App) lockAccess(ctx context.Context, tx *pg.Tx, organizationID id.ID) (holder, error) {
	if err := store.LockAccess(ctx, tx, organizationID); err != nil {
		return holder{}, err
	}
	work := &call.From(ctx).Actor
	acting := []id.ID{work.UserID}
	if work.Limits != nil && !work.Limits.MakerID.IsZero() {
		acting = append(acting, work.Limits.MakerID)
	}
	holders, err := a.readHolders(ctx, tx, organizationID, acting...)
	if err != nil {
		return holder{}, err
	}
	return actingHolder(holders, work), nil
}

// actingHolder is who makes a change, with what their credential may and not with all that is theirs: a person by a session,
// a token, or a service account with the maker of its key behind it. All that is decided under the lock goes by it.
func actingHolder(holders []holder, acting *call.Actor) holder {
	actor := holders[0]
	actor.Held, actor.limits = actor.Within(acting.Limits), acting.Limits
	actor.impersonated = !acting.ImpersonatorID.IsZero()
	if len(holders) > 1 {
		actor.maker = &holders[1]
	}
	return actor
}

// mayGive is the one place where a grant is measured: whoever makes it must hold it, within the limits of the credential that
// they make it with; and behind a key whoever made the key must hold it, too. In somebody's name nothing is given: it would
// outlast the support grant.
func (h *holder) mayGive(given *access.Assignment, now time.Time) error {
	if !h.Member || h.Suspended || h.impersonated {
		return domain.ErrGrantExceedsOwn
	}
	if err := h.CheckGrant(given, now); err != nil {
		return exceeds(err)
	}
	if h.maker == nil {
		return nil
	}
	return h.maker.mayGive(given, now)
}

// over is the holder over other roles than the organization has.
func (h *holder) over(compiled *access.Graph) (*holder, error) {
	held, err := authz.Hold(compiled, h.subjectID, h.answer)
	if err != nil {
		return nil, err
	}
	changed := *h
	changed.Held, changed.graph = held.Within(h.limits), compiled
	if h.maker != nil {
		changed.maker, err = h.maker.over(compiled)
	}
	return &changed, err
}

// lockAccessAsMember is lockAccess for what has nothing to show to one who was removed since the chain let the request
// through, and refuses one who was suspended.
func (a *App) lockAccessAsMember(ctx context.Context, tx *pg.Tx, organizationID id.ID) (holder, error) {
	actor, err := a.lockAccess(ctx, tx, organizationID)
	switch {
	case err != nil:
	case !actor.Member:
		err = errs.ErrNotFound
	case actor.Suspended:
		err = domain.ErrMemberSuspended
	}
	return actor, err
}

// raise writes that the change, begun by lockAccess, makes a new revision, which it returns; of the roles as well where
// they or the permissions change. It goes out with the transaction's next statement.
func (a *App) raise(ctx context.Context, tx *pg.Tx, organizationID id.ID, begun store.Catalog, roles bool) (int64, error) {
	revision, rolesRevision := begun.AccessRevision+1, begun.RolesRevision
	if roles {
		rolesRevision++
	}
	call.From(ctx).AccessRevision = revision
	return revision, store.SaveRevisions(ctx, tx, organizationID, revision, rolesRevision)
}

// isOwner reports whether the holder is an owner of the organization.
func (h *holder) isOwner() bool { return slices.Contains(h.RoleIDs, domain.Owner) }

// holdsEverything reports whether there is nothing to measure: the holder is an owner, acts themselves, and no credential's
// limits are theirs.
func (h *holder) holdsEverything() bool {
	return h.isOwner() && h.Member && !h.Suspended && h.limits == nil && !h.impersonated
}

// coversRole refuses a member's role that the holder may neither give nor take away. Who is an owner, owners say.
func (a *App) coversRole(actor *holder, roleID string) error {
	if roleID == domain.Owner && !actor.isOwner() {
		return domain.ErrGrantExceedsOwn.With("roleId", roleID)
	}
	return a.covers(actor, domain.Assignment{RoleID: roleID, Scope: domain.Scope{Type: domain.InOrganization}})
}

// covers refuses an assignment that the holder may neither give nor take away: everything that its role allows, and
// everything that it denies, must be the holder's own, where and as long as the assignment holds. Owners hold everything;
// what is denied to one is theirs to lift, or they could deny themselves something and nobody would be left to undo it. An
// owner's token is measured like everybody's.
func (a *App) covers(actor *holder, given domain.Assignment) error {
	if actor.holdsEverything() {
		return nil
	}
	asked := accessAssignment(given)
	if err := actor.mayGive(&asked, a.Clock.Now()); err != nil {
		return errs.From(err).With("roleId", given.RoleID)
	}
	if denied := denied(actor.graph, given.RoleID); len(denied) > 0 {
		return a.coversPermissions(actor, denied, given)
	}
	return nil
}

// touchedRole is a role that is made to ask about permissions that no role has together.
const touchedRole = "touched"

// coversPermissions refuses permissions that the holder lacks within the limits of the assignment. An owner lacks none.
func (a *App) coversPermissions(actor *holder, permissions []string, limits domain.Assignment) error {
	if actor.holdsEverything() {
		return nil
	}
	compiled, err := access.NewGraph(actor.graph, []access.Role{{ID: touchedRole, Allow: permissions}})
	if err != nil {
		return err
	}
	held, err := actor.over(compiled)
	if err != nil {
		return err
	}
	limits.RoleID = touchedRole
	asked := accessAssignment(limits)
	return held.mayGive(&asked, a.Clock.Now())
}

// exceeds turns the evaluator's refusal into this service's.
func exceeds(err error) *errs.Error {
	return domain.ErrGrantExceedsOwn.With("permission", errs.From(err).Metadata["permission"]).WithCause(err)
}

// accessAssignment is an assignment as the evaluator knows it.
func accessAssignment(given domain.Assignment) access.Assignment {
	asked := authz.AnswerOf(&organizationv1.GetEffectivePermissionsResponse{
		Assignments: []*organizationv1.GetEffectivePermissionsResponse_HeldAssignment{{Assignment: EncodeAssignment(given)}},
	}).Assignments[0]
	if !given.SourceID.IsZero() {
		asked.Source = &access.Assignment{ID: given.SourceID.String()}
	}
	return asked
}

// hasRole reports whether a role is one of the organization.
func (a *App) hasRole(actor *holder, roleID string) bool {
	return a.Roles.Has(roleID) || slices.ContainsFunc(actor.catalog.Roles, func(role domain.Role) bool { return role.ID == roleID })
}

// hasPermission reports whether a permission is one of the contract's, or of the organization's own.
func (a *App) hasPermission(actor *holder, name string) bool {
	return a.Roles.Knows(name) || slices.Contains(actor.catalog.Permissions, name)
}
