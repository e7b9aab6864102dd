package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/braidhq/braid/platform/fieldmask"
	"github.com/braidhq/braid/platform/rpc"
)

const introduction = `One API over REST, Connect, gRPC and gRPC-Web; this document describes REST.

Sign in with **Login** and send the access token as ` + "`Authorization: Bearer …`" + `. Names are camelCase, identifiers
are UUIDs, times are RFC 3339. Lists take ` + "`pageSize` and `pageToken`" + ` and answer ` + "`nextPageToken`" + `, empty on the
last page. To guard a change, send the ` + "`etag`" + ` that was read. Every error has one shape; its stable name is the reason in
the first detail. What belongs to another organization is not found.`

// writeOpenAPI makes the document from what the plugin wrote and what the contract says beyond it.
func (c *contract) writeOpenAPI(rawPath string) ([]byte, error) {
	encoded, err := os.ReadFile(rawPath)
	if err != nil {
		return nil, fmt.Errorf("read the plugin's document: %w", err)
	}
	raw, err := readJSON(encoded)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", rawPath, err)
	}
	document, err := c.buildDocument(raw.(*object).object("components").object("schemas"))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(document); err != nil {
		return nil, fmt.Errorf("encode document: %w", err)
	}
	return out.Bytes(), nil
}

func (c *contract) buildDocument(raw *object) (*object, error) {
	validator, err := protovalidate.New()
	if err != nil {
		return nil, fmt.Errorf("prepare validation: %w", err)
	}
	reasons, err := c.reasons()
	if err != nil {
		return nil, err
	}
	failures, err := renderFailures(reasons)
	if err != nil {
		return nil, err
	}
	methods := c.publicMethods()
	if err := checkReasons(methods, failures); err != nil {
		return nil, err
	}
	collected := &schemas{contract: c, raw: raw, used: map[string]*object{}}
	if err := collected.readBodies(methods); err != nil {
		return nil, err
	}
	made := &operations{contract: c, schemas: collected, failures: failures, responses: newObject(), validator: validator}
	paths, operationIDs := newObject(), map[string]bool{}
	for _, method := range methods {
		operation, err := made.operation(method)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", method.Procedure, err)
		}
		if operationIDs[operation.text("operationId")] {
			return nil, fmt.Errorf("two operations are called %s", operation.text("operationId"))
		}
		operationIDs[operation.text("operationId")] = true
		path := paths.object(restPath(method))
		if path == nil {
			path = newObject()
			paths.set(restPath(method), path)
		}
		path.set(strings.ToLower(method.HTTPMethod), operation)
	}
	components, err := c.components(collected, failures)
	if err == nil {
		components.set("responses", made.responses)
	}
	if err != nil {
		return nil, err
	}
	return newObject(
		"openapi", "3.1.0",
		"info", newObject("title", "Braid", "version", "v1", "description", introduction,
			"license", newObject("name", "MIT", "identifier", "MIT")),
		"servers", []any{newObject("url", "/", "description", "The instance that serves this document.")},
		"tags", c.tags(methods), "security", []any{newObject("bearer", []any{})},
		"paths", paths, "components", components,
	), nil
}

// readBodies finds out what requests hold: which fields PATCH may write, and which messages come from callers at all.
func (s *schemas) readBodies(methods []*rpc.Method) error {
	s.patched, s.requested = map[string][]string{}, map[string]bool{}
	for _, method := range methods {
		fields := method.Descriptor.Input().Fields()
		if method.Body == "*" {
			for i := range fields.Len() {
				s.requested[typeOf(fields.Get(i))] = true
			}
		}
		if method.Body == "" || method.Body == "*" {
			continue
		}
		if fields.ByName("update_mask") == nil {
			return fmt.Errorf("%s has a body without an update mask", method.Procedure)
		}
		body := fields.ByName(protoreflect.Name(method.Body)).Message()
		for _, name := range fieldmask.Of(body).Changeable() {
			s.patched[string(body.FullName())] = append(s.patched[string(body.FullName())], string(name))
		}
	}
	return nil
}

// tags are the nouns in the order of the contract's packages.
func (c *contract) tags(methods []*rpc.Method) []any {
	var tags []any
	seen := map[string]bool{}
	sorted := slices.Clone(methods)
	slices.SortStableFunc(sorted, func(a, b *rpc.Method) int { return strings.Compare(tagOrder(a), tagOrder(b)) })
	for _, method := range sorted {
		if tag := tagOf(method); !seen[tag] {
			seen[tag] = true
			tags = append(tags, newObject("name", tag, "description", c.sentence(method.Descriptor.Parent())))
		}
	}
	return tags
}

// tagOrder puts what a newcomer needs first: signing in, then organizations, then work.
func tagOrder(method *rpc.Method) string {
	order := []string{"identity", "organization", "workflow", "notification", "audit"}
	return fmt.Sprintf("%02d%s%s", (slices.Index(order, method.Service)+len(order)+1)%(len(order)+1), method.Service, method.Descriptor.Parent().Name())
}

func (c *contract) components(collected *schemas, failures map[string]failure) (*object, error) {
	fixed, err := readJSON([]byte(fixedComponents))
	if err != nil {
		return nil, err
	}
	shape, err := errorSchema()
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(collected.used))
	for name := range collected.used {
		names = append(names, name)
	}
	slices.Sort(names)
	kept := newObject("Error", shape)
	for _, name := range names {
		kept.set(name, collected.used[name])
	}
	return fixed.(*object).set("schemas", kept).set("examples", failureExamples(failures)), nil
}

const fixedComponents = `{
  "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT",
    "description": "The accessToken of Login or Refresh; it lives for 10 minutes."}},
  "parameters": {
    "IdempotencyKey": {"name": "Idempotency-Key", "in": "header",
      "description": "Makes a retry safe: the same key with the same request within 24 hours gets the same answer.",
      "schema": {"type": "string", "minLength": 1, "maxLength": 255}},
    "CorrelationId": {"name": "X-Correlation-Id", "in": "header",
      "description": "Follows the work through logs, events and the audit trail; made up when absent.",
      "schema": {"type": "string", "maxLength": 128, "pattern": "^[A-Za-z0-9_.:-]+$"}},
    "LastEventId": {"name": "Last-Event-ID", "in": "header",
      "description": "The id of the last event seen; it wins over the query. Browsers send it by themselves.",
      "schema": {"type": "string", "pattern": "^[0-9]{0,19}$"}}
  },
  "headers": {
    "CorrelationId": {"description": "The request's correlation id.", "schema": {"type": "string"}},
    "RateLimitLimit": {"description": "Requests in a minute.", "schema": {"type": "integer"}},
    "RateLimitRemaining": {"description": "Requests left now.", "schema": {"type": "integer"}},
    "RateLimitReset": {"description": "Seconds until all are back.", "schema": {"type": "integer"}},
    "RetryAfter": {"description": "Seconds after which another try makes sense.", "schema": {"type": "integer"}},
    "IdempotencyReplayed": {"description": "\"true\" when the answer is that of an earlier request with the same key.", "schema": {"type": "string", "enum": ["true"]}}
  }
}`
