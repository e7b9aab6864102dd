package identity_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"net/http"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1connect"
	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
)

// publicKeys reads the keys as every process does: from identity itself.
func (h *harness) publicKeys(ctx context.Context) (map[string]ed25519.PublicKey, error) {
	response, err := h.auth.GetJwks(ctx, &identityv1.GetJwksRequest{})
	if err != nil {
		return nil, err
	}
	keys := map[string]ed25519.PublicKey{}
	for _, key := range response.GetKeys() {
		if keys[key.GetKid()], err = base64.RawURLEncoding.DecodeString(key.GetX()); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// as sends a token with each call.
func (h *harness) as(token string) connect.HTTPClient {
	return bearer{h.client, func() (string, error) { return token, nil }}
}

// asService sends a service token of notification with each call.
func (h *harness) asService() connect.HTTPClient {
	return bearer{h.client, func() (string, error) { return h.material.signer.Token("identity") }}
}

type bearer struct {
	client *http.Client
	token  func() (string, error)
}

// from calls as a client at another address, which the gateway vouches for.
func (h *harness) from(address string) identityv1connect.AuthServiceClient {
	return identityv1connect.NewAuthServiceClient(forwarded{h, address}, h.url)
}

type forwarded struct {
	h       *harness
	address string
}

func (f forwarded) Do(request *http.Request) (*http.Response, error) {
	token, err := f.h.forwarder.Token("identity")
	if err != nil {
		return nil, err
	}
	request.Header.Set(rpc.ForwardedForHeader, f.address)
	request.Header.Set(rpc.ForwardedByHeader, token)
	return f.h.client.Do(request)
}

// invited stands for organization.
type invited struct {
	addresses map[string]string
	joined    map[string]string
	down      bool
}

func (i *invited) GetInvitedAddress(_ context.Context, request *organizationv1.GetInvitedAddressRequest) (*organizationv1.GetInvitedAddressResponse, error) {
	email, known := i.addresses[request.GetToken()]
	if !known {
		return nil, connect.NewError(connect.CodeNotFound, errors.New("no such invitation"))
	}
	return &organizationv1.GetInvitedAddressResponse{Email: email, OrganizationDisplayName: "Analytical Engines"}, nil
}

func (i *invited) JoinInvited(_ context.Context, request *organizationv1.JoinInvitedRequest) (*organizationv1.JoinInvitedResponse, error) {
	if i.down {
		return nil, connect.NewError(connect.CodeUnavailable, errors.New("down"))
	}
	i.joined[request.GetUserId()] = request.GetToken()
	return &organizationv1.JoinInvitedResponse{OrganizationId: "the organization"}, nil
}

func (b bearer) Do(request *http.Request) (*http.Response, error) {
	request.Header.Set("User-Agent", "test-agent/1.0")
	token, err := b.token()
	if err != nil {
		return nil, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return b.client.Do(request)
}

func (h *harness) me(accessToken string) identityv1connect.MeServiceClient {
	return identityv1connect.NewMeServiceClient(h.as(accessToken), h.url)
}

func (h *harness) authAs(accessToken string) identityv1connect.AuthServiceClient {
	return identityv1connect.NewAuthServiceClient(h.as(accessToken), h.url)
}

func (h *harness) directoryAs(token string) identityv1connect.DirectoryServiceClient {
	return identityv1connect.NewDirectoryServiceClient(h.as(token), h.url)
}

// register asks for an account and returns the registration's id, read from the event it caused.
func (h *harness) register(email, password string) string {
	h.t.Helper()
	before := len(h.events())
	_, err := h.auth.Register(h.t.Context(), &identityv1.RegisterRequest{Email: email, Password: password, DisplayName: "Ada"})
	require.NoError(h.t, err)
	events := h.events()
	require.Len(h.t, events, before+1)
	requested, ok := events[before].message.(*identityv1.RegistrationRequested)
	require.True(h.t, ok)
	return requested.GetRegistrationId()
}

func (h *harness) mail(registrationID string) *identityv1.GetRegistrationMailResponse {
	h.t.Helper()
	mail, err := h.directory.GetRegistrationMail(h.t.Context(), &identityv1.GetRegistrationMailRequest{RegistrationId: registrationID})
	require.NoError(h.t, err)
	return mail
}

func (h *harness) verify(email, code string) (*identityv1.User, error) {
	response, err := h.auth.VerifyEmail(h.t.Context(), &identityv1.VerifyEmailRequest{Email: email, Code: code})
	return response.GetUser(), err
}

// signUp makes a user by the way that people go.
func (h *harness) signUp(email string) *identityv1.User {
	h.t.Helper()
	user, err := h.verify(email, h.mail(h.register(email, goodPassword)).GetCode())
	require.NoError(h.t, err)
	return user
}

func (h *harness) login(email, password string) (*identityv1.LoginResponse, error) {
	return h.auth.Login(h.t.Context(), &identityv1.LoginRequest{Email: email, Password: password})
}

func (h *harness) signIn(email string) *identityv1.LoginResponse {
	h.t.Helper()
	response, err := h.login(email, goodPassword)
	require.NoError(h.t, err)
	return response
}

func (h *harness) refresh(token string) (*identityv1.RefreshResponse, error) {
	return h.auth.Refresh(h.t.Context(), &identityv1.RefreshRequest{RefreshToken: token})
}

func (h *harness) active(accessToken string) bool {
	h.t.Helper()
	response, err := h.auth.Validate(h.t.Context(), &identityv1.ValidateRequest{AccessToken: accessToken})
	require.NoError(h.t, err)
	return response.GetActive()
}

type recorded struct {
	eventType, subject, attributes string
	key                            id.ID
	message                        proto.Message
}

// events are the outbox's, in order: nothing publishes them here.
func (h *harness) events() []recorded {
	h.t.Helper()
	rows, err := h.database.Admin.Query(h.t.Context(), `select type, schema, subject, attributes::text, coalesce(key::text, ''), payload from outbox order by position`)
	require.NoError(h.t, err)
	defer rows.Close()
	var events []recorded
	for rows.Next() {
		var event recorded
		var schema, key string
		var payload []byte
		require.NoError(h.t, rows.Scan(&event.eventType, &schema, &event.subject, &event.attributes, &key, &payload))
		kind, err := protoregistry.GlobalTypes.FindMessageByURL(schema)
		require.NoError(h.t, err)
		event.key, event.message = id.ParseOrZero(key), kind.New().Interface()
		require.NoError(h.t, proto.Unmarshal(payload, event.message))
		events = append(events, event)
	}
	require.NoError(h.t, rows.Err())
	return events
}

func (h *harness) count(query string, arguments ...any) int {
	h.t.Helper()
	var count int
	require.NoError(h.t, h.database.Admin.QueryRow(h.t.Context(), query, arguments...).Scan(&count))
	return count
}

// reasonOf returns the reason that an error carries over the wire.
func reasonOf(t *testing.T, err error) string {
	t.Helper()
	var refused *connect.Error
	require.ErrorAs(t, err, &refused)
	for _, detail := range refused.Details() {
		value, err := detail.Value()
		require.NoError(t, err)
		if info, ok := value.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	t.Fatalf("no reason in %v", err)
	return ""
}

// fieldsOf returns the fields that an error is about.
func fieldsOf(t *testing.T, err error) (fields []string) {
	t.Helper()
	var refused *connect.Error
	require.ErrorAs(t, err, &refused)
	for _, detail := range refused.Details() {
		value, err := detail.Value()
		require.NoError(t, err)
		if request, ok := value.(*errdetails.BadRequest); ok {
			for _, violation := range request.GetFieldViolations() {
				fields = append(fields, violation.GetField())
			}
		}
	}
	return fields
}

// otherCode is a code that is not the given one.
func otherCode(code string) string {
	if code == "123456" {
		return "123457"
	}
	return "123456"
}
