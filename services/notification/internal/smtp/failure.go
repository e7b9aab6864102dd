package smtp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/textproto"
)

// Failure is a mail that was not taken.
type Failure struct {
	// Step is what was being done: "connect", "MAIL", "RCPT", "DATA".
	Step string
	// Code is the server's reply code, 0 when there was none.
	Code int
	// Permanent says that the server refused this very mail for good.
	Permanent bool

	what string
}

// Error implements error. It holds no address and no text of the server.
func (f *Failure) Error() string {
	if f.Code != 0 {
		return fmt.Sprintf("the mail server answered %d to %s", f.Code, f.Step)
	}
	return fmt.Sprintf("%s: %s", f.Step, f.what)
}

// The steps of a conversation.
const (
	stepConnect = "connect"
	stepHello   = "EHLO"
	stepTLS     = "STARTTLS"
	stepAuth    = "AUTH"
	stepMail    = "MAIL"
	stepRcpt    = "RCPT"
	stepData    = "DATA"
)

// failed makes the failure of a step. Only a refusal of the mail itself is permanent: a login or a greeting that is
// refused is a fault of the configuration or the server, which somebody will mend while the mail waits.
func failed(step string, err error) *Failure {
	var reply *textproto.Error
	if errors.As(err, &reply) {
		aboutMail := step == stepMail || step == stepRcpt || step == stepData
		return &Failure{Step: step, Code: reply.Code, Permanent: aboutMail && reply.Code/100 == 5 && !aboutServer(reply.Code)}
	}
	return &Failure{Step: step, what: describe(err)}
}

// aboutServer tells replies that are no judgment of the mail: a command not known, or a login that is missing.
func aboutServer(code int) bool {
	switch code {
	case 500, 502, 503, 530, 534, 535, 538:
		return true
	default:
		return false
	}
}

func describe(err error) string {
	var timeout net.Error
	var lookup *net.DNSError
	switch {
	case errors.Is(err, context.Canceled):
		return "the work was ended"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "the mail server took too long"
	case errors.As(err, &lookup):
		return "the mail server's name is not known"
	case errors.Is(err, errNoStartTLS), errors.Is(err, errNoAuth):
		return err.Error()
	default:
		return "the connection to the mail server failed"
	}
}
