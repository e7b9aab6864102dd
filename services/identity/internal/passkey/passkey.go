// Package passkey speaks WebAuthn for identity: what a browser is asked, and whether what it answers holds. The protocol
// is go-webauthn's. It does no IO: who answers within which time, and that an answer counts once, is its caller's.
package passkey

import (
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/braidhq/braid/services/identity/internal/domain"
)

// Config says for whom passkeys are made and where they may be shown.
type Config struct {
	// RelyingParty is the domain that passkeys belong to for good; empty for that of the public URL.
	RelyingParty string
	// Origins are where pages may ask for them; empty for the public URL.
	Origins   []string
	PublicURL string
}

// Party asks for passkeys and verifies them. It is safe for use by several goroutines.
type Party struct{ library *webauthn.WebAuthn }

// New returns the party of a configuration. Browsers know no passkeys for a bare IP address, so one in the public URL
// becomes localhost, which a laptop answers to as well.
func New(config Config) (*Party, error) {
	public, err := url.Parse(config.PublicURL)
	if err != nil {
		return nil, fmt.Errorf("read public URL: %w", err)
	}
	name, origins := config.RelyingParty, config.Origins
	if name == "" {
		name = public.Hostname()
	}
	if len(origins) == 0 {
		origins = []string{public.Scheme + "://" + public.Host}
	}
	if protocol.ValidateRPID(name) != nil && config.RelyingParty == "" {
		name = "localhost"
		local := url.URL{Scheme: public.Scheme, Host: name}
		if port := public.Port(); port != "" {
			local.Host += ":" + port
		}
		origins = append(origins, local.String())
	}
	timeout := webauthn.TimeoutConfig{Timeout: domain.ChallengeLifetime, TimeoutUVD: domain.ChallengeLifetime}
	library, err := webauthn.New(&webauthn.Config{
		RPID: name, RPDisplayName: "Braid", RPOrigins: origins,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired,
		},
		AttestationPreference: protocol.PreferNoAttestation,
		// Password managers tell of extensions that nobody asked for.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
		Timeouts:                          webauthn.TimeoutsConfig{Login: timeout, Registration: timeout},
	})
	if err != nil {
		return nil, fmt.Errorf("prepare passkeys: %w", err)
	}
	return &Party{library}, nil
}

// Begun is a ceremony that has begun.
type Begun struct {
	// Options is what the browser needs, as JSON.
	Options []byte
	// Challenge is what the answer will name, Ceremony what it will be checked against.
	Challenge string
	Ceremony  []byte
}

func begun(options any, session *webauthn.SessionData, err error) (Begun, error) {
	if err != nil {
		return Begun{}, fmt.Errorf("begin passkey ceremony: %w", err)
	}
	result := Begun{Challenge: session.Challenge}
	if result.Options, err = json.Marshal(options); err != nil {
		return Begun{}, fmt.Errorf("encode passkey options: %w", err)
	}
	if result.Ceremony, err = json.Marshal(session); err != nil {
		return Begun{}, fmt.Errorf("encode passkey ceremony: %w", err)
	}
	return result, nil
}

// Owner is whose passkeys they are. It implements webauthn.User.
type Owner struct {
	domain.User
	Passkeys domain.Factors
}

// WebAuthnID implements webauthn.User.
func (o Owner) WebAuthnID() []byte { return o.ID[:] }

// WebAuthnName implements webauthn.User.
func (o Owner) WebAuthnName() string { return o.Email }

// WebAuthnDisplayName implements webauthn.User.
func (o Owner) WebAuthnDisplayName() string { return o.DisplayName }

// WebAuthnCredentials implements webauthn.User.
func (o Owner) WebAuthnCredentials() []webauthn.Credential {
	credentials := make([]webauthn.Credential, 0, len(o.Passkeys))
	for _, factor := range o.Passkeys {
		credential := webauthn.Credential{
			ID: factor.Key.CredentialID, PublicKey: factor.Key.COSE,
			Flags:         webauthn.NewCredentialFlags(protocol.AuthenticatorFlags(factor.Key.Flags)),
			Authenticator: webauthn.Authenticator{SignCount: factor.Key.SignCount},
		}
		for _, transport := range factor.Key.Transports {
			credential.Transport = append(credential.Transport, protocol.AuthenticatorTransport(transport))
		}
		credentials = append(credentials, credential)
	}
	return credentials
}

// BeginRegistration asks for a new passkey, on another authenticator than those that hold one already.
func (p *Party) BeginRegistration(owner Owner) (Begun, error) {
	exclusions := webauthn.Credentials(owner.WebAuthnCredentials()).CredentialDescriptors()
	creation, session, err := p.library.BeginRegistration(owner, webauthn.WithExclusions(exclusions))
	if err != nil {
		return begun(nil, nil, err)
	}
	return begun(creation.Response, session, nil)
}

