package rpc

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/braidhq/braid/platform/errs"
)

// Every RPC of the contract takes one message. How it is wrapped (a frame with its length, gzip, base64 in a query) is
// undone here, for every protocol alike, so that what is wrong with the wrapping is said in our words and with details.

const (
	connectVersionHeader = "Connect-Protocol-Version"
	// frameLength is that of the flags and the message's length in front of a message.
	frameLength = 5
	// framePacked is the only flag that a request's frame may have.
	framePacked = 1
	// gzipEncoding is the one way that messages may be packed.
	gzipEncoding = "gzip"
)

// wire is how a protocol carries a message.
type wire struct {
	// unary is whether the protocol has calls with one answer; one that frames its messages has streams.
	unary, framed bool
	// encoding is the header that says how the message is packed, accepted the one of an answer that says how it may be.
	encoding, accepted string
}

var (
	unaryWire  = wire{unary: true, encoding: "Content-Encoding", accepted: "Accept-Encoding"}
	streamWire = wire{framed: true, encoding: "Connect-Content-Encoding", accepted: "Connect-Accept-Encoding"}
	grpcWire   = wire{unary: true, framed: true, encoding: "Grpc-Encoding", accepted: "Grpc-Accept-Encoding"}
)

// wires are the media types that requests may have.
var wires = map[string]wire{
	"application/json": unaryWire, "application/proto": unaryWire,
	"application/connect+json": streamWire, "application/connect+proto": streamWire,
	"application/grpc": grpcWire, "application/grpc+json": grpcWire, "application/grpc+proto": grpcWire,
	"application/grpc-web": grpcWire, "application/grpc-web+json": grpcWire, "application/grpc-web+proto": grpcWire,
}

func (w wire) fits(method *Method) bool {
	if method.Stream {
		return w.framed
	}
	return w.unary
}

var (
	errWireType = errMediaType.WithMessage("Send JSON or protobuf in Connect, gRPC or gRPC-Web, and for a stream in frames.")
	errEncoding = errMediaType.WithMessage("Send the message as it is or packed with gzip.")
)

// message is a request's message without its wrapping.
type message struct {
	wire
	mediaType string
	content   []byte
}

// mediaType returns a content type without parameters, empty for a charset that is not UTF-8.
func mediaType(contentType string) string {
	base, parameters, err := mime.ParseMediaType(contentType)
	if charset, named := parameters["charset"]; err != nil || (named && !strings.EqualFold(charset, "utf-8")) {
		return ""
	}
	return base
}

// readPosted reads the message from a body.
func readPosted(w http.ResponseWriter, r *http.Request, method *Method) (*message, error) {
	if err := checkSingle(r.Header, contentTypeHeader, connectVersionHeader); err != nil {
		return nil, err
	}
	read := &message{mediaType: r.Header.Get(contentTypeHeader)}
	if _, ok := wires[read.mediaType]; !ok {
		read.mediaType = mediaType(read.mediaType)
	}
	if read.wire = wires[read.mediaType]; !read.fits(method) {
		return nil, errWireType
	}
	if version := r.Header.Get(connectVersionHeader); version != "" && version != "1" {
		return nil, errs.Invalid(connectVersionHeader, "protocol.version", "must be 1")
	}
	encoding := strings.Join(r.Header[read.encoding], ",")
	if !knownEncoding(encoding) {
		w.Header().Set(read.accepted, gzipEncoding)
		return nil, errEncoding
	}
	body, err := readWhole(w, r)
	if err != nil {
		return nil, err
	}
	if read.framed {
		if body, encoding, err = unframe(body, encoding); err != nil {
			return nil, err
		}
	}
	read.content, err = unpack(body, encoding)
	return read, err
}

// readWhole reads a body that may be missing.
func readWhole(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	body, err := ReadBody(w, r)
	if err != nil && !errors.Is(err, ErrBodyTooLarge) {
		return nil, errBodyCut.WithCause(err)
	}
	return body, err
}

// queryNames are the parameters of a Connect request that is a GET.
var queryNames = []string{"connect", "encoding", "message", "base64", "compression"}

