package identity_test

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/id"
)

// device is an authenticator with one passkey and a browser around it, all in software.
type device struct {
	h       *harness
	party   virtualwebauthn.RelyingParty
	holder  virtualwebauthn.Authenticator
	passkey virtualwebauthn.Credential
}

func (h *harness) newDevice(userID string) *device {
	handle := id.MustParse(userID)
	return &device{
		h: h, party: virtualwebauthn.RelyingParty{Name: "Braid", ID: "braid.test", Origin: "http://braid.test"},
		holder:  virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: handle[:]}),
		passkey: virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2),
	}
}

func (d *device) object(text string) *structpb.Struct {
	encoded := &structpb.Struct{}
	require.NoError(d.h.t, protojson.Unmarshal([]byte(text), encoded))
	return encoded
}

// make answers what BeginPasskeyRegistration asks.
func (d *device) make(options *structpb.Struct) *structpb.Struct {
	d.h.t.Helper()
	text, err := protojson.Marshal(options)
	require.NoError(d.h.t, err)
	parsed, err := virtualwebauthn.ParseAttestationOptions(string(text))
	require.NoError(d.h.t, err)
	return d.object(virtualwebauthn.CreateAttestationResponse(d.party, d.holder, d.passkey, *parsed))
}

// show answers what BeginPasskey asks.
func (d *device) show(options *structpb.Struct) *structpb.Struct {
	d.h.t.Helper()
	text, err := protojson.Marshal(options)
	require.NoError(d.h.t, err)
	parsed, err := virtualwebauthn.ParseAssertionOptions(string(text))
	require.NoError(d.h.t, err)
	return d.object(virtualwebauthn.CreateAssertionResponse(d.party, d.holder, d.passkey, *parsed))
}

func (d *device) register(accessToken string) (*identityv1.FinishPasskeyRegistrationResponse, error) {
	d.h.t.Helper()
	begun, err := d.h.factors(accessToken).BeginPasskeyRegistration(d.h.t.Context(), &identityv1.BeginPasskeyRegistrationRequest{})
	require.NoError(d.h.t, err)
	return d.h.factors(accessToken).FinishPasskeyRegistration(d.h.t.Context(), &identityv1.FinishPasskeyRegistrationRequest{
		Credential: d.make(begun.GetPublicKey()), Name: "Key ring",
	})
}

// begin asks for a passkey; the device has signed once more by then.
func (d *device) begin(challengeToken string) *structpb.Struct {
	d.h.t.Helper()
	begun, err := d.h.logins("").BeginPasskey(d.h.t.Context(), &identityv1.BeginPasskeyRequest{ChallengeToken: challengeToken})
	require.NoError(d.h.t, err)
	d.passkey.Counter++
	return begun.GetPublicKey()
}

func (d *device) finish(answer *structpb.Struct, challengeToken string) (*identityv1.LoginResponse, error) {
	return d.h.logins("").FinishPasskey(d.h.t.Context(), &identityv1.FinishPasskeyRequest{Credential: answer, ChallengeToken: challengeToken})
}

func (d *device) login(challengeToken string) (*identityv1.LoginResponse, error) {
	d.h.t.Helper()
	return d.finish(d.show(d.begin(challengeToken)), challengeToken)
}

// withPasskey returns a user with a passkey on a device, and an access token.
func withPasskey(t *testing.T) (*harness, *device, string) {
	t.Helper()
	h := newHarness(t)
	user := h.signUp("ada@example.com")
	token := h.signIn("ada@example.com").GetAccessToken()
	d := h.newDevice(user.GetId())
	_, err := d.register(token)
	require.NoError(t, err)
	return h, d, token
}

