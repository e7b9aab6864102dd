package rpc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"connectrpc.com/connect"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// MaxBody is the largest request body in bytes, over every protocol.
const MaxBody = 1 << 20

// Server is one service with all its protocols behind one http.Handler.
type Server struct {
	chain   *Chain
	connect *http.ServeMux
	router  *Router
	// rest are the handlers of the methods that have a REST path, by procedure.
	rest map[string]restHandler
}

// EndStreams ends every stream, so that clients go elsewhere while the process drains; they resume by their last id.
func (s *Server) EndStreams() { s.chain.endStreams() }

// NewServer returns a server without methods; the generated Mount functions add them.
func NewServer(chain *Chain) *Server {
	return &Server{chain: chain, connect: http.NewServeMux(), router: newRouter(), rest: map[string]restHandler{}}
}

// HandleConnect adds a generated Connect handler, which speaks Connect, gRPC and gRPC-Web.
func (s *Server) HandleConnect(path string, handler http.Handler) { s.connect.Handle(path, handler) }

// ConnectOptions are the options of every generated Connect handler.
func (s *Server) ConnectOptions() []connect.HandlerOption { return connectOptions }

// Methods reads the rules of a service's RPCs, by name. It fails, naming them all, when any has none, and when two share
// a path.
func (s *Server) Methods(service protoreflect.ServiceDescriptor) (map[string]*Method, error) {
	methods := map[string]*Method{}
	var problems []error
	for i := range service.Methods().Len() {
		method, err := MethodOf(service.Methods().Get(i))
		if err == nil {
			err = s.router.add(method)
		}
		if err != nil {
			problems = append(problems, err)
			continue
		}
		methods[string(method.Descriptor.Name())] = method
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("mount %s: %w", service.FullName(), errors.Join(problems...))
	}
	return methods, nil
}

// Unary puts handler behind the chain of the server and the chain behind the method's REST path. What it returns is for
// Connect, which has read the headers into the context.
func Unary[Request, Response any](server *Server, method *Method, handler func(context.Context, *Request) (*Response, error)) func(context.Context, *Request) (*Response, error) {
	chained := func(ctx context.Context, in *inbound, request *Request) (response *Response, err error) {
		err = server.chain.run(ctx, method, in, any(request).(proto.Message), func(ctx context.Context) (err error) {
			response, err = handler(ctx, request)
			return err
		})
		if err != nil {
			return nil, err
		}
		return response, nil
	}
	server.rest[method.Procedure] = func(ctx context.Context, w http.ResponseWriter, r *restRequest) {
		request := new(Request)
		if err := r.decode(any(request).(proto.Message).ProtoReflect()); err != nil {
			r.fail(w, err)
			return
		}
		response, err := chained(ctx, r.inbound, request)
		if err != nil {
			r.fail(w, err)
			return
		}
		r.answer(w, any(response).(proto.Message))
	}
	return func(ctx context.Context, request *Request) (*Response, error) {
		return chained(ctx, inboundFrom(ctx), request)
	}
}

// Stream puts a server-streaming handler behind the chain, which has no deadline then, and behind the method's REST path
// as server-sent events, or as a file when it answers with pieces of one.
func Stream[Request, Response any](server *Server, method *Method, handler func(context.Context, *Request, func(*Response) error) error) func(context.Context, *Request, func(*Response) error) error {
	chained := func(ctx context.Context, in *inbound, request *Request, send func(*Response) error) error {
		return server.chain.run(ctx, method, in, any(request).(proto.Message), func(ctx context.Context) error {
			return handler(ctx, request, send)
		})
	}
	server.rest[method.Procedure] = func(ctx context.Context, w http.ResponseWriter, r *restRequest) {
		request := new(Request)
		if err := r.decodeStream(any(request).(proto.Message).ProtoReflect()); err != nil {
			r.fail(w, err)
			return
		}
		if _, file := any(new(Response)).(*httpbody.HttpBody); file {
			r.streamFile(w, func(send func(*httpbody.HttpBody) error) error {
				return chained(ctx, r.inbound, request, func(response *Response) error { return send(any(response).(*httpbody.HttpBody)) })
			})
			return
		}
		events := newEventWriter(w)
		err := chained(ctx, r.inbound, request, func(response *Response) error {
			return events.send(any(response).(proto.Message).ProtoReflect())
		})
		events.finish(r, err)
	}
	return func(ctx context.Context, request *Request, send func(*Response) error) error {
		return chained(ctx, inboundFrom(ctx), request, send)
	}
}

// Procedures lists what is mounted, sorted.
func (s *Server) Procedures() []*Method {
	procedures := s.router.procedures
	methods := make([]*Method, 0, len(procedures))
	for _, procedure := range slices.Sorted(maps.Keys(procedures)) {
		methods = append(methods, procedures[procedure])
	}
	return methods
}

// ServeHTTP tells RPC paths from REST paths; everything about the request itself is the chain's.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in, err := receive(w, r)
	if err != nil {
		Refuse(w, r, failureOf(err, in.correlationID))
		return
	}
	ctx := r.Context()
	if r.Header["Traceparent"] != nil {
		ctx = otel.GetTextMapPropagator().Extract(ctx, propagation.HeaderCarrier(r.Header))
	}
	if isProcedure(r) {
		s.serveRPC(ctx, w, r, in)
		return
	}
	s.serveREST(ctx, w, r, in)
}
