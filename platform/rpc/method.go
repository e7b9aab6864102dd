package rpc

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	optionsv1 "github.com/braidhq/braid/gen/go/braid/options/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
)

// Rule says what a caller must show.
type Rule int

// The rules of the permission option.
const (
	Public Rule = iota + 1
	Authenticated
	Internal
	Organization
	// Operator is for those who run the deployment.
	Operator
)

// Method is what the contract says of one RPC.
type Method struct {
	// Procedure is "/braid.workflow.v1.TaskService/CreateTask".
	Procedure string
	// Service is the bounded context, "workflow".
	Service string
	Rule    Rule
	// Permission and Role are set when Rule is Organization; Role is the least system role that holds Permission.
	Permission string
	Role       string
	// Operator is the least role of operators that may call; set when Rule is Operator.
	Operator call.OperatorRole
	// SelfAlways says that neither a suspension nor a policy keeps members from doing it with themselves.
	SelfAlways bool
	// Also says who else may call, in words; the handler knows them. Empty for nobody.
	Also string
	// ReadOnly RPCs change nothing; only they may be retried by clients without an idempotency key.
	ReadOnly bool
	// InAnyState RPCs may change an organization also while it is suspended or waits for its deletion.
	InAnyState bool
	// Idempotent RPCs honor the Idempotency-Key header.
	Idempotent bool
	// Machines says that the credentials of machines are good for it.
	Machines bool
	// Guessable says that calls are worth guessing with, or cost much: they have a stricter budget. Only of public RPCs.
	Guessable bool
	Stream    bool
	// StepUp is how recent and strong the caller's login must be.
	StepUp StepUp
	// Form says that it is none of the contract's but an endpoint of OAuth 2.
	Form bool
	// HTTPMethod and Path are the REST mapping, empty without one. Body is the request field that the body fills,
	// "*" for the whole request, empty for none.
	HTTPMethod string
	Path       string
	Body       string
	Descriptor protoreflect.MethodDescriptor

	// ResourceType is what the permission is asked for; empty when only what is held in the whole organization counts.
	ResourceType string

	organizationField protoreflect.FieldDescriptor
	selfField         protoreflect.FieldDescriptor
	resourceField     protoreflect.FieldDescriptor
	projectField      protoreflect.FieldDescriptor
	// variables are the fields that the variables of Path fill, in its order; bodyField is the one named by Body.
	variables []protoreflect.FieldDescriptor
	bodyField protoreflect.FieldDescriptor
	// checks are those of the request's fields, when all of its rules are among them.
	checks []shortCheck
}

// MethodOf reads a method's options. It fails for one without a permission rule: such an RPC must never be served.
func MethodOf(descriptor protoreflect.MethodDescriptor) (*Method, error) {
	options, _ := descriptor.Options().(*descriptorpb.MethodOptions)
	method := &Method{
		Procedure:  fmt.Sprintf("/%s/%s", descriptor.Parent().FullName(), descriptor.Name()),
		Service:    ServiceName(descriptor.ParentFile()),
		ReadOnly:   options.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS,
		Stream:     descriptor.IsStreamingServer(),
		Descriptor: descriptor,

		checks: shortChecksOf(descriptor.Input()),
	}
	method.InAnyState, _ = proto.GetExtension(options, optionsv1.E_InAnyState).(bool)
	if err := method.readPermission(options); err != nil {
		return nil, fmt.Errorf("%s: %w", method.Procedure, err)
	}
	if err := method.readStepUp(options); err != nil {
		return nil, fmt.Errorf("%s: %w", method.Procedure, err)
	}
	if err := method.readHTTP(options); err != nil {
		return nil, fmt.Errorf("%s: %w", method.Procedure, err)
	}
	method.Idempotent = !method.ReadOnly && method.Rule != Public && method.Rule != Internal &&
		proto.GetExtension(options, optionsv1.E_Idempotency).(optionsv1.Idempotency) != optionsv1.Idempotency_IDEMPOTENCY_NONE
	method.readMachines(options)
	method.Guessable = method.Rule == Public && (!proto.HasExtension(options, optionsv1.E_Guessable) ||
		proto.GetExtension(options, optionsv1.E_Guessable).(bool))
	return method, nil
}

// ServiceName returns the bounded context of a contract file: the part after "braid" in its package.
func ServiceName(file protoreflect.FileDescriptor) string {
	parts := strings.Split(string(file.Package()), ".")
	if len(parts) < 2 {
		return string(file.Package())
	}
	return parts[1]
}

