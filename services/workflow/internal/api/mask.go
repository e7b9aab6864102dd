package api

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/braidhq/braid/platform/errs"
)

// readMask returns which fields of resource the caller wants changed: the mask's, or without one those that are present.
// Fields that are only shown are passed over, as callers send back what they read; what the resource does not have is
// refused.
func readMask(mask *fieldmaskpb.FieldMask, resource proto.Message, changeable, shown []string) (map[string]bool, error) {
	paths := mask.GetPaths()
	if len(paths) == 0 {
		resource.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
			paths = append(paths, string(field.Name()))
			return true
		})
	}
	wanted := make(map[string]bool, len(paths))
	for _, path := range paths {
		switch {
		case slices.Contains(changeable, path):
			wanted[path] = true
		case !slices.Contains(shown, path):
			return nil, errs.Invalid("updateMask", "field_mask.unknown_path",
				"holds a path that can't be changed; the paths are "+strings.Join(changeable, ", "))
		}
	}
	return wanted, nil
}
