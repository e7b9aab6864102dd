package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/braidhq/braid/platform/rpc"
)

var (
	pathName = regexp.MustCompile(`\{([a-z_]+)\}`)
	// The contract lists in comments what a filter and an order may name.
	filterFields = regexp.MustCompile(`Filter fields: ([^.]+)\.`)
	orderFields  = regexp.MustCompile(`Order: ([^.]+)\.`)
	listing      = regexp.MustCompile(` ?(Filter fields|Order): [^.]+\.`)
)

// pathNames are the fields of a method's path.
func pathNames(method *rpc.Method) []string {
	var names []string
	for _, match := range pathName.FindAllStringSubmatch(method.Path, -1) {
		names = append(names, match[1])
	}
	return names
}

// restPath is a method's path in JSON's spelling.
func restPath(method *rpc.Method) string {
	return pathName.ReplaceAllStringFunc(method.Path, camelCase)
}

// operations turns methods into operations.
type operations struct {
	contract *contract
	schemas  *schemas
	failures map[string]failure
	// responses are the answers with errors that operations share, by name.
	responses *object
	validator protovalidate.Validator
}

// operation describes one method.
func (o *operations) operation(method *rpc.Method) (*object, error) {
	name := string(method.Descriptor.Name())
	operation := newObject(
		"tags", []any{tagOf(method)},
		"summary", spaced(name),
		"description", o.description(method),
		"operationId", strings.ToLower(name[:1])+name[1:],
		"x-braid-permission", permissionOf(method),
		"security", securityOf(method),
	)
	request, err := exampleOf(method.Descriptor.Input())
	if err != nil {
		return nil, err
	}
	parameters, err := o.parameters(method, request)
	if err != nil {
		return nil, err
	}
	operation.set("parameters", parameters)
	if method.Body != "" {
		body, err := o.requestBody(method, request)
		if err != nil {
			return nil, err
		}
		operation.set("requestBody", body)
	}
	success, err := o.success(method)
	if err != nil {
		return nil, err
	}
	responses, err := o.failureResponses(method)
	if err != nil {
		return nil, err
	}
	all := newObject("200", success)
	for _, code := range responses.names {
		all.set(code, responses.values[code])
	}
	return operation.set("responses", all), nil
}

// tagOf is the noun: the service's name without "Service".
func tagOf(method *rpc.Method) string {
	return spaced(strings.TrimSuffix(string(method.Descriptor.Parent().Name()), "Service"))
}

// spaced writes "CreateTask" as "Create task".
func spaced(name string) string {
	var out strings.Builder
	for i, char := range name {
		if i > 0 && unicode.IsUpper(char) {
			out.WriteByte(' ')
			char = unicode.ToLower(char)
		}
		out.WriteRune(char)
	}
	return out.String()
}

// description is the comment with who may call. What lists may be filtered by is said at the parameters.
func (o *operations) description(method *rpc.Method) string {
	text := listing.ReplaceAllString(o.contract.sentence(method.Descriptor), "")
	switch method.Rule {
	case rpc.Public:
		text += "\n\nNeeds no credential."
	case rpc.Authenticated:
		text += "\n\nFor anybody who is signed in."
	case rpc.Operator:
		text += fmt.Sprintf("\n\nFor operators of the deployment, from the role `%s` on, with a second factor.", method.Operator)
	case rpc.Organization:
		holders := rpc.SystemRoles[slices.Index(rpc.SystemRoles, method.Role):]
		text += fmt.Sprintf("\n\nNeeds the permission `%s` in the organization, held by: %s.", method.Permission, strings.Join(holders, ", "))
		if self := selfField(method); self != "" {
			text += fmt.Sprintf(" With one's own id as `%s` being a member is enough.", camelCase(self))
		}
		if method.Also != "" {
			text += " Also for " + method.Also + "."
		}
	}
	if step := stepUpText(method); step != "" {
		text += "\n\nNeeds " + step + "; else it answers `STEP_UP_REQUIRED`."
	}
	if method.Idempotent {
		text += "\n\nHonors `Idempotency-Key`."
	}
	return text
}

// stepUpText says how recent and strong a login a method needs, "" for any.
func stepUpText(method *rpc.Method) string {
	if method.StepUp.MaxAge == 0 {
		return ""
	}
	text := fmt.Sprintf("a login of the last %.0f minutes", method.StepUp.MaxAge.Minutes())
	if method.StepUp.Factor {
		text += " with a second factor, of who has one"
	}
	return text
}

