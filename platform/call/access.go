package call

import (
	"context"

	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// Resource is what a permission is asked for. What is zero is not known, or is not there.
type Resource struct {
	// Type is what it is: "project", "task".
	Type string
	ID   id.ID
	// ProjectID is the project it is in; a project is in itself.
	ProjectID id.ID
	// OwnerID is who created or owns it.
	OwnerID id.ID
}

// Undecided is an access that depends on what the request doesn't name: the project of a task, who owns it. Whoever
// loads the resource decides it, by Call.Authorize or Call.Reach. For what is about to be made, that is the project in
// which it is. What nobody decides is refused.
type Undecided interface {
	// Decide answers for a resource of which everything is known: nil, NotFound for one that the caller may not even
	// read, PermissionDenied for one that they may only read.
	Decide(ctx context.Context, resource Resource) error
	// Reach is all that the caller holds the permission for.
	Reach() access.Reach
}

var errUndecided = errs.New(errs.PermissionDenied, "PERMISSION_DENIED", "You lack the permission for this resource.")

// Leave notes what is still to be decided; nil is nothing.
func (c *Call) Leave(undecided Undecided) { c.undecided, c.decided = undecided, false }

// IsUndecided reports whether something is left to be decided, so that nothing is read for it otherwise.
func (c *Call) IsUndecided() bool { return c.undecided != nil && !c.decided }

// Authorize decides what was left to be decided, for the resource that the work is about. It must have been read in the
// transaction that changes it.
func (c *Call) Authorize(ctx context.Context, resource Resource) error {
	if c.undecided == nil {
		return nil
	}
	if err := c.undecided.Decide(ctx, resource); err != nil {
		return err
	}
	c.decided = true
	return nil
}

// Reach returns what the caller may see of a list, and whether that is less than everything. Whoever asks lists nothing
// else.
func (c *Call) Reach() (access.Reach, bool) {
	if c.undecided == nil {
		return access.Reach{}, false
	}
	c.decided = true
	return c.undecided.Reach(), true
}

// CheckDecided refuses when something was left to be decided and nobody did: before a transaction commits, and before
// an answer leaves.
func (c *Call) CheckDecided() error {
	if c.undecided != nil && !c.decided && !c.Replayed {
		return errUndecided
	}
	return nil
}
