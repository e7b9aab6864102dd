package erasure

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	platformv1 "github.com/braidhq/braid/gen/go/braid/platform/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
)

// Kind is what sort of subject is erased: what asks for it, and how that is answered.
type Kind struct {
	// Name is "organization" or "person"; Publisher is the service that owns the subject and asks.
	Name, Publisher string

	started, failed, erasing proto.Message
	prepared                 func(subjectID, attemptID, reason string) proto.Message
	erased                   func(subjectID, attemptID string, tables []*platformv1.ErasedTable) proto.Message
	delayed                  func(subjectID, attemptID string, failures int32, reason string) proto.Message
}

// Organization is the kind of organizations, with everything in them.
var Organization = &Kind{
	Name: "organization", Publisher: "organization",
	started: &organizationv1.OrganizationDeletionStarted{}, failed: &organizationv1.OrganizationDeletionFailed{},
	erasing: &organizationv1.OrganizationErasureStarted{},
	prepared: func(subjectID, attemptID, reason string) proto.Message {
		return &platformv1.OrganizationPrepared{OrganizationId: subjectID, AttemptId: attemptID, Refused: reason != "", Reason: reason}
	},
	erased: func(subjectID, attemptID string, tables []*platformv1.ErasedTable) proto.Message {
		return &platformv1.OrganizationErased{OrganizationId: subjectID, AttemptId: attemptID, Tables: tables}
	},
	delayed: func(subjectID, attemptID string, failures int32, reason string) proto.Message {
		return &platformv1.OrganizationErasureDelayed{OrganizationId: subjectID, AttemptId: attemptID, Failures: failures, Reason: reason}
	},
}

// Person is the kind of people, wherever they are named.
var Person = &Kind{
	Name: "person", Publisher: "identity",
	started: &identityv1.UserDeletionStarted{}, failed: &identityv1.UserDeletionFailed{}, erasing: &identityv1.UserErasureStarted{},
	prepared: func(subjectID, attemptID, reason string) proto.Message {
		return &platformv1.PersonPrepared{UserId: subjectID, AttemptId: attemptID, Refused: reason != "", Reason: reason}
	},
	erased: func(subjectID, attemptID string, tables []*platformv1.ErasedTable) proto.Message {
		return &platformv1.PersonErased{UserId: subjectID, AttemptId: attemptID, Tables: tables}
	},
	delayed: func(subjectID, attemptID string, failures int32, reason string) proto.Message {
		return &platformv1.PersonErasureDelayed{UserId: subjectID, AttemptId: attemptID, Failures: failures, Reason: reason}
	},
}

// Kinds are all that there are.
var Kinds = []*Kind{Organization, Person}

func kindOf(name string) *Kind {
	if name == Person.Name {
		return Person
	}
	return Organization
}

// Answers are an example of each message that a service answers with.
func (k *Kind) Answers() []proto.Message {
	return []proto.Message{k.prepared("", "", ""), k.erased("", "", nil), k.delayed("", "", 0, "")}
}

// AsSystem makes what follows Braid's own doing: nobody asked for it.
func (k *Kind) AsSystem(ctx context.Context, subjectID id.ID, correlationID string) context.Context {
	work := &call.Call{CorrelationID: correlationID, Actor: call.Actor{Kind: call.System}}
	if k == Organization {
		work.OrganizationID = subjectID
	}
	return call.With(ctx, work)
}

// subject is what an event about it is ordered by and says that it is about.
func (k *Kind) subject(subjectID id.ID) (organizationID id.ID, subject string) {
	if k == Organization {
		return subjectID, "organization/" + subjectID.String()
	}
	return id.ID{}, "user/" + subjectID.String()
}

// About returns whom a question or an answer is about, and of which try it is.
func About(message proto.Message) (subjectID, attemptID id.ID, err error) {
	var subject string
	switch message := message.(type) {
	case interface{ GetOrganizationId() string }:
		subject = message.GetOrganizationId()
	case interface{ GetUserId() string }:
		subject = message.GetUserId()
	}
	attempt, _ := message.(interface{ GetAttemptId() string })
	if attempt == nil {
		return id.ID{}, id.ID{}, fmt.Errorf("%w: %s is about no deletion", bus.ErrMalformed, message.ProtoReflect().Descriptor().FullName())
	}
	var subjectErr, attemptErr error
	subjectID, subjectErr = id.Parse(subject)
	attemptID, attemptErr = id.Parse(attempt.GetAttemptId())
	if err := errors.Join(subjectErr, attemptErr); err != nil {
		return id.ID{}, id.ID{}, fmt.Errorf("%w: read deletion: %w", bus.ErrMalformed, err)
	}
	return subjectID, attemptID, nil
}
