package rpctest

import (
	"context"

	"google.golang.org/grpc"
)

// InvokeGRPC calls a unary procedure such as "/braid.workflow.v1.TaskService/GetTask" with the gRPC client of others:
// Braid's own code speaks gRPC by Connect only.
func InvokeGRPC[Response, Request any](ctx context.Context, connection *grpc.ClientConn, procedure string, request *Request) (*Response, error) {
	response := new(Response)
	if err := connection.Invoke(ctx, procedure, request, response); err != nil {
		return nil, err
	}
	return response, nil
}

// StreamGRPC opens a server stream likewise.
func StreamGRPC[Response, Request any](ctx context.Context, connection *grpc.ClientConn, procedure string, request *Request) (grpc.ServerStreamingClient[Response], error) {
	opened, err := connection.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, procedure)
	if err != nil {
		return nil, err
	}
	stream := &grpc.GenericClientStream[Request, Response]{ClientStream: opened}
	if err := stream.SendMsg(request); err != nil {
		return nil, err
	}
	return stream, stream.CloseSend()
}
