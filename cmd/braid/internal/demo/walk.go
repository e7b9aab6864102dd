package demo

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

var (
	codePattern  = regexp.MustCompile(`code: ([0-9]{6})`)
	tokenPattern = regexp.MustCompile(`token=([A-Za-z0-9_-]+)`)
)

// Run walks through the instance and leaves a filled organization behind.
func Run(ctx context.Context, config Config) error {
	config.URL, config.AdminURL = strings.TrimSuffix(config.URL, "/"), strings.TrimSuffix(config.AdminURL, "/")
	random := make([]byte, 3)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	w := &walk{Config: config, client: &http.Client{}, suffix: hex.EncodeToString(random), events: map[string][]Event{}}
	ctx, cancel := context.WithCancel(ctx)
	if config.Watch != nil {
		watching := make(chan struct{})
		go func() {
			defer close(watching)
			w.watch(ctx)
		}()
		defer func() { <-watching }()
	}
	defer cancel()
	return w.run(ctx)
}

func (w *walk) run(ctx context.Context) error {
	ada, ben, cleo := w.newPerson("Ada"), w.newPerson("Ben"), w.newPerson("Cleo")
	w.title("Ada registers, reads her code in the mailbox, proves her address and signs in")
	if err := w.signUp(ctx, ada); err != nil {
		return err
	}
	w.title("Ada creates an organization")
	made, err := w.do(ctx, ada, http.MethodPost, "/api/v1/organizations", map[string]any{"displayName": "Demo " + w.suffix}, http.StatusOK)
	if err != nil {
		return err
	}
	organization := "/api/v1/organizations/" + made.text("id")
	w.title("Ada invites Ben; Ben reads the mail, registers and accepts")
	if err := w.join(ctx, organization, ada, ben, "member"); err != nil {
		return err
	}
	w.title("Ada creates a project and opens its live stream")
	project, err := w.do(ctx, ada, http.MethodPost, organization+"/projects", map[string]any{"key": "WEB", "displayName": "Website", "description": "Everything visitors see"}, http.StatusOK)
	if err != nil {
		return err
	}
	stream, err := w.openStream(ctx, ada, organization+"/projects/"+project.text("id")+":watch")
	if err != nil {
		return err
	}
	defer stream.close()
	task, err := w.work(ctx, organization, project.text("id"), ada, ben, stream)
	if err != nil {
		return err
	}
	if err := w.outsider(ctx, organization, task.text("id"), cleo); err != nil {
		return err
	}
	if err := w.audit(ctx, organization, ada, task); err != nil {
		return err
	}
	w.title("Ada invites Cleo as a viewer")
	if err := w.accept(ctx, organization, ada, cleo, "viewer"); err != nil {
		return err
	}
	if err := w.fill(ctx, organization, project.text("id"), ada, ben); err != nil {
		return err
	}
	w.say("\n%s\n", w.paint("1", "Done."))
	w.say("   organization %s has 3 people, 2 projects and 200 tasks.\n   Sign in as %s, %s or %s with the password %q.",
		made.text("displayName"), ada.email, ben.email, cleo.email, ada.password)
	return nil
}

func (w *walk) newPerson(name string) *person {
	return &person{name: name, email: strings.ToLower(name) + "-" + w.suffix + "@example.com", password: "demo password " + w.suffix}
}

// signUp registers a person, proves the address with the mailed code, and signs in.
func (w *walk) signUp(ctx context.Context, who *person) error {
	if _, err := w.do(ctx, nil, http.MethodPost, "/api/v1/auth/register", map[string]any{
		"email": who.email, "password": who.password, "displayName": who.name,
	}, http.StatusOK); err != nil {
		return err
	}
	message, err := w.awaitMail(ctx, who.email, "code: ")
	if err != nil {
		return err
	}
	code := codePattern.FindStringSubmatch(message.Text)
	if code == nil {
		return errors.New("the mail holds no code")
	}
	w.say("     %s %q, code %s", w.paint("35", "✉"), message.Subject, code[1])
	verified, err := w.do(ctx, nil, http.MethodPost, "/api/v1/auth/email:verify", map[string]any{"email": who.email, "code": code[1]}, http.StatusOK)
	if err != nil {
		return err
	}
	user, _ := verified.body["user"].(map[string]any)
	who.id, _ = user["id"].(string)
	session, err := w.do(ctx, nil, http.MethodPost, "/api/v1/auth/login", map[string]any{"email": who.email, "password": who.password}, http.StatusOK)
	who.token = session.text("accessToken")
	return err
}

