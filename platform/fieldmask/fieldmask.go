// Package fieldmask reads what a PATCH wants changed, for every resource in the same way. The contract says of each
// field what an update may do with it: one that is OUTPUT_ONLY is the server's and passed over, because callers send
// back what they read; one that is `fixed` must keep its value; the etag guards; every other one can be changed.
package fieldmask

import (
	"slices"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	optionsv1 "github.com/braidhq/braid/gen/go/braid/options/v1"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/jsonwire"
)

const (
	// everything stands for all fields (AIP-134).
	everything = "*"
	etag       = protoreflect.Name("etag")
	// maxEchoed bounds what an error repeats of a caller's path.
	maxEchoed = 64
)

// Resource knows the fields of one kind of resource. It is made once and safe for concurrent use.
type Resource struct {
	fields     protoreflect.FieldDescriptors
	changeable []protoreflect.Name
	// fixed holds, for each field that must keep its value, what to tell who tries.
	fixed map[protoreflect.Name]string
	// choice lists the changeable fields as callers spell them.
	choice string
}

// For reads the rules of a resource off its message.
func For(message proto.Message) *Resource { return Of(message.ProtoReflect().Descriptor()) }

// Of is For with the message's descriptor.
func Of(message protoreflect.MessageDescriptor) *Resource {
	r := &Resource{fields: message.Fields(), fixed: map[protoreflect.Name]string{}}
	var spelled []string
	for i := range r.fields.Len() {
		field := r.fields.Get(i)
		advice, fixed := proto.GetExtension(field.Options(), optionsv1.E_Fixed).(string)
		switch {
		case fixed && advice != "":
			r.fixed[field.Name()] = advice
		case field.Name() != etag && !outputOnly(field):
			r.changeable = append(r.changeable, field.Name())
			spelled = append(spelled, field.JSONName())
		}
	}
	r.choice = strings.Join(spelled, ", ")
	return r
}

// Changeable lists the fields that an update may change, in the order of the contract.
func (r *Resource) Changeable() []protoreflect.Name { return slices.Clone(r.changeable) }

func outputOnly(field protoreflect.FieldDescriptor) bool {
	behaviors, _ := proto.GetExtension(field.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	return slices.Contains(behaviors, annotations.FieldBehavior_OUTPUT_ONLY)
}

// Update is what one request wants changed.
type Update struct {
	resource *Resource
	sent     protoreflect.Message
	wanted   map[protoreflect.Name]bool
}

// Read returns what the mask names, or without one what sent holds. A path that is no field of the resource is refused;
// whether a fixed field would change only Keeps can tell.
func (r *Resource) Read(mask *fieldmaskpb.FieldMask, sent proto.Message) (Update, error) {
	update := Update{resource: r, sent: sent.ProtoReflect(), wanted: map[protoreflect.Name]bool{}}
	paths := mask.GetPaths()
	if len(paths) == 0 {
		update.wantPresent()
	}
	for _, path := range paths {
		name := protoreflect.Name(path)
		switch {
		case path == everything:
			update.wantPresent()
			for _, changeable := range r.changeable {
				update.wanted[changeable] = true
			}
		case r.fields.ByName(name) == nil:
			return Update{}, errs.Invalid("updateMask", "field_mask.unknown_path",
				"names "+strconv.Quote(spell(path))+", which is no field; those that can be changed are "+r.choice)
		default:
			update.wanted[name] = true
		}
	}
	return update, nil
}

func (u Update) wantPresent() {
	u.sent.Range(func(field protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		u.wanted[field.Name()] = true
		return true
	})
}

// Has reports whether a field, by its name in the contract, is to be changed.
func (u Update) Has(field protoreflect.Name) bool { return u.wanted[field] }

// Keeps refuses the update when it asks for another value of a fixed field than the resource has. prefix is how the
// request spells the resource. It is asked about the resource after the update, which can't have changed such a field,
// in the update's transaction, which the refusal rolls back.
func (u Update) Keeps(resource proto.Message, prefix string) error {
	has := resource.ProtoReflect()
	for i := range u.resource.fields.Len() {
		field := u.resource.fields.Get(i)
		advice, fixed := u.resource.fixed[field.Name()]
		if !fixed || !u.wanted[field.Name()] || u.sent.Get(field).Equal(has.Get(field)) {
			continue
		}
		return errs.Invalid(prefix+"."+field.JSONName(), "immutable", advice+"; an update changes "+u.resource.choice)
	}
	return nil
}

// spell writes a path as JSON does, cut to what an error may repeat.
func spell(path string) string {
	runes := []rune(path)
	return jsonwire.Path(string(runes[:min(len(runes), maxEchoed)]))
}