func TestPasskeyLogsInWithoutAPassword(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	user := h.signUp("ada@example.com")
	token := h.signIn("ada@example.com").GetAccessToken()
	d := h.newDevice(user.GetId())
	begun, err := h.factors(token).BeginPasskeyRegistration(t.Context(), &identityv1.BeginPasskeyRegistrationRequest{})
	require.NoError(t, err)
	options := begun.GetPublicKey().AsMap()
	require.Equal(t, map[string]any{"id": "braid.test", "name": "Braid"}, options["rp"])
	selection, ok := options["authenticatorSelection"].(map[string]any)
	require.True(t, ok)
	require.Equal(t, "required", selection["residentKey"])
	require.Equal(t, "required", selection["userVerification"])
	answer := &identityv1.FinishPasskeyRegistrationRequest{Credential: d.make(begun.GetPublicKey())}
	before := len(h.events())
	made, err := h.factors(token).FinishPasskeyRegistration(t.Context(), answer)
	require.NoError(t, err)
	require.Equal(t, "Passkey", made.GetFactor().GetName())
	require.Equal(t, identityv1.Factor_PASSKEY, made.GetFactor().GetKind())
	require.Len(t, made.GetBackupCodes(), 10)
	require.Equal(t, []string{"identity.session.raised", "identity.factor.added"}, h.typesSince(before))
	_, err = h.factors(token).FinishPasskeyRegistration(t.Context(), answer)
	require.Equal(t, "CHALLENGE_EXPIRED", reasonOf(t, err), "a ceremony is used once")

	login, err := d.login("")
	require.NoError(t, err)
	require.Equal(t, user.GetId(), login.GetUser().GetId())
	require.Equal(t, []any{"hwk", "mfa"}, claimsOf(t, login.GetAccessToken())["amr"])
	require.NoError(t, h.createTotp(login.GetAccessToken()))
	listed, err := h.factors(login.GetAccessToken()).ListFactors(t.Context(), &identityv1.ListFactorsRequest{})
	require.NoError(t, err)
	require.NotNil(t, listed.GetFactors()[0].GetLastUseTime())
}

func TestPasskeyIsASecondStep(t *testing.T) {
	t.Parallel()
	h, d, _ := withPasskey(t)
	_, err := h.login("ada@example.com", goodPassword)
	require.Equal(t, "passkey,backup_code", factsOf(t, err)["factors"])
	challenge := factsOf(t, err)["challengeToken"]
	// With the password before it, its being there is enough.
	d.holder.Options.UserNotVerified = true
	options := d.begin(challenge)
	require.Len(t, options.AsMap()["allowCredentials"], 1)
	answer := d.show(options)
	_, err = d.finish(answer, "")
	require.Equal(t, "CHALLENGE_EXPIRED", reasonOf(t, err), "what was begun as a second step is no login by itself")
	login, err := d.finish(answer, challenge)
	require.NoError(t, err)
	require.Equal(t, []any{"hwk", "mfa", "pwd"}, claimsOf(t, login.GetAccessToken())["amr"])
	_, err = h.logins("").BeginPasskey(t.Context(), &identityv1.BeginPasskeyRequest{ChallengeToken: challenge})
	require.Equal(t, "CHALLENGE_EXPIRED", reasonOf(t, err))
}

func TestPasskeysThatDoNotHoldAreRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(d *device){
		"user not verified": func(d *device) { d.holder.Options.UserNotVerified = true },
		"nobody there":      func(d *device) { d.holder.Options.UserNotPresent = true },
		"another page":      func(d *device) { d.party.Origin = "http://evil.test" },
		"another party":     func(d *device) { d.party.ID = "evil.test" },
		"another key":       func(d *device) { d.passkey.Key = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2).Key },
		"unknown passkey":   func(d *device) { d.passkey = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2) },
		"another user":      func(d *device) { handle := id.New(); d.holder.Options.UserHandle = handle[:] },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, d, _ := withPasskey(t)
			spoil(d)
			answer := d.show(d.begin(""))
			_, err := d.finish(answer, "")
			require.Equal(t, "PASSKEY_INVALID", reasonOf(t, err))
			_, err = d.finish(answer, "")
			require.Equal(t, "CHALLENGE_EXPIRED", reasonOf(t, err), "a ceremony is used up by a wrong answer, too")
		})
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	h, d, token := withPasskey(t)
	for _, text := range []string{`{}`, `{"id":"AA","rawId":"AA","type":"public-key","response":{}}`, `{"id":7}`} {
		_, err := d.finish(d.object(text), "")
		require.Equal(t, "PASSKEY_INVALID", reasonOf(t, err), text)
		_, err = h.factors(token).FinishPasskeyRegistration(t.Context(), &identityv1.FinishPasskeyRegistrationRequest{Credential: d.object(text)})
		require.Equal(t, "PASSKEY_INVALID", reasonOf(t, err), text)
	}
	answer := d.show(d.begin(""))
	h.clock.Advance(5 * time.Minute)
	_, err := d.finish(answer, "")
	require.Equal(t, "CHALLENGE_EXPIRED", reasonOf(t, err))
}

