package mail

import (
	"errors"
	"fmt"
	"time"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/notification/internal/domain"
)

// ErrAddress says that a recipient's address can't be mailed to; it does not repeat it.
var ErrAddress = errors.New("the recipient's address is not valid")

// Composer writes the content of mails. Its methods' errors say that a delivery is of a kind that is not theirs.
type Composer struct {
	publicURL string
}

// New returns a composer whose links begin with publicURL, which has no slash at its end.
func New(publicURL string) *Composer { return &Composer{publicURL: publicURL} }

// Registration is the mail with the code that proves an address. It repeats nothing that whoever registered typed:
// anybody may register anybody's address, and must not get to write to it.
func (c *Composer) Registration(code, token string, expires time.Time) Content {
	return letter("Your Braid code",
		say("Somebody, hopefully you, asked for a Braid account with this address. Enter this code to prove that it is yours:"),
		enter(line(code)),
		follow("Or open this link", c.tokenLink("/verify-email", token)),
		say("Both work until "+formatTime(expires)+"."),
		say("If it was not you, ignore this mail: nothing happens without the code."))
}

// AccountExists tells the owner of an address that somebody tried to register it again.
func (c *Composer) AccountExists() Content {
	return letter("You already have a Braid account",
		say("Somebody, hopefully you, asked for a Braid account with this address, which already has one."),
		say("Sign in with it at ", address(c.publicURL)),
		say("If it was not you, ignore this mail: nothing has changed."))
}

// Invitation is the mail that brings a person into an organization.
func (c *Composer) Invitation(organization, inviter, token string, expires time.Time) Content {
	organization, inviter = line(organization), line(inviter)
	if inviter == "" {
		inviter = "Somebody"
	}
	return letter(inviter+" invites you to "+organization,
		say(bold(inviter), " invites you to join ", bold(organization), " on Braid."),
		follow("Accept the invitation", c.tokenLink("/invitations/accept", token)),
		say("The link works once, until "+formatTime(expires)+", for this address only."),
		say("If you expected no invitation, ignore this mail."))
}

// NewDevice tells a person that somebody signed in with a device that was never seen for them; client is its address, "" when it is
// not known.
func (c *Composer) NewDevice(device, client string, moment time.Time) Content {
	device, client = line(device), line(client)
	seen := []any{"Device: " + device, next()}
	if client != "" {
		seen = append(seen, "Address: "+client, next())
	}
	return letter("New sign-in to Braid: "+device,
		say("Somebody signed in to your Braid account with a device that was not seen before."),
		say(append(seen, "Time: "+formatTime(moment))...),
		say("If it was you, there is nothing to do. If not, end that session at ", address(c.publicURL+"/settings/sessions"),
			" and change your password."))
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
	return letter(subject,
		say(sentence),
		follow(key+": "+title, c.taskLink(delivery.OrganizationID, delivery.TaskID)),
		aside("You get this because you take part in the task. ",
			span{text: "Choose what you hear about", form: link, target: c.publicURL + "/settings/notifications"})), nil
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

func formatTime(moment time.Time) string { return moment.UTC().Format("2 January 2006, 15:04 UTC") }