// readQueried reads the message from the query of a GET.
func readQueried(w http.ResponseWriter, r *http.Request, _ *Method) (*message, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalid(queryMalformed).WithCause(err)
	}
	for _, name := range queryNames {
		if len(values[name]) > 1 {
			return nil, errs.Invalid(name, "query.repeated", "may be given once")
		}
	}
	read := &message{mediaType: "application/" + values.Get("encoding")}
	if read.wire = wires[read.mediaType]; read.wire != unaryWire {
		return nil, errWireType
	}
	if !knownEncoding(values.Get("compression")) {
		return nil, errEncoding
	}
	if version := values.Get("connect"); version != "" && version != "v1" {
		return nil, errs.Invalid("connect", "protocol.version", "must be v1")
	}
	if !values.Has("message") {
		return nil, errs.Invalid("message", "query.required", "must be given")
	}
	if body, err := readWhole(w, r); err != nil {
		return nil, err
	} else if len(body) > 0 {
		return nil, invalid(bodyNone)
	}
	content := []byte(values.Get("message"))
	if values.Get("base64") == "1" {
		if content, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(values.Get("message"), "=")); err != nil {
			return nil, errs.Invalid("message", "query.base64", "must be base64 of the form for URLs").WithCause(err)
		}
	}
	read.content, err = unpack(content, values.Get("compression"))
	return read, err
}

// post is the request with the message in its plainest form. The headers are changed in place: Connect does so too.
func (m *message) post(r *http.Request) *http.Request {
	plain := r.WithContext(r.Context())
	plain.Method = http.MethodPost
	plain.Header.Set(contentTypeHeader, m.mediaType)
	delete(plain.Header, m.encoding)
	var body io.Reader = bytes.NewReader(m.content)
	length := len(m.content)
	if m.framed {
		prefix := make([]byte, frameLength)
		binary.BigEndian.PutUint32(prefix[1:], uint32(length)) //nolint:gosec // At most MaxBody.
		body = io.MultiReader(bytes.NewReader(prefix), body)
		length += frameLength
	}
	plain.Body, plain.ContentLength, plain.TransferEncoding = io.NopCloser(body), int64(length), nil
	return plain
}

// malformedFrame says what is wrong with the wrapping of a message.
func malformedFrame(text string) *errs.Error {
	return invalid(errs.Violation{Rule: "request.frame", Message: text})
}

// unframe takes a body apart that must be one frame. The encoding counts only for a message that is marked as packed.
func unframe(body []byte, encoding string) (content []byte, used string, err error) {
	switch {
	case len(body) == 0:
		return nil, "", malformedFrame("one message is needed, and there is none")
	case len(body) < frameLength:
		return nil, "", malformedFrame("the frame is cut short")
	case body[0]&^framePacked != 0:
		return nil, "", malformedFrame("the frame has flags that a request may not have")
	}
	announced, there := int64(binary.BigEndian.Uint32(body[1:frameLength])), int64(len(body)-frameLength)
	switch {
	case announced > MaxBody:
		return nil, "", ErrBodyTooLarge
	case announced > there:
		return nil, "", malformedFrame("the frame is cut short")
	case announced < there:
		return nil, "", malformedFrame("one message is needed, and there is more")
	case body[0] == 0:
		return body[frameLength:], "", nil
	case isPlain(encoding):
		return nil, "", malformedFrame("the message is marked as packed, but nothing says how")
	default:
		return body[frameLength:], encoding, nil
	}
}

func knownEncoding(encoding string) bool {
	return isPlain(encoding) || strings.EqualFold(encoding, gzipEncoding)
}

// unpack undoes a known encoding. It ends one byte behind what a body may have: a little can unpack to a lot.
func unpack(content []byte, encoding string) ([]byte, error) {
	if isPlain(encoding) || len(content) == 0 {
		return content, nil
	}
	reader, err := gzip.NewReader(bytes.NewReader(content))
	var unpacked []byte
	if err == nil {
		unpacked, err = io.ReadAll(io.LimitReader(reader, MaxBody+1))
	}
	switch {
	case len(unpacked) > MaxBody:
		return nil, ErrBodyTooLarge
	case err != nil:
		return nil, invalid(errs.Violation{Rule: "request.encoding", Message: "is not packed as gzip"}).WithCause(err)
	default:
		return unpacked, nil
	}
}