// BeginLogin asks for any passkey of anybody, whose user it must have verified.
func (p *Party) BeginLogin() (Begun, error) {
	assertion, session, err := p.library.BeginDiscoverableLogin()
	if err != nil {
		return begun(nil, nil, err)
	}
	return begun(assertion.Response, session, nil)
}

// BeginSecondStep asks for a passkey of the owner, who has shown the password before.
func (p *Party) BeginSecondStep(owner Owner) (Begun, error) {
	assertion, session, err := p.library.BeginLogin(owner, webauthn.WithUserVerification(protocol.VerificationPreferred))
	if err != nil {
		return begun(nil, nil, err)
	}
	return begun(assertion.Response, session, nil)
}

// Attestation is a new passkey that nobody has verified yet.
type Attestation struct {
	parsed *protocol.ParsedCredentialCreationData
}

// ParseAttestation reads what the browser has made.
func ParseAttestation(text []byte) (*Attestation, error) {
	parsed, err := protocol.ParseCredentialCreationResponseBytes(text)
	if err != nil {
		return nil, domain.ErrPasskeyInvalid.WithCause(err)
	}
	return &Attestation{parsed}, nil
}

// Challenge is the one that it says to answer.
func (a *Attestation) Challenge() string { return a.parsed.Response.CollectedClientData.Challenge }

// FinishRegistration verifies a new passkey. It returns what verifies it from then on, and the methods that have been
// shown with it.
func (p *Party) FinishRegistration(owner Owner, ceremony []byte, attestation *Attestation) (domain.PasskeyKey, []string, error) {
	session, err := readCeremony(ceremony)
	if err != nil {
		return domain.PasskeyKey{}, nil, err
	}
	made, err := p.library.CreateCredential(owner, session, attestation.parsed)
	if err != nil {
		return domain.PasskeyKey{}, nil, domain.ErrPasskeyInvalid.WithCause(err)
	}
	flags := attestation.parsed.Response.AttestationObject.AuthData.Flags
	key := domain.PasskeyKey{
		CredentialID: made.ID, COSE: made.PublicKey, Flags: uint8(flags), SignCount: made.Authenticator.SignCount,
	}
	for _, transport := range made.Transport {
		key.Transports = append(key.Transports, string(transport))
	}
	return key, methods(flags), nil
}

// Assertion is a signature that nobody has verified yet.
type Assertion struct {
	parsed *protocol.ParsedCredentialAssertionData
}

// ParseAssertion reads what the browser has signed.
func ParseAssertion(text []byte) (*Assertion, error) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes(text)
	if err != nil {
		return nil, domain.ErrPasskeyInvalid.WithCause(err)
	}
	return &Assertion{parsed}, nil
}

// Challenge is the one that it says to answer.
func (a *Assertion) Challenge() string { return a.parsed.Response.CollectedClientData.Challenge }

// CredentialID names the passkey that it says to come from.
func (a *Assertion) CredentialID() []byte { return a.parsed.RawID }

// Shown is a passkey that was shown.
type Shown struct {
	Factor domain.Factor
	// Copied says that the sign counter went back.
	Copied  bool
	Methods []string
}

// Finish verifies a signature by a passkey of the owner.
func (p *Party) Finish(owner Owner, ceremony []byte, assertion *Assertion) (Shown, error) {
	session, err := readCeremony(ceremony)
	if err != nil {
		return Shown{}, err
	}
	var used *webauthn.Credential
	if len(session.UserID) == 0 {
		ofOwner := func([]byte, []byte) (webauthn.User, error) { return owner, nil }
		used, err = p.library.ValidateDiscoverableLogin(ofOwner, session, assertion.parsed)
	} else {
		used, err = p.library.ValidateLogin(owner, session, assertion.parsed)
	}
	if err != nil {
		return Shown{}, domain.ErrPasskeyInvalid.WithCause(err)
	}
	flags := assertion.parsed.Response.AuthenticatorData.Flags
	shown := Shown{Copied: used.Authenticator.CloneWarning, Methods: methods(flags)}
	for _, factor := range owner.Passkeys {
		if string(factor.Key.CredentialID) == string(used.ID) {
			shown.Factor = factor
		}
	}
	shown.Factor.Key.Flags, shown.Factor.Key.SignCount = uint8(flags), used.Authenticator.SignCount
	return shown, nil
}

// methods are what showing a passkey proves. Its backup eligibility says whether it can leave its device.
func methods(flags protocol.AuthenticatorFlags) []string {
	proven := []string{domain.ByDeviceKey}
	if flags.HasBackupEligible() {
		proven = []string{domain.BySyncedKey}
	}
	if flags.HasUserVerified() {
		proven = append(proven, domain.BySeveral)
	}
	return proven
}

func readCeremony(stored []byte) (session webauthn.SessionData, err error) {
	if err = json.Unmarshal(stored, &session); err != nil {
		err = fmt.Errorf("read passkey ceremony: %w", err)
	}
	return session, err
}