func permissionOf(method *rpc.Method) *object {
	switch method.Rule {
	case rpc.Public:
		return newObject("rule", "public")
	case rpc.Authenticated:
		return newObject("rule", "authenticated")
	case rpc.Operator:
		return newObject("rule", "operator", "role", method.Operator.String())
	default:
		described := newObject("rule", "organization", "permission", method.Permission, "role", method.Role)
		if self := selfField(method); self != "" {
			described.set("self", camelCase(self))
		}
		return described
	}
}

func securityOf(method *rpc.Method) []any {
	if method.Rule == rpc.Public {
		return []any{}
	}
	return []any{newObject("bearer", []any{})}
}

// parameters are those of the path, the query and the headers.
func (o *operations) parameters(method *rpc.Method, request proto.Message) ([]any, error) {
	parameters := []any{}
	fields := method.Descriptor.Input().Fields()
	inPath := pathNames(method)
	for _, name := range inPath {
		parameter, err := o.parameter(fields.ByName(protoreflect.Name(name)), "path")
		if err != nil {
			return nil, err
		}
		parameters = append(parameters, parameter.set("required", true).set("example",
			request.ProtoReflect().Get(fields.ByName(protoreflect.Name(name))).String()))
	}
	for i := range fields.Len() {
		field := fields.Get(i)
		if slices.Contains(inPath, string(field.Name())) || method.Body == "*" || method.Body == string(field.Name()) {
			continue
		}
		parameter, err := o.queryParameter(method, field)
		if err != nil {
			return nil, err
		}
		parameters = append(parameters, parameter)
	}
	if method.Stream && !isFile(method) {
		parameters = append(parameters, newObject("$ref", "#/components/parameters/LastEventId"))
	}
	if method.Idempotent {
		parameters = append(parameters, newObject("$ref", "#/components/parameters/IdempotencyKey"))
	}
	return append(parameters, newObject("$ref", "#/components/parameters/CorrelationId")), nil
}

func (o *operations) parameter(field protoreflect.FieldDescriptor, place string) (*object, error) {
	parameter := newObject("name", field.JSONName(), "in", place, "description", o.contract.comment(field))
	if field.Kind() == protoreflect.MessageKind {
		return parameter.set("schema", newObject("type", "string")), nil
	}
	message := o.schemas.raw.object(string(field.Parent().FullName()))
	if message == nil || message.object("properties").object(field.JSONName()) == nil {
		return nil, fmt.Errorf("the plugin wrote no schema for %s", field.FullName())
	}
	schema := cleanSchema(message.object("properties").object(field.JSONName())).(*object)
	schema.remove("description")
	return parameter.set("schema", schema), nil
}

// queryParameter describes one parameter. None has an example of its own: pages that try calls would send it along.
func (o *operations) queryParameter(method *rpc.Method, field protoreflect.FieldDescriptor) (*object, error) {
	parameter, err := o.parameter(field, "query")
	if err != nil {
		return nil, err
	}
	comment := o.contract.comment(method.Descriptor)
	find := func(pattern *regexp.Regexp, text string) (string, error) {
		found := pattern.FindStringSubmatch(text)
		if found == nil {
			return "", fmt.Errorf("%s: the contract's comment does not say %q", method.Procedure, pattern)
		}
		return found[1], nil
	}
	switch field.Name() {
	case "filter":
		names, err := find(filterFields, comment)
		if err != nil {
			return nil, err
		}
		example, ok := exampleFilters[string(method.Descriptor.Name())]
		if !ok {
			return nil, fmt.Errorf("%s: exampleFilters has none", method.Procedure)
		}
		parameter.set("description", "A filter as in AIP-160, such as `"+example+"`. Fields: "+names+".\n\n"+
			"`field:*` asks for any value of a field that can be empty; in `=` and `!=` an asterisk at an end of a text stands for anything (`\\\\*` for itself).")
	case "order_by":
		names, err := find(orderFields, comment)
		if err != nil {
			return nil, err
		}
		parameter.set("description", "An order as in AIP-132: `field` or `field desc`, comma-separated. Fields: "+names+".")
	case "page_size":
		parameter.set("description", "Entries at most; above 200 counts as 200, 0 as 50.")
		parameter.object("schema").set("default", 50)
	case "page_token":
		parameter.set("description", "`nextPageToken` of the page before, with the same filter and order.")
	case "update_mask":
		body := method.Descriptor.Input().Fields().ByName(protoreflect.Name(method.Body)).Message()
		spelled := make([]string, 0, 8)
		for _, name := range o.schemas.patched[string(body.FullName())] {
			spelled = append(spelled, camelCase(name))
		}
		parameter.set("description", "The fields to change, comma-separated; the fields of the body when absent. Fields: "+strings.Join(spelled, ", ")+".")
	}
	return parameter, nil
}

