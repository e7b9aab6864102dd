package rpc

import (
	"bytes"
	"crypto/rand"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/braidhq/braid/platform/errs"
)

// Connect wraps what a codec answers in an error of its own, without details, before the chain has seen anything. So
// the codec never refuses: it leaves the message empty but for its verdict, and the chain refuses where it validates,
// after authentication, with correlation, metrics and the same details as everything else. The verdict travels as an
// unknown field that begins with a secret of this process, so that no caller can write one.
const rejectionField = protowire.MaxValidNumber

var rejectionMark = newRejectionMark()

func newRejectionMark() []byte {
	mark := make([]byte, 16)
	// Read never fails: the process ends when the system has no randomness.
	_, _ = rand.Read(mark)
	return mark
}

// malformed is said of a request that can't be read when no field is to blame.
var malformed = errs.Violation{Rule: "request.malformed", Message: "can't be read"}

// reject leaves the verdict in the message.
func reject(message proto.Message, violations []errs.Violation) error {
	verdict := &errdetails.BadRequest{}
	for _, violation := range violations {
		verdict.FieldViolations = append(verdict.FieldViolations, &errdetails.BadRequest_FieldViolation{
			Field: violation.Field, Reason: violation.Rule, Description: violation.Message,
		})
	}
	encoded, err := proto.Marshal(verdict)
	if err != nil {
		// A field's name that is not valid UTF-8 can't be told; JSON was checked for that before.
		return err
	}
	proto.Reset(message)
	unknown := protowire.AppendTag(nil, rejectionField, protowire.BytesType)
	message.ProtoReflect().SetUnknown(protowire.AppendBytes(unknown, append(bytes.Clone(rejectionMark), encoded...)))
	return nil
}

// rejectionOf returns the verdict that a codec left in the message.
func rejectionOf(message proto.Message) []errs.Violation {
	unknown := message.ProtoReflect().GetUnknown()
	if len(unknown) == 0 {
		return nil
	}
	number, kind, length := protowire.ConsumeTag(unknown)
	if length < 0 || number != rejectionField || kind != protowire.BytesType {
		return nil
	}
	value, length := protowire.ConsumeBytes(unknown[length:])
	encoded, marked := bytes.CutPrefix(value, rejectionMark)
	verdict := &errdetails.BadRequest{}
	if length < 0 || !marked || proto.Unmarshal(encoded, verdict) != nil {
		return nil
	}
	violations := make([]errs.Violation, 0, len(verdict.GetFieldViolations()))
	for _, told := range verdict.GetFieldViolations() {
		violations = append(violations, errs.Violation{Field: told.GetField(), Rule: told.GetReason(), Message: told.GetDescription()})
	}
	return violations
}