// join invites, then lets the invited person register and accept.
func (w *walk) join(ctx context.Context, organization string, inviter, invited *person, role string) error {
	token, err := w.invite(ctx, organization, inviter, invited, role)
	if err != nil {
		return err
	}
	if err := w.signUp(ctx, invited); err != nil {
		return err
	}
	_, err = w.do(ctx, invited, http.MethodPost, "/api/v1/invitations:accept", map[string]any{"token": token}, http.StatusOK)
	return err
}

// accept is join for somebody who is registered.
func (w *walk) accept(ctx context.Context, organization string, inviter, invited *person, role string) error {
	token, err := w.invite(ctx, organization, inviter, invited, role)
	if err != nil {
		return err
	}
	_, err = w.do(ctx, invited, http.MethodPost, "/api/v1/invitations:accept", map[string]any{"token": token}, http.StatusOK)
	return err
}

func (w *walk) invite(ctx context.Context, organization string, inviter, invited *person, role string) (token string, err error) {
	if _, err := w.do(ctx, inviter, http.MethodPost, organization+"/invitations", map[string]any{"email": invited.email, "roleId": role}, http.StatusOK); err != nil {
		return "", err
	}
	message, err := w.awaitMail(ctx, invited.email, "token=")
	if err != nil {
		return "", err
	}
	found := tokenPattern.FindStringSubmatch(message.Text)
	if found == nil {
		return "", errors.New("the mail holds no token")
	}
	w.say("     %s %q", w.paint("35", "✉"), message.Subject)
	return found[1], nil
}

// work creates tasks, assigns one, and shows what the stream and the assignee see.
func (w *walk) work(ctx context.Context, organization, projectID string, ada, ben *person, stream *stream) (answer, error) {
	w.title("Ada creates a task and gives it to Ben; the stream shows it")
	task, err := w.do(ctx, ada, http.MethodPost, organization+"/projects/"+projectID+"/tasks", map[string]any{
		"title": "Write the welcome page", "description": "Short, with a picture", "priority": "HIGH", "labels": []string{"content"},
	}, http.StatusOK)
	if err != nil {
		return answer{}, err
	}
	assigned, err := w.do(ctx, ada, http.MethodPost, organization+"/tasks/"+task.text("id")+":assign", map[string]any{"assigneeId": ben.id}, http.StatusOK)
	if err != nil {
		return answer{}, err
	}
	if err := w.awaitStream(stream, "task.assigned"); err != nil {
		return answer{}, err
	}
	w.title("Ben is notified in the application and by e-mail")
	if err := w.awaitNotification(ctx, ben, task.text("key")); err != nil {
		return answer{}, err
	}
	message, err := w.awaitMail(ctx, ben.email, task.text("key"))
	if err != nil {
		return answer{}, err
	}
	w.say("     %s %q", w.paint("35", "✉"), message.Subject)
	w.title("Ben starts the task and says so")
	if _, err := w.do(ctx, ben, http.MethodPost, organization+"/tasks/"+task.text("id")+":transition", map[string]any{"status": "in_progress"}, http.StatusOK); err != nil {
		return answer{}, err
	}
	if _, err := w.do(ctx, ben, http.MethodPost, organization+"/tasks/"+task.text("id")+"/comments", map[string]any{"body": "On it."}, http.StatusOK); err != nil {
		return answer{}, err
	}
	w.title("A move that is not allowed says which ones are")
	if _, err := w.do(ctx, ben, http.MethodPost, organization+"/tasks/"+task.text("id")+":transition", map[string]any{"status": "done"}, http.StatusConflict); err != nil {
		return answer{}, err
	}
	assigned.body["id"] = task.text("id")
	return assigned, nil
}