// Of two copies of a key, one signs with a number that was seen before.
func TestACopiedPasskeyIsRefusedAndToldOf(t *testing.T) {
	t.Parallel()
	h, d, token := withPasskey(t)
	copied := *d
	for range 3 {
		_, err := d.login("")
		require.NoError(t, err)
	}
	before := len(h.events())
	_, err := copied.login("")
	require.Equal(t, "PASSKEY_INVALID", reasonOf(t, err))
	require.Equal(t, []string{"identity.factor.suspected", "identity.factor.refused"}, h.typesSince(before))
	listed, err := h.factors(token).ListFactors(t.Context(), &identityv1.ListFactorsRequest{})
	require.NoError(t, err)
	require.NotNil(t, listed.GetFactors()[0].GetCloneWarningTime())
	_, err = d.login("")
	require.NoError(t, err, "the one that is ahead goes on")
}

func TestSyncedPasskeysCountAsSoftware(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	user := h.signUp("ada@example.com")
	d := h.newDevice(user.GetId())
	d.holder.Options.BackupEligible, d.holder.Options.BackupState = true, true
	_, err := d.register(h.signIn("ada@example.com").GetAccessToken())
	require.NoError(t, err)
	login, err := d.login("")
	require.NoError(t, err)
	require.Equal(t, []any{"mfa", "swk"}, claimsOf(t, login.GetAccessToken())["amr"])
}

func TestPasskeyRaisesASession(t *testing.T) {
	t.Parallel()
	h, d, _ := withPasskey(t)
	login, err := d.login("")
	require.NoError(t, err)
	h.clock.Advance(9 * time.Minute)
	refreshed, err := h.refresh(login.GetRefreshToken())
	require.NoError(t, err)
	h.clock.Advance(2 * time.Minute)
	token := refreshed.GetAccessToken()
	require.Equal(t, "STEP_UP_REQUIRED", reasonOf(t, h.createTotp(token)))
	show := func(by *device) (*identityv1.StepUpResponse, error) {
		return h.logins(token).StepUp(t.Context(), &identityv1.StepUpRequest{Credential: by.show(by.begin(""))})
	}
	bob := h.signUp("bob@example.com")
	other := h.newDevice(bob.GetId())
	_, err = other.register(h.signIn("bob@example.com").GetAccessToken())
	require.NoError(t, err)
	_, err = show(other)
	require.Equal(t, "PASSKEY_INVALID", reasonOf(t, err), "a passkey raises its owner's sessions only")
	raised, err := show(d)
	require.NoError(t, err)
	require.NoError(t, h.createTotp(raised.GetAccessToken()))
}

func TestAPasskeyIsRegisteredOnce(t *testing.T) {
	t.Parallel()
	h, d, token := withPasskey(t)
	begun, err := h.factors(token).BeginPasskeyRegistration(t.Context(), &identityv1.BeginPasskeyRegistrationRequest{})
	require.NoError(t, err)
	excluded, ok := begun.GetPublicKey().AsMap()["excludeCredentials"].([]any)
	require.True(t, ok)
	require.Equal(t, base64.RawURLEncoding.EncodeToString(d.passkey.ID), excluded[0].(map[string]any)["id"])
	h.signUp("bob@example.com")
	_, err = d.register(h.signIn("bob@example.com").GetAccessToken())
	require.Equal(t, "PASSKEY_INVALID", reasonOf(t, err), "a passkey is one person's")
}

func TestTheLastWayInStays(t *testing.T) {
	t.Parallel()
	h, d, token := withPasskey(t)
	// Somebody who came by another way than a password, such as a company's login.
	_, err := h.database.Admin.Exec(t.Context(), `delete from credential`)
	require.NoError(t, err)
	listed, err := h.factors(token).ListFactors(t.Context(), &identityv1.ListFactorsRequest{})
	require.NoError(t, err)
	remove := &identityv1.DeleteFactorRequest{FactorId: listed.GetFactors()[0].GetId()}
	_, err = h.factors(token).DeleteFactor(t.Context(), remove)
	require.Equal(t, "LAST_FACTOR", reasonOf(t, err))
	second := h.newDevice(listed.GetFactors()[0].GetId())
	second.holder.Options.UserHandle = d.holder.Options.UserHandle
	answer, err := second.register(token)
	require.NoError(t, err)
	require.Empty(t, answer.GetBackupCodes(), "codes come with the first factor only")
	_, err = h.factors(token).DeleteFactor(t.Context(), remove)
	require.NoError(t, err)
	_, err = d.login("")
	require.Equal(t, "PASSKEY_INVALID", reasonOf(t, err))
	_, err = second.login("")
	require.NoError(t, err)
}
