package organization

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/app"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/testkit/dnstest"
)

// named gives the bundle a DNS server of its own.
func (b *testBundle) named(t *testing.T) *dnstest.Server {
	t.Helper()
	server := dnstest.Start(t)
	b.app.Resolver = newResolver(server.Address)
	return server
}

// claim adds a domain and returns its path and its record.
func (b *testBundle) claim(t *testing.T, who person, path, name string) (domainPath, recordName, recordValue string) {
	t.Helper()
	answer := b.REST("POST", path+"/domains", who.token, map[string]any{"name": name})
	require.Equal(t, 200, answer.Status, answer.Text)
	require.Equal(t, "PENDING", answer.Body["state"])
	return path + "/domains/" + answer.Body["id"].(string), answer.Body["recordName"].(string), answer.Body["recordValue"].(string)
}

func (b *testBundle) verify(who person, domainPath string) (reason string) {
	return b.REST("POST", domainPath+":verify", who.token, map[string]any{}).Reason()
}

func TestADomainIsVerifiedByItsRecord(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	names := bundle.named(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	bundle.takeEvents(t)
	domainPath, recordName, recordValue := bundle.claim(t, ada, path, " Bücher.Example. ")
	require.Equal(t, "_braid-challenge.xn--bcher-kva.example", recordName)
	require.Equal(t, "DOMAIN_EXISTS", bundle.REST("POST", path+"/domains", ada.token, map[string]any{"name": "bücher.example"}).Reason())

	missing := bundle.REST("POST", domainPath+":verify", ada.token, map[string]any{})
	require.Equal(t, 409, missing.Status)
	require.Equal(t, "DOMAIN_NOT_VERIFIED", missing.Reason())
	require.Equal(t, recordName, missing.Metadata()["recordName"])
	names.Publish(recordName, "v=spf1 -all")
	wrong := bundle.REST("POST", domainPath+":verify", ada.token, map[string]any{})
	require.Equal(t, "v=spf1 -all", wrong.Metadata()["found"])
	require.Equal(t, "DOMAIN_NOT_VERIFIED", bundle.REST("PATCH", domainPath, ada.token, map[string]any{"autoJoinRoleId": "member"}).Reason())

	names.Publish(recordName, "v=spf1 -all", recordValue)
	verified := bundle.REST("POST", domainPath+":verify", ada.token, map[string]any{})
	require.Equal(t, "VERIFIED", verified.Body["state"], verified.Text)
	require.Equal(t, "2026-01-02T03:04:05Z", verified.Body["verifyTime"])
	names.Publish(recordName)
	require.Equal(t, "DOMAIN_NOT_VERIFIED", bundle.verify(ada, domainPath))
	require.Equal(t, "VERIFIED", bundle.REST("GET", domainPath, ada.token, nil).Body["state"], "one look does not lose it")
	require.Equal(t, []string{"organization.domain.created", "organization.domain.verified"}, types(bundle.takeEvents(t)))

	names.Break(true)
	require.Equal(t, "DOMAIN_NOT_VERIFIED", bundle.verify(ada, domainPath))
	require.Equal(t, 200, bundle.REST("DELETE", domainPath, ada.token, nil).Status)
	require.Equal(t, 404, bundle.REST("GET", domainPath, ada.token, nil).Status)
}

func TestDomainsThatNobodyCanOwnAreRefused(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	for name, reason := range map[string]string{
		"gmail.com": "DOMAIN_NOT_ALLOWED", "x.GMAIL.com": "DOMAIN_NOT_ALLOWED", "co.uk": "DOMAIN_NOT_ALLOWED", "github.io": "DOMAIN_NOT_ALLOWED",
		"localhost": "INVALID_ARGUMENT", "192.0.2.1": "INVALID_ARGUMENT", "a b.com": "INVALID_ARGUMENT", "-x.com": "INVALID_ARGUMENT",
	} {
		answer := bundle.REST("POST", path+"/domains", ada.token, map[string]any{"name": name})
		require.Equal(t, 400, answer.Status, name)
		require.Equal(t, reason, answer.Reason(), name)
		require.Equal(t, []string{"name"}, answer.Fields(), name)
	}
}

func TestOneOrganizationAloneHasADomain(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	names := bundle.named(t)
	ada, eve := bundle.meet("ada"), bundle.meet("eve")
	acme, path := bundle.found(t, ada, "Acme")
	evil, otherPath := bundle.found(t, eve, "Evil")
	first, recordName, firstValue := bundle.claim(t, ada, path, "example.org")
	late, _, otherValue := bundle.claim(t, eve, otherPath, "example.org")
	require.NotEqual(t, firstValue, otherValue)
	names.Publish(recordName, firstValue, otherValue)
	prove := func(organizationID id.ID, who person, domainPath string) work {
		return func(ctx context.Context, tx *pg.Tx) error {
			proof, err := bundle.app.LookUpDomain(ctx, organizationID, id.MustParse(domainPath[len(domainPath)-36:]))
			if err != nil {
				return err
			}
			_, err = bundle.app.VerifyDomain(ctx, tx, proof)
			return err
		}
	}
	var second error
	require.NoError(t, bundle.as(t.Context(), acme, ada, prove(acme, ada, first)))
	second = bundle.as(t.Context(), evil, eve, prove(evil, eve, late))
	require.ErrorIs(t, second, domain.ErrDomainTaken)
	require.Equal(t, "DOMAIN_TAKEN", bundle.verify(eve, late))
	require.Equal(t, "NOT_FOUND", bundle.verify(eve, otherPath+first[len(path):]), "another organization's is not there")

	names.Publish(recordName, otherValue)
	for range 3 {
		bundle.clock.Advance(24 * time.Hour)
		require.NoError(t, bundle.app.CheckDomains(t.Context(), app.CheckDomains{}))
	}
	require.Equal(t, "LOST", bundle.REST("GET", first, ada.token, nil).Body["state"])
	require.Empty(t, bundle.verify(eve, late), "it is free again")
	names.Publish(recordName, firstValue)
	require.Equal(t, "DOMAIN_TAKEN", bundle.verify(ada, first))
}

func TestADomainIsLostAfterThreeDaysWithoutItsRecord(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	names := bundle.named(t)
	ada, ben, cleo := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("cleo")
	organizationID, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, "owner")
	bundle.join(t, ada, path, cleo, "admin")
	domainPath, recordName, recordValue := bundle.claim(t, ada, path, "example.org")
	names.Publish(recordName, recordValue)
	require.Empty(t, bundle.verify(ada, domainPath))
	bundle.takeEvents(t)
	day := func(state string) {
		bundle.clock.Advance(24 * time.Hour)
		require.NoError(t, bundle.app.CheckDomains(t.Context(), app.CheckDomains{}))
		require.Equal(t, state, bundle.REST("GET", domainPath, ada.token, nil).Body["state"])
	}
	names.Publish(recordName)
	day("VERIFIED")
	day("VERIFIED")
	asked := names.Asked()
	require.NoError(t, bundle.app.CheckDomains(t.Context(), app.CheckDomains{}))
	require.Equal(t, asked, names.Asked(), "once a day")
	names.Publish(recordName, recordValue)
	day("VERIFIED")
	names.Break(true)
	for range 5 {
		day("VERIFIED")
	}
	names.Break(false)
	names.Publish(recordName)
	day("VERIFIED")
	day("VERIFIED")
	require.Empty(t, bundle.takeEvents(t))
	day("LOST")
	events := bundle.takeEvents(t)
	require.Equal(t, []string{"organization.domain.lost"}, types(events))
	require.Equal(t, []string{ada.UserID.String(), ben.UserID.String()}, events[0].Payload.(*organizationv1.DomainLost).GetOwnerIds())
	told, organization, err := bundle.app.GetDomainMail(t.Context(), organizationID, id.MustParse(domainPath[len(path+"/domains/"):]))
	require.NoError(t, err)
	require.Equal(t, "example.org", told.Name)
	require.Equal(t, "Acme", organization.DisplayName)
}