var exampleFilters = map[string]string{
	"ListAccessTokens":    `scopes:"workflow.*"`,
	"ListDataExports":     `state = "READY"`,
	"ListApiKeys":         `expireTime < "2026-12-01T00:00:00Z"`,
	"ListServiceAccounts": `displayName:"import"`,
	"ListAssignments":     `subject.type = USER AND roleId = "member"`,
	"ListPermissions":     `system = false`,
	"ListTasks":           `status = "todo" AND assigneeId = "` + exampleBen + `"`,
	"ListProjects":        `archived = false`,
	"ListNotifications":   `unread = true`,
	"ListAuditEvents":     `resourceType = "task" AND createTime > "2026-09-01T00:00:00Z"`,
	"ListOrganizations":   `displayName:"acme"`,
	"ListMembers":         `roleIds:"admin" AND displayName:"ada"`,
	"ListInvitations":     `state = PENDING AND roleId = "member"`,
	"ListRoles":           `permissions:"workflow.task.create"`,
	"ListTeams":           `displayName:"engine"`,
	"ListTeamMembers":     `role = LEAD`,
	"ListInvitationLinks": `state = ACTIVE`,
	"ListDomains":         `state = VERIFIED`,
	"ListSessions":        `lastUseTime < 2026-01-01T00:00:00Z`,
	"ListSupportGrants":   `state = ACTIVE`, "ListImpersonations": `createTime >= "2026-11-22T00:00:00Z"`, "ListOperators": `role = ADMIN`,
	"FindOrganizations": `state = SUSPENDED AND displayName:"acme"`,
	"ListComments":      `createTime > 2026-01-01T00:00:00Z`,
}

// requestBody describes a body with an example, which must pass the contract's own rules.
func (o *operations) requestBody(method *rpc.Method, request proto.Message) (*object, error) {
	if err := o.validator.Validate(request); err != nil {
		return nil, fmt.Errorf("the example of %s is not valid: %w", method.Procedure, err)
	}
	if method.Body != "*" {
		return o.patchBody(method, request)
	}
	name := string(method.Descriptor.Input().FullName())
	reference, err := o.schemas.reference(name)
	if err != nil {
		return nil, err
	}
	schema := o.schemas.used[schemaName(name)]
	example, err := exampleJSON(request, false)
	if err != nil {
		return nil, err
	}
	for _, inPath := range pathNames(method) {
		schema.object("properties").remove(camelCase(inPath))
		example.remove(camelCase(inPath))
	}
	if required := o.requiredFields(method, request); len(required) > 0 {
		schema.set("required", required)
	}
	return jsonBody(reference, example), nil
}

func (o *operations) patchBody(method *rpc.Method, request proto.Message) (*object, error) {
	field := method.Descriptor.Input().Fields().ByName(protoreflect.Name(method.Body))
	reference, err := o.schemas.reference(string(field.Message().FullName()))
	if err != nil {
		return nil, err
	}
	example, err := exampleJSON(request.ProtoReflect().Get(field).Message().Interface(), false)
	if err != nil {
		return nil, err
	}
	properties := o.schemas.used[schemaName(string(field.Message().FullName()))].object("properties")
	for _, name := range slices.Clone(example.names) {
		if properties.object(name).values["readOnly"] == true {
			example.remove(name)
		}
	}
	return jsonBody(reference, example), nil
}

func jsonBody(schema, example *object) *object {
	return newObject("required", true, "content", newObject("application/json", newObject("schema", schema, "example", example)))
}

// requiredFields are those without which the example is refused: the rules themselves say it.
func (o *operations) requiredFields(method *rpc.Method, request proto.Message) []any {
	var required []any
	fields := method.Descriptor.Input().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		if slices.Contains(pathNames(method), string(field.Name())) {
			continue
		}
		without := proto.Clone(request)
		without.ProtoReflect().Clear(field)
		if breaks(o.validator.Validate(without), field) {
			required = append(required, field.JSONName())
		}
	}
	return required
}
