package mail

import (
	"fmt"
	"time"

	"github.com/braidhq/braid/services/notification/internal/domain"
)

// deletionTexts are subject and sentence of the mails about the deletion of an account. The first %s is when it begins, that
// of a failure is why.
var deletionTexts = map[domain.Kind][2]string{
	domain.DeletionRequested: {"Your Braid account will be deleted", "The deletion of your Braid account was asked for; it begins on %s. " +
		"You are signed out everywhere. Until then you can call it off: sign in as always, and you are asked. If it was not you, do so, and change your password."},
	domain.DeletionCancelled: {"Your Braid account stays", "The deletion of your Braid account was called off. The access tokens it had are gone; sign in as always. " +
		"If it was not you, change your password."},
	domain.DeletionFailed: {"Your Braid account was not deleted", "Your Braid account can't be deleted now, and nothing of it was: %s " +
		"Hand them over or delete them, and ask for the deletion again."},
	domain.AccountDeleted: {"Your Braid account is being deleted", "Everything of your Braid account is being removed, and nothing brings it back. This is the last mail to you."},
}

// Deletion tells the owner of an account what became of its deletion.
func (c *Composer) Deletion(kind domain.Kind, begins time.Time, failure string) (Content, error) {
	texts, known := deletionTexts[kind]
	if !known {
		return Content{}, fmt.Errorf("compose mail: a delivery of kind %q is not about a deletion", kind)
	}
	sentence := texts[1]
	switch kind {
	case domain.DeletionRequested:
		sentence = fmt.Sprintf(sentence, formatTime(begins))
	case domain.DeletionFailed:
		sentence = fmt.Sprintf(sentence, failure)
	}
	return letter(texts[0], say(sentence), say(address(c.publicURL))), nil
}
