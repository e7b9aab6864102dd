package mail

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"net/url"
	texttemplate "text/template"
	"time"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/notification/internal/domain"
)

// ErrAddress says that a recipient's address can't be mailed to; it does not repeat it.
var ErrAddress = errors.New("the recipient's address is not valid")

//go:embed templates/*
var templates embed.FS

// Composer writes the content of mails. Its templates are read once; a broken one is found by New.
type Composer struct {
	publicURL string
	text      map[string]*texttemplate.Template
	html      map[string]*htmltemplate.Template
}

// templateNames are the mails there are.
var templateNames = []string{"registration", "account_exists", "nothing_pending", "invitation", "task", "new_device",
	"password_reset", "no_account", "password_changed", "security", "email_confirmation", "email_change",
	"ownership_offer", "domain_lost", "data_export", "data_export_failed"}

// New returns a composer whose links begin with publicURL, which has no slash at its end.
func New(publicURL string) (*Composer, error) {
	composer := &Composer{publicURL: publicURL, text: map[string]*texttemplate.Template{}, html: map[string]*htmltemplate.Template{}}
	for _, name := range templateNames {
		text, err := texttemplate.New(name+".txt").Option("missingkey=error").ParseFS(templates, "templates/"+name+".txt")
		if err != nil {
			return nil, fmt.Errorf("read mail template: %w", err)
		}
		html, err := htmltemplate.New("layout.html").Option("missingkey=error").
			ParseFS(templates, "templates/layout.html", "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("read mail template: %w", err)
		}
		composer.text[name], composer.html[name] = text, html
	}
	return composer, nil
}

// Registration is the mail with the code that proves an address. It repeats nothing that whoever registered typed:
// anybody may register anybody's address, and must not get to write to it.
func (c *Composer) Registration(code, token string, expires time.Time) (Content, error) {
	return c.compose("registration", "Your Braid code", struct{ Code, Link, Expires string }{
		line(code), c.tokenLink("/verify-email", token), formatTime(expires),
	})
}

// AccountExists tells the owner of an address that somebody tried to register it again.
func (c *Composer) AccountExists() (Content, error) {
	return c.compose("account_exists", "You already have a Braid account", struct{ URL string }{c.publicURL})
}

// Invitation is the mail that brings a person into an organization.
func (c *Composer) Invitation(organization, inviter, token string, expires time.Time) (Content, error) {
	organization, inviter = line(organization), line(inviter)
	if inviter == "" {
		inviter = "Somebody"
	}
	return c.compose("invitation", inviter+" invites you to "+organization, struct{ Organization, Inviter, Link, Expires string }{
		organization, inviter, c.publicURL + "/invitations/accept?token=" + url.QueryEscape(token), formatTime(expires),
	})
}

// NewDevice tells a person that somebody signed in with a device that was never seen for them; address is "" when it is
// not known.
func (c *Composer) NewDevice(device, address string, moment time.Time) (Content, error) {
	device = line(device)
	return c.compose("new_device", "New sign-in to Braid: "+device, struct{ Device, Address, Time, URL string }{
		device, line(address), formatTime(moment), c.publicURL + "/settings/sessions",
	})
}

// Task tells a person what happened to a task; actor is who did it and assignee who has it now, "" when that is not known.
func (c *Composer) Task(delivery domain.Delivery, actor, assignee string) (Content, error) {
	key, title, actor := line(delivery.TaskKey), line(delivery.TaskTitle), line(actor)
	if actor == "" {
		actor = "Somebody"
	}
	var subject, sentence string
	switch delivery.Kind {
	case domain.TaskAssigned:
		subject, sentence = assignment(delivery, key, actor, line(assignee))
		subject += ": " + title
	case domain.TaskCommented:
		subject, sentence = "New comment on "+key+": "+title, actor+" commented on "+key+"."
	case domain.TaskStatusChanged:
		status := line(domain.StatusName(delivery.TaskStatus))
		subject, sentence = key+" is now "+status+": "+title, actor+" moved "+key+" to "+status+"."
	default:
		return Content{}, fmt.Errorf("compose mail: a delivery of kind %q is not about a task", delivery.Kind)
	}
	return c.compose("task", subject, struct{ Sentence, Key, Title, Link, Preferences string }{
		sentence, key, title, c.taskLink(delivery.OrganizationID, delivery.TaskID), c.publicURL + "/settings/notifications",
	})
}

// assignment says what an assignment is to the one who reads of it.
func assignment(delivery domain.Delivery, key, actor, assignee string) (subject, sentence string) {
	if assignee == "" {
		assignee = "somebody else"
	}
	nobody := delivery.AssigneeID.IsZero()
	handed := actor + " assigned " + key + " to " + assignee + "."
	if delivery.ActorID == delivery.AssigneeID {
		handed = actor + " took " + key + "."
	}
	switch role := delivery.RoleOf(delivery.UserID); {
	case role == domain.Assignee:
		return key + " was assigned to you", actor + " assigned " + key + " to you."
	case role == domain.FormerAssignee && nobody:
		return key + " is no longer assigned to you", actor + " took you off " + key + "."
	case role == domain.FormerAssignee:
		return key + " is no longer assigned to you", handed
	case nobody && delivery.ActorID.IsZero():
		// Braid itself takes tasks away from who has left.
		return key + " is no longer assigned", key + " has no assignee any more."
	case nobody:
		return key + " is no longer assigned", actor + " left " + key + " without an assignee."
	default:
		return key + " was assigned to " + assignee, handed
	}
}

func (c *Composer) taskLink(organizationID, taskID id.ID) string {
	return c.publicURL + "/organizations/" + organizationID.String() + "/tasks/" + taskID.String()
}

func (c *Composer) compose(name, subject string, data any) (Content, error) {
	var text, html bytes.Buffer
	if err := c.text[name].Execute(&text, data); err != nil {
		return Content{}, fmt.Errorf("compose mail: %w", err)
	}
	page := struct {
		Subject string
		Data    any
	}{subject, data}
	if err := c.html[name].Execute(&html, page); err != nil {
		return Content{}, fmt.Errorf("compose mail: %w", err)
	}
	return Content{Subject: subject, Text: text.String(), HTML: html.String()}, nil
}

func formatTime(moment time.Time) string { return moment.UTC().Format("2 January 2006, 15:04 UTC") }
