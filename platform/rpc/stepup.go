package rpc

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	optionsv1 "github.com/braidhq/braid/gen/go/braid/options/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
)

// StepUp is how recent and how strong a caller's login must be; the zero value asks for nothing.
type StepUp struct {
	MaxAge time.Duration
	// Factor asks for a second factor, of whoever has one.
	Factor bool
}

const (
	stepUpReason = "STEP_UP_REQUIRED"
	maxAgeFact   = "maxAge"
	acrFact      = "acr"
)

var errStepUp = errs.New(errs.Unauthenticated, stepUpReason, "Prove once more who you are, then try again.")

func (m *Method) readStepUp(options *descriptorpb.MethodOptions) error {
	if !proto.HasExtension(options, optionsv1.E_StepUp) {
		return nil
	}
	asked, _ := proto.GetExtension(options, optionsv1.E_StepUp).(*optionsv1.StepUp)
	if m.Rule != Authenticated && m.Rule != Organization && m.Rule != Operator {
		return errors.New("a recent login can be asked of users only")
	}
	if asked.GetMaxAge() <= 0 {
		return errors.New("the step-up has no max_age")
	}
	m.StepUp = StepUp{MaxAge: time.Duration(asked.GetMaxAge()) * time.Second, Factor: asked.GetFactor()}
	return nil
}

// requireStepUp refuses a login that is not recent or not strong enough. A token that does not say when its person last
// proved anything is never recent enough.
func (c *Chain) requireStepUp(method *Method, actor *call.Actor) error {
	if method.StepUp.MaxAge == 0 {
		return nil
	}
	recent := !actor.AuthTime.IsZero() && c.Clock.Now().Sub(actor.AuthTime) <= method.StepUp.MaxAge
	if recent && (!method.StepUp.Factor || actor.Methods.Has(call.Strong)) {
		return nil
	}
	refusal := errStepUp.With(maxAgeFact, strconv.Itoa(int(method.StepUp.MaxAge.Seconds())))
	if method.StepUp.Factor {
		refusal = refusal.With(acrFact, call.StrongACR)
	}
	return refusal
}

// challenge is the WWW-Authenticate header of a failure, empty for none (RFC 6750 section 3, RFC 9470 section 3).
func (f *Failure) challenge() string {
	switch {
	case f.Problem.Kind != errs.Unauthenticated:
		return ""
	case f.Problem.Reason != stepUpReason:
		return fmt.Sprintf("Bearer realm=%q", Domain)
	}
	header := fmt.Sprintf("Bearer realm=%q, error=%q, error_description=%q, max_age=%q", Domain,
		"insufficient_user_authentication", "A more recent or stronger login is needed", f.Problem.Metadata[maxAgeFact])
	if acr := f.Problem.Metadata[acrFact]; acr != "" {
		header += fmt.Sprintf(", acr_values=%q", acr)
	}
	return header
}
