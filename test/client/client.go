// Package client is what the end-to-end suites speak to a running Braid with: plain HTTP and JSON as any stranger
// would, nothing of the product's own code, so that it can't hide the product's mistakes.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"
)

// EffectTimeout is how long suites wait for an effect in another service before they call it missing. It is a bound
// for broken code, no expectation: machines of CI are slow.
const EffectTimeout = 20 * time.Second

const poll = 20 * time.Millisecond

// Client speaks to one deployment.
type Client struct {
	// URL is the gateway's, AdminURL that of the process with the mailbox.
	URL      string
	AdminURL string
	HTTP     *http.Client
}

// New returns a client with connections of its own.
func New(gatewayURL, adminURL string) *Client {
	return &Client{URL: gatewayURL, AdminURL: adminURL, HTTP: &http.Client{
		Timeout:   30 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
	}}
}

// Person is somebody with an account.
type Person struct {
	Name, Email, Password string
	ID, Token, Refresh    string
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Raw    []byte
	Body   map[string]any
}

// Text returns a field of the body by its path: "user.id", "error.status".
func (a Answer) Text(path string) string {
	text, _ := a.Value(path).(string)
	return text
}

// Value returns a field of the body by its path.
func (a Answer) Value(path string) any {
	var current any = a.Body
	for _, key := range strings.Split(path, ".") {
		fields, ok := current.(map[string]any)
		if !ok {
			return nil
		}
		current = fields[key]
	}
	return current
}

// List returns a list field of the body.
func (a Answer) List(key string) []map[string]any {
	items, _ := a.Body[key].([]any)
	list := make([]map[string]any, 0, len(items))
	for _, item := range items {
		if fields, ok := item.(map[string]any); ok {
			list = append(list, fields)
		}
	}
	return list
}

// Reason returns the ErrorInfo reason of an error answer.
func (a Answer) Reason() string {
	return a.detail("type.googleapis.com/google.rpc.ErrorInfo", "reason")
}

func (a Answer) detail(kind, key string) string {
	failure, _ := a.Body["error"].(map[string]any)
	details, _ := failure["details"].([]any)
	for _, item := range details {
		if fields, ok := item.(map[string]any); ok && fields["@type"] == kind {
			text, _ := fields[key].(string)
			return text
		}
	}
	return ""
}

// Metadata returns what the ErrorInfo of an error answer says under a key.
func (a Answer) Metadata(key string) string {
	failure, _ := a.Body["error"].(map[string]any)
	details, _ := failure["details"].([]any)
	for _, item := range details {
		fields, _ := item.(map[string]any)
		if metadata, ok := fields["metadata"].(map[string]any); ok {
			text, _ := metadata[key].(string)
			return text
		}
	}
	return ""
}

// Option changes a request.
type Option func(*http.Request)

// WithHeader sets a header.
func WithHeader(name, value string) Option {
	return func(request *http.Request) { request.Header.Set(name, value) }
}

