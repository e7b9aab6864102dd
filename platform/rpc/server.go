package rpc

import (
	"errors"
	"fmt"
	"net/http"
	"sort"
	"strings"

	"connectrpc.com/connect"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// MaxBody is the largest request body in bytes, over every protocol.
const MaxBody = 1 << 20

// Server is one service with all its protocols behind one http.Handler.
type Server struct {
	chain   *Chain
	connect *http.ServeMux
	rest    *runtime.ServeMux
	methods map[string]*Method
}

// EndStreams ends every stream, so that clients go elsewhere while the process drains; they resume by their last id.
func (s *Server) EndStreams() { s.chain.endStreams() }

// NewServer returns a server without methods; the generated Mount functions add them.
func NewServer(chain *Chain) *Server {
	server := &Server{chain: chain, connect: http.NewServeMux(), methods: map[string]*Method{}}
	server.rest = newREST(server)
	return server
}

// Chain is what every handler is wrapped in.
func (s *Server) Chain() *Chain { return s.chain }

// REST is the mux that grpc-gateway's generated code registers its routes on.
func (s *Server) REST() *runtime.ServeMux { return s.rest }

// HandleConnect adds a generated Connect handler, which speaks Connect, gRPC and gRPC-Web.
func (s *Server) HandleConnect(path string, handler http.Handler) { s.connect.Handle(path, handler) }

// ConnectOptions are the options of every generated Connect handler.
func (s *Server) ConnectOptions() []connect.HandlerOption {
	return []connect.HandlerOption{
		connect.WithCodec(strictCodec{name: "json"}),
		connect.WithCodec(strictCodec{name: "json; charset=utf-8"}),
		connect.WithReadMaxBytes(MaxBody),
		connect.WithSendMaxBytes(16 * MaxBody),
	}
}

// Methods reads the rules of a service's RPCs, by name. It fails, naming them all, when any has none.
func (s *Server) Methods(service protoreflect.ServiceDescriptor) (map[string]*Method, error) {
	methods := map[string]*Method{}
	var problems []error
	for i := range service.Methods().Len() {
		method, err := MethodOf(service.Methods().Get(i))
		if err != nil {
			problems = append(problems, err)
			continue
		}
		methods[string(method.Descriptor.Name())] = method
		s.methods[method.Procedure] = method
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("mount %s: %w", service.FullName(), errors.Join(problems...))
	}
	return methods, nil
}

// Procedures lists what is mounted, sorted.
func (s *Server) Procedures() []*Method {
	methods := make([]*Method, 0, len(s.methods))
	for _, method := range s.methods {
		methods = append(methods, method)
	}
	sort.Slice(methods, func(i, j int) bool { return methods[i].Procedure < methods[j].Procedure })
	return methods
}

// ServeHTTP tells RPC paths from REST paths; everything about the request itself is the chain's.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in, r := receive(w, r)
	if strings.HasPrefix(r.URL.Path, "/braid.") {
		s.connect.ServeHTTP(w, r)
		return
	}
	s.serveREST(w, r, in)
}
