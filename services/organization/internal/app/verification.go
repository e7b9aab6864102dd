package app

import (
	"context"
	"errors"
	"net"
	"time"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

const (
	lookUpTimeout = 5 * time.Second
	// CheckEvery is how often the job looks for domains that are due, and checkBatch how many it takes at a time: as many
	// as fit into CheckTimeout when no name server answers.
	CheckEvery   = 10 * time.Minute
	CheckTimeout = 9 * time.Minute
	checkBatch   = 100
	// toldOwners bounds who is mailed about a lost domain.
	toldOwners = 50
	// shownRecords bounds what an error repeats of what was found instead.
	shownRecord = 128
)

// sighting is what a look-up has found.
type sighting struct {
	seen bool
	// unknown says that nobody could tell.
	unknown bool
	// found is a record that was there instead, cut to what an error may repeat.
	found string
}

// lookUp asks for the record of a domain. The name is complete, so that no search list is tried.
func (a *App) lookUp(ctx context.Context, asked domain.MailDomain) sighting {
	ctx, cancel := context.WithTimeout(ctx, lookUpTimeout)
	defer cancel()
	records, err := a.Resolver.LookupTXT(ctx, asked.RecordName()+".")
	var absent *net.DNSError
	switch {
	case err == nil && asked.ProvenBy(records):
		return sighting{seen: true}
	case err == nil && len(records) > 0:
		return sighting{found: records[0][:min(len(records[0]), shownRecord)]}
	case err == nil, errors.As(err, &absent) && absent.IsNotFound:
		return sighting{}
	}
	return sighting{unknown: true}
}

// Proof is a domain with what its name server says.
type Proof struct {
	organizationID, domainID id.ID
	sighting                 sighting
}

// LookUpDomain asks a domain's name server. It comes before the transaction.
func (a *App) LookUpDomain(ctx context.Context, organizationID, domainID id.ID) (Proof, error) {
	asked, err := a.GetDomain(ctx, organizationID, domainID)
	if err != nil {
		return Proof{}, err
	}
	return Proof{organizationID, domainID, a.lookUp(ctx, asked)}, nil
}

// VerifyDomain makes a domain the organization's, as its name server has shown. Without the record nothing changes: a
// domain that is verified is lost by the daily look-ups only.
func (a *App) VerifyDomain(ctx context.Context, tx *pg.Tx, proof Proof) (domain.MailDomain, error) {
	current, err := store.LockDomain(ctx, tx, proof.organizationID, proof.domainID)
	if err != nil {
		return domain.MailDomain{}, err
	}
	if !proof.sighting.seen {
		refused := domain.ErrDomainNotVerified.With("recordName", current.RecordName()).With("recordValue", current.RecordValue())
		if proof.sighting.unknown {
			return domain.MailDomain{}, refused.WithMessage("The domain's name server could not be asked; try again later.")
		}
		return domain.MailDomain{}, refused.With("found", proof.sighting.found)
	}
	verified := current.Verify(a.Clock.Now())
	if err := store.UpdateDomain(ctx, tx, verified); err != nil {
		return domain.MailDomain{}, err
	}
	if current.State == domain.DomainVerified {
		return verified, nil
	}
	return verified, a.tellDomain(ctx, tx, verified, &organizationv1.DomainVerified{
		OrganizationId: verified.OrganizationID.String(), DomainId: verified.ID.String(), Name: verified.Name, Capture: verified.Capture,
	})
}

// CheckDomains is the periodic job that looks the records of verified domains up again.
type CheckDomains struct{}

// Kind implements job.Args.
func (CheckDomains) Kind() string { return "organization.check_domains" }

// CheckDomains looks up what is due. Each domain is written by itself, as its organization: one that can't be written now
// is due again at the next time, and keeps no other from its turn.
func (a *App) CheckDomains(ctx context.Context, _ CheckDomains) error {
	due, err := store.DueDomains(ctx, a.DB.WorkerRead(), a.Clock.Now(), checkBatch)
	if err != nil {
		return err
	}
	var failures []error
	for _, asked := range due {
		if ctx.Err() != nil {
			break
		}
		seen := a.lookUp(ctx, asked)
		if ctx.Err() != nil {
			break // The job's time is over, which says nothing about the domain.
		}
		err := a.DB.InTx(ctx, pg.Scope{OrganizationID: asked.OrganizationID}, func(ctx context.Context, tx *pg.Tx) error {
			return a.noteSighting(ctx, tx, asked, seen)
		})
		if err != nil && !errors.Is(err, errs.ErrNotFound) {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// noteSighting writes what was seen, unless somebody has looked meanwhile.
func (a *App) noteSighting(ctx context.Context, tx *pg.Tx, asked domain.MailDomain, seen sighting) error {
	now := a.Clock.Now()
	current, err := store.LockDomain(ctx, tx, asked.OrganizationID, asked.ID)
	if err != nil || current.State != domain.DomainVerified || current.CheckAt.After(now) {
		return err
	}
	var noted domain.MailDomain
	switch {
	case seen.seen:
		noted = current.Verify(now)
	case seen.unknown:
		noted = current.Postpone(now)
	default:
		noted = current.Miss(now)
	}
	if err := store.UpdateDomain(ctx, tx, noted); err != nil {
		return err
	}
	if noted.State != domain.DomainLost {
		return nil
	}
	owners, err := store.ActiveOwners(ctx, tx, asked.OrganizationID, toldOwners)
	if err != nil {
		return err
	}
	lost := &organizationv1.DomainLost{OrganizationId: noted.OrganizationID.String(), DomainId: noted.ID.String(), Name: noted.Name}
	for _, owner := range owners {
		lost.OwnerIds = append(lost.OwnerIds, owner.String())
	}
	return a.tellDomain(ctx, tx, noted, lost)
}

// GetDomainMail reads what a mail about a domain says. The caller is a service, so the organization comes from the
// request.
func (a *App) GetDomainMail(ctx context.Context, organizationID, domainID id.ID) (told domain.MailDomain, organization domain.Organization, err error) {
	if told, err = a.GetDomain(ctx, organizationID, domainID); err != nil {
		return domain.MailDomain{}, domain.Organization{}, err
	}
	organization, err = store.GetOrganization(ctx, a.DB.Point(pg.Scope{OrganizationID: organizationID}), organizationID)
	return told, organization, err
}