func (w *walk) awaitNotification(ctx context.Context, who *person, key string) error {
	deadline := time.Now().Add(effectTimeout)
	for {
		w.quiet = true
		list, err := w.do(ctx, who, http.MethodGet, "/api/v1/me/notifications?filter="+url.QueryEscape("unread = true"), nil, http.StatusOK)
		w.quiet = false
		if err != nil {
			return err
		}
		items, _ := list.body["notifications"].([]any)
		for _, item := range items {
			if fields, ok := item.(map[string]any); ok && fields["taskKey"] == key {
				_, err := w.do(ctx, who, http.MethodGet, "/api/v1/me/notifications?filter="+url.QueryEscape("unread = true"), nil, http.StatusOK)
				return err
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no notification about %s has come", key)
		}
		time.Sleep(effectPoll)
	}
}

// outsider shows that what is not yours is not there.
func (w *walk) outsider(ctx context.Context, organization, taskID string, cleo *person) error {
	w.title("Cleo, an outsider, registers and finds nothing: other people's things are not found, not forbidden")
	if err := w.signUp(ctx, cleo); err != nil {
		return err
	}
	for _, path := range []string{organization, organization + "/tasks/" + taskID, organization + "/audit-events"} {
		if _, err := w.do(ctx, cleo, http.MethodGet, path, nil, http.StatusNotFound); err != nil {
			return err
		}
	}
	return nil
}

// audit shows one correlation id through all of it.
func (w *walk) audit(ctx context.Context, organization string, ada *person, assigned answer) error {
	w.title("Ada reads the audit trail of one request by its correlation id")
	path := organization + "/audit-events?filter=" + url.QueryEscape(fmt.Sprintf("correlationId = %q", assigned.correlationID))
	deadline := time.Now().Add(effectTimeout)
	for {
		w.quiet = true
		list, err := w.do(ctx, ada, http.MethodGet, path, nil, http.StatusOK)
		w.quiet = false
		if err != nil {
			return err
		}
		records, _ := list.body["auditEvents"].([]any)
		if len(records) > 0 || time.Now().After(deadline) {
			if len(records) == 0 {
				return errors.New("the audit trail does not show the request")
			}
			_, err := w.do(ctx, ada, http.MethodGet, path, nil, http.StatusOK)
			return err
		}
		time.Sleep(effectPoll)
	}
}

// stream is a live stream of server-sent events.
type stream struct {
	events chan string
	close  func()
}

func (w *walk) openStream(ctx context.Context, who *person, path string) (*stream, error) {
	ctx, cancel := context.WithCancel(ctx)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL+path, nil)
	if err != nil {
		cancel()
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+who.token)
	response, err := w.client.Do(request)
	if err != nil {
		cancel()
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		cancel()
		_ = response.Body.Close()
		return nil, fmt.Errorf("the stream answered %d", response.StatusCode)
	}
	w.say("   %s %s%s", w.paint("36", "GET"), path, w.paint("2", "  (stays open)"))
	opened := &stream{events: make(chan string, 256)}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		defer func() { _ = response.Body.Close() }()
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				select {
				case opened.events <- data:
				default: // Nobody reads any more: the walk has seen what it wanted.
				}
			}
		}
	}()
	opened.close = func() {
		cancel()
		<-finished
	}
	return opened, nil
}

// awaitStream shows what the stream brings until a change of the type wanted.
func (w *walk) awaitStream(stream *stream, wanted string) error {
	deadline := time.After(effectTimeout)
	for {
		select {
		case data := <-stream.events:
			w.say("     %s %s", w.paint("32", "≋"), hide([]byte(data)))
			if strings.Contains(data, `"`+wanted+`"`) {
				return nil
			}
		case <-deadline:
			return fmt.Errorf("the stream has not shown %s", wanted)
		}
	}
}
