package app

import (
	"context"
	"crypto/rand"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
	"google.golang.org/protobuf/proto"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// domainName returns a domain as it is kept: in lower case, in ASCII, without a dot at its end. field is how the caller
// spells the field.
func domainName(field, name string) (string, error) {
	ascii, err := idna.Lookup.ToASCII(strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), ".")))
	_, noAddress := netip.ParseAddr(ascii)
	emptyLabel := slices.Contains(strings.Split(ascii, "."), "")
	if err != nil || noAddress == nil || emptyLabel || !strings.Contains(ascii, ".") || len(ascii) > 253 {
		return "", errs.Invalid(field, "string.domain", "must be the name of a domain, such as example.com")
	}
	return ascii, nil
}

// ownableName is domainName for one that the organization wants for itself.
func ownableName(field, name string) (string, error) {
	name, err := domainName(field, name)
	if err != nil {
		return "", err
	}
	registrable, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil {
		registrable = ""
	}
	return name, domain.CheckOwnable(field, registrable)
}

// CreateDomain notes a domain that is to be proven.
func (a *App) CreateDomain(ctx context.Context, tx *pg.Tx, organizationID id.ID, name string) (domain.MailDomain, error) {
	name, err := ownableName("name", name)
	if err != nil {
		return domain.MailDomain{}, err
	}
	now := a.Clock.Now()
	created := domain.MailDomain{
		OrganizationID: organizationID, ID: id.New(), Name: name, Proof: strings.ToLower(rand.Text()), State: domain.DomainPending,
		CreatedAt: now, CheckAt: now, Revision: 1,
	}
	// The organization's lock makes the count exact.
	if _, err := a.lockAccessAsMember(ctx, tx, organizationID); err != nil {
		return domain.MailDomain{}, err
	}
	count, err := store.CountDomains(ctx, tx, organizationID)
	if err != nil {
		return domain.MailDomain{}, err
	}
	if err := domain.CheckLimit("domains", count, domain.MaxDomains); err != nil {
		return domain.MailDomain{}, err
	}
	if err := store.InsertDomain(ctx, tx, created); err != nil {
		return domain.MailDomain{}, err
	}
	return created, a.tellDomain(ctx, tx, created, &organizationv1.DomainCreated{
		OrganizationId: organizationID.String(), DomainId: created.ID.String(), Name: name,
	})
}

// GetDomain returns a domain.
func (a *App) GetDomain(ctx context.Context, organizationID, domainID id.ID) (domain.MailDomain, error) {
	return store.GetDomain(ctx, a.DB.Point(pg.Scope{OrganizationID: organizationID}), organizationID, domainID)
}

// ListDomains returns a page of an organization's domains and the token of the next one.
func (a *App) ListDomains(ctx context.Context, organizationID id.ID, request list.Request) (string, []domain.MailDomain, error) {
	request.Binding = []string{organizationID.String()}
	query, err := store.Domains.Parse(request)
	if err != nil {
		return "", nil, err
	}
	return store.ListDomains(ctx, a.DB.Read(pg.ScopeOf(ctx)), organizationID, query)
}

// DomainChange holds what is to change; nil leaves a value as it is.
type DomainChange struct {
	AutoJoinRoleID *string
	Capture        *bool
	Etag           string
}

// UpdateDomain changes what a domain is used for. A change that changes nothing is no change.
func (a *App) UpdateDomain(ctx context.Context, tx *pg.Tx, organizationID, domainID id.ID, change DomainChange) (domain.MailDomain, error) {
	actor, err := a.lockAccessAsMember(ctx, tx, organizationID)
	if err != nil {
		return domain.MailDomain{}, err
	}
	current, err := store.LockDomain(ctx, tx, organizationID, domainID)
	if err != nil {
		return domain.MailDomain{}, err
	}
	if err := domain.CheckEtag(change.Etag, current.Revision); err != nil {
		return domain.MailDomain{}, err
	}
	updated := current
	if change.AutoJoinRoleID != nil {
		updated.AutoJoinRoleID = *change.AutoJoinRoleID
	}
	if change.Capture != nil {
		updated.Capture = *change.Capture
	}
	if updated == current {
		return current, nil
	}
	if roleID := updated.AutoJoinRoleID; roleID != "" && roleID != current.AutoJoinRoleID {
		if err := a.checkRoles(&actor, "domain.autoJoinRoleId", roleID); err != nil {
			return domain.MailDomain{}, err
		}
		if err := updated.CheckAutoJoin("domain.autoJoinRoleId"); err != nil {
			return domain.MailDomain{}, err
		}
		if err := a.coversRole(&actor, roleID); err != nil {
			return domain.MailDomain{}, err
		}
	}
	if current.Capture && !updated.Capture {
		if err := a.mayRelease(ctx, tx, &actor, current); err != nil {
			return domain.MailDomain{}, err
		}
	}
	if err := updated.CheckUse(); err != nil {
		return domain.MailDomain{}, err
	}
	updated.Revision++
	if err := store.UpdateDomain(ctx, tx, updated); err != nil {
		return domain.MailDomain{}, err
	}
	return updated, a.tellDomain(ctx, tx, updated, &organizationv1.DomainUpdated{
		OrganizationId: organizationID.String(), DomainId: domainID.String(), Name: updated.Name,
		AutoJoinRoleId: updated.AutoJoinRoleID, Capture: updated.Capture,
	})
}

// DeleteDomain forgets a domain.
func (a *App) DeleteDomain(ctx context.Context, tx *pg.Tx, organizationID, domainID id.ID) error {
	actor, err := a.lockAccessAsMember(ctx, tx, organizationID)
	if err != nil {
		return err
	}
	deleted, err := store.LockDomain(ctx, tx, organizationID, domainID)
	if err != nil {
		return err
	}
	if err := a.mayRelease(ctx, tx, &actor, deleted); err != nil {
		return err
	}
	if err := store.DeleteDomain(ctx, tx, organizationID, domainID); err != nil {
		return err
	}
	return a.tellDomain(ctx, tx, deleted, &organizationv1.DomainDeleted{
		OrganizationId: organizationID.String(), DomainId: domainID.String(), Name: deleted.Name,
	})
}

// deleteConnectionPermission is identity's name of what it takes to end the connection.
const deleteConnectionPermission = "identity.sso_connection.delete"

// mayRelease refuses to let people with an address of a domain sign in past the required connection, or not at all, to
// whoever may not end the connection itself: without its domains it is as good as gone.
func (a *App) mayRelease(ctx context.Context, tx *pg.Tx, actor *holder, released domain.MailDomain) error {
	if released.State != domain.DomainVerified || !released.Capture {
		return nil
	}
	connectionID, err := store.SSORequirement(ctx, tx, released.OrganizationID)
	if err != nil || connectionID.IsZero() {
		return err
	}
	return actor.Check(ctx, deleteConnectionPermission, a.Clock.Now())
}

func (a *App) tellDomain(ctx context.Context, tx *pg.Tx, about domain.MailDomain, fact proto.Message) error {
	// Who has to sign in by the organization's connection depends on its domains.
	tx.AfterCommit(func() { a.DropOrganization(about.OrganizationID) })
	return a.tell(ctx, tx, about.OrganizationID, "domain/"+about.ID.String(), fact)
}
