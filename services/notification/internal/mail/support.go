package mail

import (
	"strings"
	"time"

	"github.com/braidhq/braid/platform/id"
)

// Support is what owners are told of a support grant.
type Support struct {
	OrganizationID id.ID
	Organization   string
	Reason         string
	// BrokenGlass says that nobody has asked the operator in.
	BrokenGlass bool
	Writes      bool
	// Used says that somebody has come; otherwise somebody may.
	Used    bool
	Expires time.Time
}

// Support tells an owner that operators are let in, have let themselves in, or have come.
func (c *Composer) Support(told Support) Content {
	organization := line(told.Organization)
	subject, sentence := "Support may look into "+organization, "An owner has let support into "+organization
	switch {
	case told.BrokenGlass:
		subject, sentence = "Support has opened "+organization+" without being asked", "An operator has opened "+organization+" without having been asked in"
	case told.Used:
		subject, sentence = "Support has come to "+organization, "Support has used for the first time what an owner gave it in "+organization
	}
	access := "to read"
	if told.Writes {
		access = "to read and to write"
	}
	return letter(subject,
		say(sentence+", "+access+", until "+formatTime(told.Expires)+"."),
		say("The reason that was given:"),
		quote(told.Reason),
		say("Each request is in the organization's audit. Any owner can end it at once: ",
			address(c.publicURL+"/organizations/"+told.OrganizationID.String()+"/support-grants")))
}

// quote is a paragraph of what somebody wrote, in its own lines. None of them is empty, so that it stays one paragraph and
// nobody takes the end of it for words of ours.
func quote(written string) paragraph {
	var parts []any
	for each := range strings.Lines(written) {
		if each = unbroken(each); each == "" {
			continue
		}
		if parts != nil {
			parts = append(parts, next())
		}
		parts = append(parts, "> "+each)
	}
	return say(parts...)
}
