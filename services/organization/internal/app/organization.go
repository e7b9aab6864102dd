package app

import (
	"context"
	"errors"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// slugTries bounds the search for a free generated slug. A second try already has 24 random bits in it.
const slugTries = 5

// CreateOrganization makes an organization with founder as its owner. Without a slug one is made of the name; one that
// is asked for and taken is ErrSlugTaken.
func (a *App) CreateOrganization(ctx context.Context, tx *pg.Tx, founder domain.Person, displayName, slug string) (domain.Organization, error) {
	displayName, err := domain.CheckDisplayName("displayName", displayName)
	if err != nil {
		return domain.Organization{}, err
	}
	now := a.Clock.Now()
	created := domain.Organization{ID: id.New(), DisplayName: displayName, Slug: slug, CreatedAt: now, UpdatedAt: now, Revision: 1}
	if err := store.EnterOrganization(ctx, tx, created.ID); err != nil {
		return domain.Organization{}, err
	}
	if created.Slug, err = insertWithSlug(ctx, tx, created); err != nil {
		return domain.Organization{}, err
	}
	if err := a.tellOrganizationCreated(ctx, tx, created); err != nil {
		return domain.Organization{}, err
	}
	owner := domain.Membership{OrganizationID: created.ID, Person: founder, RoleIDs: []string{domain.Owner}, JoinedAt: now, Revision: 1}
	call.From(ctx).AccessRevision = domain.FirstRevision
	return created, a.addMember(ctx, tx, owner)
}

// insertWithSlug inserts the organization and returns the slug it got.
func insertWithSlug(ctx context.Context, tx *pg.Tx, created domain.Organization) (string, error) {
	if created.Slug != "" {
		return created.Slug, store.InsertOrganization(ctx, tx, created)
	}
	plain := domain.SlugFrom(latin(created.DisplayName))
	created.Slug = plain
	for try := 1; ; try++ {
		err := store.InsertOrganization(ctx, tx, created)
		if err == nil || try == slugTries || !errors.Is(err, domain.ErrSlugTaken) {
			return created.Slug, err
		}
		created.Slug = domain.SlugWithSuffix(plain, id.New())
	}
}

// addMember makes a person a member and tells of it.
func (a *App) addMember(ctx context.Context, tx *pg.Tx, member domain.Membership) error {
	if err := store.InsertMember(ctx, tx, member); err != nil {
		return err
	}
	tx.AfterCommit(func() { a.DropAccess(member.OrganizationID, member.UserID) })
	return a.tellMemberAdded(ctx, tx, member)
}

// GetOrganization returns an organization.
func (a *App) GetOrganization(ctx context.Context, organizationID id.ID) (domain.Organization, error) {
	return store.GetOrganization(ctx, a.DB.Point(pg.ScopeOf(ctx)), organizationID)
}

// ListOrganizations returns a page of the caller's organizations and the token of the next one.
func (a *App) ListOrganizations(ctx context.Context, request list.Request) (string, []domain.Organization, error) {
	userID := call.From(ctx).Actor.UserID
	request.Binding = []string{userID.String()}
	query, err := store.Organizations.Parse(request)
	if err != nil {
		return "", nil, err
	}
	return store.ListOrganizations(ctx, a.DB.Read(pg.ScopeOf(ctx)), userID, query)
}

// OrganizationChange holds what is to change; nil leaves a value as it is.
type OrganizationChange struct {
	DisplayName *string
	Slug        *string
	Etag        string
}

// UpdateOrganization changes an organization's names. A change that changes nothing is no change: nothing is written
// or told.
func (a *App) UpdateOrganization(ctx context.Context, tx *pg.Tx, organizationID id.ID, change OrganizationChange) (domain.Organization, error) {
	current, err := store.LockOrganization(ctx, tx, organizationID)
	if err != nil {
		return domain.Organization{}, err
	}
	if err := domain.CheckEtag(change.Etag, current.Revision); err != nil {
		return domain.Organization{}, err
	}
	updated := current
	if change.DisplayName != nil {
		if updated.DisplayName, err = domain.CheckDisplayName("organization.displayName", *change.DisplayName); err != nil {
			return domain.Organization{}, err
		}
	}
	if change.Slug != nil {
		updated.Slug = *change.Slug
	}
	if updated == current {
		return current, nil
	}
	updated.Revision++
	updated.UpdatedAt = a.Clock.Now()
	if err := store.UpdateOrganization(ctx, tx, updated); err != nil {
		return domain.Organization{}, err
	}
	return updated, a.tellOrganizationUpdated(ctx, tx, updated)
}