func TestPeopleJoinByTheirAddress(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	names := bundle.named(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	organizationID, path := bundle.found(t, ada, "Acme")
	_, otherPath := bundle.found(t, ada, "Other")
	stranger := bundle.meet("eve")
	stranger.Email = "eve@sub.example.com"
	bundle.people.add(stranger.Person)
	domainPath, recordName, recordValue := bundle.claim(t, ada, path, "example.com")
	names.Publish(recordName, recordValue)
	joinable := func(who person) []any {
		answer := bundle.REST("GET", "/api/v1/me/joinable-organizations", who.token, nil)
		require.Equal(t, 200, answer.Status, answer.Text)
		return answer.Body["organizations"].([]any)
	}
	join := func(who person, path string) string {
		return bundle.REST("POST", path+":join", who.token, map[string]any{}).Reason()
	}
	require.Empty(t, bundle.verify(ada, domainPath))
	require.Empty(t, joinable(ben), "not until a role is named")
	require.Equal(t, "NOT_FOUND", join(ben, path))
	require.Equal(t, "ROLE_UNKNOWN", bundle.REST("PATCH", domainPath, ada.token, map[string]any{"autoJoinRoleId": "king"}).Reason())
	set := bundle.REST("PATCH", domainPath, ada.token, map[string]any{"autoJoinRoleId": "viewer", "capture": true})
	require.Equal(t, 200, set.Status, set.Text)

	require.Equal(t, []any{map[string]any{"organizationId": organizationID.String(), "displayName": "Acme", "domain": "example.com", "roleId": "viewer"}}, joinable(ben))
	require.Empty(t, joinable(ada), "a member already")
	require.Empty(t, joinable(stranger))
	for _, refused := range []string{join(stranger, path), join(ben, otherPath), join(ben, "/api/v1/organizations/"+id.New().String())} {
		require.Equal(t, "NOT_FOUND", refused)
	}
	bundle.takeEvents(t)
	require.Empty(t, join(ben, path))
	require.Equal(t, []string{"organization.member.joined", "organization.member.added"}, types(bundle.takeEvents(t)))
	require.Equal(t, "MEMBER_EXISTS", join(ben, path))
	require.Equal(t, 200, bundle.REST("GET", path+"/members", ben.token, nil).Status)
	bundle.people.fail(errors.New("down"))
	require.Equal(t, 500, bundle.REST("GET", "/api/v1/me/joinable-organizations", ben.token, nil).Status)
}
