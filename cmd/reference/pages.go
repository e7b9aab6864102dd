package main

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/braidhq/braid/gen/go/braid/options/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/rpc"
)

const generated = "<!-- Generated from proto/ by cmd/reference. Edit the contract, then run make gen. -->\n"

// eventKeys say what orders a service's events: the Kafka key.
var eventKeys = map[string]string{
	"identity":     "the user's id; the registration's before there is a user",
	"notification": "the organization's id; the user's for what is not about one",
}

type event struct {
	kind    string
	message protoreflect.MessageDescriptor
}

// writeEvents lists every event that is published.
func (c *contract) writeEvents() ([]byte, error) {
	byService := map[string][]event{}
	for _, file := range c.files() {
		for i := range file.Messages().Len() {
			message := file.Messages().Get(i)
			option, _ := proto.GetExtension(message.Options(), optionsv1.E_Event).(*optionsv1.Event)
			if option.GetType() != "" {
				service := rpc.ServiceName(file)
				byService[service] = append(byService[service], event{kind: option.GetType(), message: message})
			}
		}
	}
	services := make([]string, 0, len(byService))
	for service := range byService {
		services = append(services, service)
	}
	slices.Sort(services)
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Events\n\n%s\n%s\n", generated, eventsIntroduction)
	for _, service := range services {
		if service == "platform" {
			fmt.Fprintf(&out, "## Every service\n\nTopic: that of the service that publishes it · key: the organization's id.\n\n")
		} else {
			key := cmp.Or(eventKeys[service], "the organization's id")
			fmt.Fprintf(&out, "## %s\n\nTopic: `%s` · key: %s.\n\n", service, bus.EventTopic(service), key)
		}
		for _, published := range byService[service] {
			c.writeEvent(&out, published)
		}
	}
	return out.Bytes(), nil
}

const eventsIntroduction = `Events are CloudEvents in binary mode: attributes in the record's headers, the message below as the value (protobuf).
Delivery is at least once on the wire; consumers apply each once, by its id. The order holds for each entity. Fields
marked **sensitive** are dropped by logs, audit, ` + "`braid events tail` and `braid dlq`" + `.
`

func (c *contract) writeEvent(out *bytes.Buffer, published event) {
	fmt.Fprintf(out, "### `%s`\n\n%s\n\n`%s`\n\n| field | type | |\n|---|---|---|\n",
		published.kind, c.sentence(published.message), published.message.FullName())
	for i := range published.message.Fields().Len() {
		field := published.message.Fields().Get(i)
		text := c.comment(field)
		if sensitive(field) {
			text += " **sensitive**"
		}
		if inner := sensitiveWithin(field); len(inner) > 0 {
			text += " **sensitive** in it: " + strings.Join(inner, ", ") + "."
		}
		fmt.Fprintf(out, "| `%s` | %s | %s |\n", field.Name(), typeText(field), cell(text))
	}
	out.WriteString("\n")
}

// sensitiveWithin names the marked fields of a message in the payload.
func sensitiveWithin(field protoreflect.FieldDescriptor) []string {
	var names []string
	if field.Kind() != protoreflect.MessageKind {
		return nil
	}
	for i := range field.Message().Fields().Len() {
		if inner := field.Message().Fields().Get(i); sensitive(inner) {
			names = append(names, "`"+string(inner.Name())+"`")
		}
	}
	return names
}

func typeText(field protoreflect.FieldDescriptor) string {
	name := field.Kind().String()
	switch field.Kind() {
	case protoreflect.MessageKind:
		name = string(field.Message().Name())
	case protoreflect.EnumKind:
		name = string(field.Enum().Name())
	}
	if field.IsList() {
		return "list of " + name
	}
	return name
}

// cell keeps text within its cell.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// writePermissions lists every permission with who holds it and what it opens.
func (c *contract) writePermissions() ([]byte, error) {
	procedures := map[string][]string{}
	roles := map[string]string{}
	open := map[rpc.Rule][]string{}
	for _, method := range c.methods {
		name := "`" + strings.TrimPrefix(method.Procedure, "/braid.") + "`"
		if self := selfField(method); self != "" {
			name += " (any member with their own id as `" + self + "`)"
		}
		if step := stepUpText(method); step != "" {
			name += " (needs " + step + ")"
		}
		if method.Rule == rpc.Operator {
			name += fmt.Sprintf(" (from %s on)", method.Operator)
		}
		if method.Rule != rpc.Organization {
			open[method.Rule] = append(open[method.Rule], name)
			continue
		}
		if other := roles[method.Permission]; other != "" && other != method.Role {
			return nil, fmt.Errorf("the permission %s is given to %s and to %s", method.Permission, other, method.Role)
		}
		roles[method.Permission] = method.Role
		procedures[method.Permission] = append(procedures[method.Permission], name)
	}
	names := make([]string, 0, len(roles))
	for name := range roles {
		names = append(names, name)
	}
	slices.Sort(names)
	shown := slices.Clone(rpc.SystemRoles)
	slices.Reverse(shown)
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Permissions\n\n%s\nWho is no member gets 404, a member without the permission 403.\n\n", generated)
	fmt.Fprintf(&out, "| permission | %s | RPCs |\n|---|%s---|\n", strings.Join(shown, " | "), strings.Repeat(":-:|", len(shown)))
	for _, name := range names {
		least := slices.Index(rpc.SystemRoles, roles[name])
		if least < 0 {
			return nil, fmt.Errorf("the permission %s names the unknown role %q", name, roles[name])
		}
		fmt.Fprintf(&out, "| `%s` |", name)
		for _, role := range shown {
			mark := "  "
			if slices.Index(rpc.SystemRoles, role) >= least {
				mark = "✓"
			}
			fmt.Fprintf(&out, " %s |", mark)
		}
		fmt.Fprintf(&out, " %s |\n", strings.Join(procedures[name], "<br>"))
	}
	for _, rule := range []struct {
		rule  rpc.Rule
		title string
	}{
		{rpc.Operator, "For operators of the deployment, with a second factor"},
		{rpc.Authenticated, "For anybody who is signed in, about their own things"},
		{rpc.Public, "For anybody, without a credential"},
		{rpc.Internal, "For other services only; not found at the gateway"},
	} {
		fmt.Fprintf(&out, "\n## %s\n\n", rule.title)
		for _, name := range open[rule.rule] {
			fmt.Fprintf(&out, "- %s\n", name)
		}
	}
	return out.Bytes(), nil
}

// writeErrors lists every reason.
func (c *contract) writeErrors() ([]byte, error) {
	reasons, err := c.reasons()
	if err != nil {
		return nil, err
	}
	rendered, err := renderFailures(reasons)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Errors\n\n%s\n%s\n| reason | status | HTTP | service | meaning |\n|---|---|---|---|---|\n", generated, errorsIntroduction)
	for _, described := range reasons {
		fmt.Fprintf(&out, "| `%s` | `%s` | %d | %s | %s |\n", described.name, described.status,
			rendered[described.name].code, described.service, cell(described.meaning))
	}
	return out.Bytes(), nil
}

const errorsIntroduction = "The reason is the stable name of an error: `error.details[0].reason` over REST, `ErrorInfo.reason` in the details of\n" +
	"Connect and gRPC, where the status is the code. Service `platform` stands for every service and the gateway.\n"
