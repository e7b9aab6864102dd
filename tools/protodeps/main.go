// Command protodeps writes the .proto files that the contract imports from others (google/api, google/rpc,
// buf/validate) into a folder, printed from the descriptors of the Go packages the product links anyway. So their
// versions are pinned by go.sum, nothing is copied into the repository and nothing is downloaded for it.
package main

import (
	"fmt"
	"os"
	"strings"

	_ "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"github.com/jhump/protoreflect/v2/protoprint"
	_ "google.golang.org/genproto/googleapis/api/annotations"
	_ "google.golang.org/genproto/googleapis/api/httpbody"
	_ "google.golang.org/genproto/googleapis/rpc/errdetails"
	_ "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: protodeps <folder>")
		os.Exit(2)
	}
	if err := writeProtos(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "protodeps:", err)
		os.Exit(1)
	}
}

func writeProtos(folder string) error {
	var files []protoreflect.FileDescriptor
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for _, prefix := range []string{"google/api/", "google/rpc/", "buf/validate/"} {
			if strings.HasPrefix(file.Path(), prefix) {
				files = append(files, file)
			}
		}
		return true
	})
	return (&protoprint.Printer{}).PrintProtosToFileSystem(files, folder)
}