// Do sends one request; an error means that no answer came.
func (c *Client) Do(ctx context.Context, who *Person, method, path string, body any, options ...Option) (Answer, error) {
	var encoded []byte
	switch given := body.(type) {
	case nil:
	case []byte:
		encoded = given
	default:
		var err error
		if encoded, err = json.Marshal(body); err != nil {
			return Answer{}, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, c.URL+path, bytes.NewReader(encoded))
	if err != nil {
		return Answer{}, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if who != nil {
		request.Header.Set("Authorization", "Bearer "+who.Token)
	}
	for _, option := range options {
		option(request)
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(response.Body, 16<<20))
	if err != nil {
		return Answer{}, err
	}
	answer := Answer{Status: response.StatusCode, Header: response.Header, Raw: raw}
	_ = json.Unmarshal(raw, &answer.Body)
	return answer, nil
}

// Must is Do for steps that only prepare: anything but a 200 is an error with the whole answer in it.
func (c *Client) Must(ctx context.Context, who *Person, method, path string, body any, options ...Option) (Answer, error) {
	answer, err := c.Do(ctx, who, method, path, body, options...)
	if err != nil {
		return Answer{}, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if answer.Status != http.StatusOK {
		return answer, fmt.Errorf("%s %s answered %d: %s", method, path, answer.Status, answer.Raw)
	}
	return answer, nil
}

// Mail is a message in the development mailbox.
type Mail struct {
	ID      string `json:"id"`
	From    string `json:"from"`
	To      any    `json:"to"`
	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html"`
	// Headers are the mail's own under camelCase names: "messageId".
	Headers map[string]string `json:"headers"`
}

// Mails returns the mailbox's messages to an address, the newest first.
func (c *Client) Mails(ctx context.Context, email string) ([]Mail, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.AdminURL+"/mailbox/messages?to="+url.QueryEscape(email), nil)
	if err != nil {
		return nil, err
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	var box struct {
		Messages []Mail `json:"messages"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 64<<20)).Decode(&box); err != nil {
		return nil, fmt.Errorf("read the mailbox: %w", err)
	}
	return box.Messages, nil
}

// AwaitMail waits for a mail to an address that matches, and returns it with the pattern's first group.
func (c *Client) AwaitMail(ctx context.Context, email string, pattern *regexp.Regexp) (Mail, string, error) {
	deadline := time.Now().Add(EffectTimeout)
	for {
		mails, err := c.Mails(ctx, email)
		for _, mail := range mails {
			if found := pattern.FindStringSubmatch(mail.Text); found != nil {
				return mail, found[len(found)-1], nil
			}
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return Mail{}, "", fmt.Errorf("no mail to %s that matches %s has come (%d others; %w)", email, pattern, len(mails), err)
		}
		time.Sleep(poll)
	}
}

// The codes and tokens that mails carry.
var (
	CodePattern  = regexp.MustCompile(`code: ([0-9]{6})`)
	TokenPattern = regexp.MustCompile(`invitations/accept\?token=([A-Za-z0-9_-]+)`)
)

var people atomic.Int64

// NewPerson returns somebody without an account, with an address nobody else has.
func NewPerson(name string) *Person {
	return &Person{
		Name:     name,
		Email:    fmt.Sprintf("%s-%d-%d@example.com", strings.ToLower(name), time.Now().UnixNano(), people.Add(1)),
		Password: "correct horse battery " + name,
	}
}

// SignUp registers a new person, proves the address and signs in.
func (c *Client) SignUp(ctx context.Context, name string) (*Person, error) {
	who := NewPerson(name)
	return who, c.Register(ctx, who)
}

// Register gives a person an account and signs them in.
func (c *Client) Register(ctx context.Context, who *Person) error {
	if _, err := c.Must(ctx, nil, http.MethodPost, "/api/v1/auth/register", map[string]any{
		"email": who.Email, "password": who.Password, "displayName": who.Name,
	}); err != nil {
		return err
	}
	_, code, err := c.AwaitMail(ctx, who.Email, CodePattern)
	if err != nil {
		return err
	}
	verified, err := c.Must(ctx, nil, http.MethodPost, "/api/v1/auth/email:verify", map[string]any{"email": who.Email, "code": code})
	if err != nil {
		return err
	}
	who.ID = verified.Text("user.id")
	return c.Login(ctx, who)
}

// Login begins a session.
func (c *Client) Login(ctx context.Context, who *Person) error {
	session, err := c.Must(ctx, nil, http.MethodPost, "/api/v1/auth/login", map[string]any{"email": who.Email, "password": who.Password})
	if err != nil {
		return err
	}
	who.Token, who.Refresh = session.Text("accessToken"), session.Text("refreshToken")
	return nil
}

// CreateOrganization makes an organization and returns its path, "/api/v1/organizations/<id>".
func (c *Client) CreateOrganization(ctx context.Context, owner *Person, name string) (string, error) {
	made, err := c.Must(ctx, owner, http.MethodPost, "/api/v1/organizations", map[string]any{"displayName": name})
	return "/api/v1/organizations/" + made.Text("id"), err
}

// Join makes a person with an account a member.
func (c *Client) Join(ctx context.Context, organization string, inviter, invited *Person, role string) error {
	if _, err := c.Must(ctx, inviter, http.MethodPost, organization+"/invitations", map[string]any{"email": invited.Email, "roleId": role}); err != nil {
		return err
	}
	_, token, err := c.AwaitMail(ctx, invited.Email, TokenPattern)
	if err != nil {
		return err
	}
	_, err = c.Must(ctx, invited, http.MethodPost, "/api/v1/invitations:accept", map[string]any{"token": token})
	return err
}

// Await asks again until check says yes, within EffectTimeout; it returns check's last error.
func Await(ctx context.Context, check func() error) error { return AwaitFor(ctx, EffectTimeout, check) }

// AwaitFor is Await for what takes longer.
func AwaitFor(ctx context.Context, timeout time.Duration, check func() error) error {
	deadline := time.Now().Add(timeout)
	for {
		err := check()
		if err == nil || time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
		time.Sleep(poll)
	}
}
