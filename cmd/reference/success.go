package main

import (
	"net/http"

	"github.com/braidhq/braid/platform/rpc"
)

// success describes the answer.
func (o *operations) success(method *rpc.Method) (*object, error) {
	headers := newObject(rpc.CorrelationHeader, newObject("$ref", "#/components/headers/CorrelationId"))
	addRateHeaders(headers)
	if method.Idempotent {
		headers.set(rpc.ReplayedHeader, newObject("$ref", "#/components/headers/IdempotencyReplayed"))
	}
	success := newObject("description", http.StatusText(http.StatusOK), "headers", headers)
	output := method.Descriptor.Output()
	if method.Stream && !isFile(method) {
		content, err := o.streamContent(output)
		return success.set("content", content), err
	}
	if isFile(method) {
		// OpenAPI 3.1 describes a file by having nothing to say of it. One that comes piece by piece is never asked for again.
		if method.Stream {
			return success.set("content", newObject("*/*", newObject())), nil
		}
		headers.set("ETag", newObject("description", "Names the file's bytes, for If-None-Match.", "schema", newObject("type", "string")))
		return success.set("content", newObject("*/*", newObject())), nil
	}
	reference, err := o.schemas.reference(string(output.FullName()))
	if err != nil {
		return nil, err
	}
	message, err := exampleOf(output)
	if err != nil {
		return nil, err
	}
	example, err := exampleJSON(message, true)
	if err != nil {
		return nil, err
	}
	return success.set("content", newObject("application/json", newObject("schema", reference, "example", example))), nil
}

func addRateHeaders(headers *object) {
	for _, name := range []string{"Limit", "Remaining", "Reset"} {
		headers.set("RateLimit-"+name, newObject("$ref", "#/components/headers/RateLimit"+name))
	}
}
