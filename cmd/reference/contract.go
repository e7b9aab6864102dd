package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	optionsv1 "github.com/braidhq/braid/gen/go/braid/options/v1"
	"github.com/braidhq/braid/platform/rpc"
)

// contract is what the generated code knows of the contract, with the comments that only its sources have.
type contract struct {
	// methods are sorted by procedure.
	methods []*rpc.Method
	// sources are the same descriptors with comments; nil for none.
	sources *protoregistry.Files
}

// loadContract reads the comments from a file descriptor set, as buf build writes it.
func loadContract(path string) (*contract, error) {
	encoded, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read descriptors: %w", err)
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(encoded, set); err != nil {
		return nil, fmt.Errorf("read descriptors in %s: %w", path, err)
	}
	sources, err := protodesc.NewFiles(set)
	if err != nil {
		return nil, fmt.Errorf("link descriptors: %w", err)
	}
	catalog, err := rpc.Catalog()
	if err != nil {
		return nil, err
	}
	loaded := &contract{sources: sources}
	for _, method := range catalog {
		loaded.methods = append(loaded.methods, method)
	}
	slices.SortFunc(loaded.methods, func(a, b *rpc.Method) int { return cmp.Compare(a.Procedure, b.Procedure) })
	return loaded, nil
}

// publicMethods are those with a path for REST, by path and method.
func (c *contract) publicMethods() []*rpc.Method {
	var public []*rpc.Method
	for _, method := range c.methods {
		if method.Rule != rpc.Internal && method.Path != "" {
			public = append(public, method)
		}
	}
	slices.SortFunc(public, func(a, b *rpc.Method) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.HTTPMethod, b.HTTPMethod))
	})
	return public
}

// comment returns what the source says above a declaration, as one paragraph.
func (c *contract) comment(described protoreflect.Descriptor) string {
	if c.sources == nil {
		return ""
	}
	found, err := c.sources.FindDescriptorByName(described.FullName())
	if err != nil {
		return ""
	}
	location := found.ParentFile().SourceLocations().ByDescriptor(found)
	return strings.Join(strings.Fields(location.LeadingComments), " ")
}

// sentence is the comment without the name it begins with: "GetTask returns one task." becomes "Returns one task.".
func (c *contract) sentence(described protoreflect.Descriptor) string {
	text := c.comment(described)
	rest, named := strings.CutPrefix(text, string(described.Name())+" ")
	if !named {
		rest, named = strings.CutPrefix(text, string(described.Name())+": ")
	}
	if !named {
		return text
	}
	for _, verb := range []string{"is ", "are "} {
		// Of a thing the comment says what it is, and the thing is named beside it already.
		rest = strings.TrimPrefix(rest, verb)
	}
	first, size := utf8.DecodeRuneInString(rest)
	return string(unicode.ToUpper(first)) + rest[size:]
}

// files are the files of the contract, by path.
func (c *contract) files() []protoreflect.FileDescriptor {
	var files []protoreflect.FileDescriptor
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if strings.HasPrefix(string(file.Package()), "braid.") {
			files = append(files, file)
		}
		return true
	})
	slices.SortFunc(files, func(a, b protoreflect.FileDescriptor) int { return cmp.Compare(a.Path(), b.Path()) })
	return files
}

// reason is one error reason of the contract.
type reason struct {
	name    string
	service string
	status  string
	meaning string
}

// reasons lists the error reasons, those of the platform first, in the order of the contract. It fails for one without a status.
func (c *contract) reasons() ([]reason, error) {
	var found []reason
	for _, file := range c.files() {
		enum := file.Enums().ByName("ErrorReason")
		if enum == nil {
			continue
		}
		for i := range enum.Values().Len() {
			value := enum.Values().Get(i)
			if value.Number() == 0 {
				continue
			}
			described, _ := proto.GetExtension(value.Options(), optionsv1.E_Reason).(*optionsv1.Reason)
			if described.GetStatus() == "" {
				return nil, fmt.Errorf("%s has no status", value.FullName())
			}
			found = append(found, reason{
				name: string(value.Name()), service: rpc.ServiceName(file),
				status: described.GetStatus(), meaning: c.comment(value),
			})
		}
	}
	slices.SortStableFunc(found, func(a, b reason) int {
		return cmp.Or(-cmp.Compare(rank(a.service), rank(b.service)), cmp.Compare(a.service, b.service))
	})
	return found, nil
}

func rank(service string) int {
	if service == "platform" {
		return 1
	}
	return 0
}

// sensitive reports whether a field is marked so.
func sensitive(field protoreflect.FieldDescriptor) bool {
	marked, _ := proto.GetExtension(field.Options(), optionsv1.E_Sensitive).(bool)
	return marked
}
