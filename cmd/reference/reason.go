package main

import (
	"github.com/braidhq/braid/platform/rpc"
)

// errorSchema describes the one error body.
func errorSchema() (any, error) {
	return readJSON([]byte(errorSchemaJSON))
}

// impersonationReasons are what an operator hears who acts in somebody's name.
func impersonationReasons(method *rpc.Method) []string {
	switch {
	case method.Service == "identity" || method.StepUp.MaxAge > 0:
		return []string{"IMPERSONATION_FORBIDS"}
	case !method.ReadOnly:
		return []string{"IMPERSONATION_READ_ONLY"}
	default:
		return nil
	}
}