func (m *Method) readPermission(options *descriptorpb.MethodOptions) error {
	permission, _ := proto.GetExtension(options, optionsv1.E_Permission).(*optionsv1.Permission)
	switch rule := permission.GetRule().(type) {
	case *optionsv1.Permission_Public:
		return m.setRule(Public, rule.Public)
	case *optionsv1.Permission_Authenticated:
		return m.setRule(Authenticated, rule.Authenticated)
	case *optionsv1.Permission_Internal:
		return m.setRule(Internal, rule.Internal)
	case *optionsv1.Permission_Name:
		m.Rule = Organization
		m.Permission, m.Role = rule.Name, permission.GetRole()
		if !strings.HasPrefix(m.Permission, m.Service+".") || !slices.Contains(SystemRoles, m.Role) {
			return fmt.Errorf("the permission %q must begin with %q and name a system role", m.Permission, m.Service+".")
		}
		return m.readFields(permission)
	case *optionsv1.Permission_Operator:
		m.Rule, m.Operator = Operator, call.OperatorRoleOf(rule.Operator)
		if m.Operator == 0 {
			return fmt.Errorf("%q is no role of operators", rule.Operator)
		}
		return nil
	default:
		return errNoRule
	}
}

var errNoRule = errors.New("the RPC has no permission rule")

// setRule takes a rule that is set to true; "public: false" says nothing about who may.
func (m *Method) setRule(rule Rule, set bool) error {
	if !set {
		return errNoRule
	}
	m.Rule = rule
	return nil
}

func (m *Method) readFields(permission *optionsv1.Permission) error {
	fields := m.Descriptor.Input().Fields()
	m.Also, m.SelfAlways = permission.GetAlso(), permission.GetSelfAlways()
	name := permission.GetOrganizationField()
	if name == "" {
		name = "organization_id"
	}
	if m.organizationField = textField(fields, name); m.organizationField == nil {
		return fmt.Errorf("the request has no field %q for the organization", name)
	}
	m.ResourceType = permission.GetResourceType()
	for field, name := range map[*protoreflect.FieldDescriptor]string{
		&m.selfField: permission.GetSelfField(), &m.resourceField: permission.GetResourceField(), &m.projectField: permission.GetProjectField(),
	} {
		if name == "" {
			continue
		}
		if *field = textField(fields, name); *field == nil {
			return fmt.Errorf("the request has no field %q", name)
		}
	}
	if m.ResourceType == "" && (m.resourceField != nil || m.projectField != nil) {
		return errors.New("a resource without a type")
	}
	return nil
}

func textField(fields protoreflect.FieldDescriptors, name string) protoreflect.FieldDescriptor {
	field := fields.ByName(protoreflect.Name(name))
	if field == nil || field.Kind() != protoreflect.StringKind || field.IsList() {
		return nil
	}
	return field
}

func (m *Method) readHTTP(options *descriptorpb.MethodOptions) error {
	rule, _ := proto.GetExtension(options, annotations.E_Http).(*annotations.HttpRule)
	m.Body = rule.GetBody()
	switch pattern := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		m.HTTPMethod, m.Path = "GET", pattern.Get
	case *annotations.HttpRule_Post:
		m.HTTPMethod, m.Path = "POST", pattern.Post
	case *annotations.HttpRule_Patch:
		m.HTTPMethod, m.Path = "PATCH", pattern.Patch
	case *annotations.HttpRule_Put:
		m.HTTPMethod, m.Path = "PUT", pattern.Put
	case *annotations.HttpRule_Delete:
		m.HTTPMethod, m.Path = "DELETE", pattern.Delete
	}
	fields := m.Descriptor.Input().Fields()
	if m.Body != "" && m.Body != "*" {
		m.bodyField = fields.ByName(protoreflect.Name(m.Body))
		if m.bodyField == nil || m.bodyField.Kind() != protoreflect.MessageKind || m.bodyField.IsList() {
			return fmt.Errorf("the request has no message %q for the body", m.Body)
		}
	}
	for segment := range strings.SplitSeq(m.Path, "/") {
		segment, _, _ = strings.Cut(segment, ":")
		name, ok := strings.CutPrefix(segment, "{")
		if !ok {
			continue
		}
		field := textField(fields, strings.TrimSuffix(name, "}"))
		if field == nil {
			return fmt.Errorf("the request has no text field for %s of its path", segment)
		}
		m.variables = append(m.variables, field)
	}
	return nil
}

// organization returns the organization a request is about; zero when the field is empty or no identifier, which
// validation refuses before.
func (m *Method) organization(request proto.Message) id.ID {
	return id.ParseOrZero(request.ProtoReflect().Get(m.organizationField).String())
}

// projectType is the resource that is its own project.
const projectType = "project"

// asked returns what a request names of the resource that its permission is asked for.
func (m *Method) asked(request proto.Message, callerID id.ID) Asked {
	message := request.ProtoReflect()
	asked := Asked{Resource: call.Resource{Type: m.ResourceType}}
	if m.projectField != nil {
		asked.ProjectID = id.ParseOrZero(message.Get(m.projectField).String())
	}
	switch {
	case m.resourceField != nil:
		asked.ID = id.ParseOrZero(message.Get(m.resourceField).String())
		if m.ResourceType == projectType {
			asked.ProjectID = asked.ID
		}
	case !m.ReadOnly:
		// What is about to be made will be the caller's own.
		asked.OwnerID, asked.Complete = callerID, true
	}
	return asked
}

// names reports whether the request's self field holds the user.
func (m *Method) names(request proto.Message, userID id.ID) bool {
	return m.selfField != nil && request.ProtoReflect().Get(m.selfField).String() == userID.String()
}
