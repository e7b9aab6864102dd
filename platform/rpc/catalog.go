package rpc

import (
	"errors"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	// The contract of every service is linked into every process, whatever it serves: callers must know the rules.
	_ "github.com/braidhq/braid/gen/go/braid/audit/v1"
	_ "github.com/braidhq/braid/gen/go/braid/identity/v1"
	_ "github.com/braidhq/braid/gen/go/braid/notification/v1"
	_ "github.com/braidhq/braid/gen/go/braid/organization/v1"
	_ "github.com/braidhq/braid/gen/go/braid/platform/v1"
	_ "github.com/braidhq/braid/gen/go/braid/workflow/v1"
)

// Catalog reads every method of the contract, by procedure. It fails, naming them all, when any has no rule.
func Catalog() (map[string]*Method, error) {
	methods := map[string]*Method{}
	var problems []error
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if !strings.HasPrefix(string(file.Package()), "braid.") {
			return true
		}
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				method, err := MethodOf(service.Methods().Get(j))
				if err != nil {
					problems = append(problems, err)
					continue
				}
				methods[method.Procedure] = method
			}
		}
		return true
	})
	return methods, errors.Join(problems...)
}

// SystemRoles are the roles that hold a permission, the least first; each holds what the ones before it hold.
var SystemRoles = []string{"guest", "viewer", "member", "admin", "owner"}
