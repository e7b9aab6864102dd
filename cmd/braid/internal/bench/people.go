package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
)

const (
	password    = "a password of the benchmark"
	mailTimeout = 10 * time.Second
	mailPoll    = 20 * time.Millisecond
)

var codePattern = regexp.MustCompile(`code: ([0-9]{6})`)

// person is somebody who is signed in.
type person struct {
	email, token string
	id           id.ID
	// device makes the next login one from a known device.
	device string
}

// signUpAll registers people as anybody does, and turns their e-mails about tasks off: how fast mail leaves is not the
// question here.
func (r *run) signUpAll(ctx context.Context) error {
	all := make([]*person, r.plan.people+r.plan.visitors)
	signing, ctx := errgroup.WithContext(ctx)
	signing.SetLimit(4)
	for number := range all {
		signing.Go(func() (err error) {
			all[number], err = r.signUp(ctx, fmt.Sprintf("person-%d@example.com", number))
			return err
		})
	}
	r.people, r.visitors = all[:r.plan.people], all[r.plan.people:]
	return signing.Wait()
}

func (r *run) signUp(ctx context.Context, email string) (*person, error) {
	if _, err := r.call(ctx, "POST", "/api/v1/auth/register", "", map[string]any{"email": email, "password": password, "displayName": email}); err != nil {
		return nil, fmt.Errorf("register: %w", err)
	}
	code, err := r.awaitCode(ctx, email)
	if err != nil {
		return nil, err
	}
	if _, err := r.call(ctx, "POST", "/api/v1/auth/email:verify", "", map[string]any{"email": email, "code": code}); err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	answer, err := r.call(ctx, "POST", "/api/v1/auth/login", "", map[string]any{"email": email, "password": password})
	if err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	var session struct {
		AccessToken, DeviceToken string
		User                     struct{ ID string }
	}
	if err := json.Unmarshal(answer, &session); err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	userID, err := id.Parse(session.User.ID)
	if err != nil {
		return nil, fmt.Errorf("login: user: %w", err)
	}
	preference := map[string]any{"kind": "task_assigned", "channel": "email", "enabled": false}
	_, err = r.call(ctx, "PATCH", "/api/v1/me/notification-preferences", session.AccessToken, map[string]any{"preferences": []any{preference}})
	return &person{email: email, token: session.AccessToken, id: userID, device: session.DeviceToken}, err
}

func (r *run) awaitCode(ctx context.Context, email string) (string, error) {
	path := "/mailbox/messages?to=" + url.QueryEscape(email)
	for deadline := time.Now().Add(mailTimeout); time.Now().Before(deadline); {
		box, err := once(ctx, r.instance.admin, appendRequest(nil, "GET", path, "", ""))
		if err != nil {
			return "", fmt.Errorf("read the mailbox: %w", err)
		}
		if code := codePattern.FindSubmatch(box); code != nil {
			return string(code[1]), nil
		}
		if err := clock.Sleep(ctx, mailPoll); err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("no mail with a code has come to %s", email)
}

// call sends one request to the gateway.
func (r *run) call(ctx context.Context, method, path, token string, body any) ([]byte, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return once(ctx, r.instance.public, appendRequest(nil, method, path, token, string(encoded)))
}
