package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// connection is one keep-alive HTTP/1.1 connection. It does just what a load generator needs, so that what is measured
// is the server: net/http's client would take more of the cores than some of what it measures.
type connection struct {
	net.Conn
	reader  *bufio.Reader
	request []byte
}

func dial(ctx context.Context, address string) (*connection, error) {
	opened, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &connection{Conn: opened, reader: bufio.NewReaderSize(opened, 16<<10), request: make([]byte, 0, 2048)}, nil
}

// exchange sends what is in request and reads the whole answer. body is filled only for an answer that is not 200, and
// for one that keep asks for.
func (c *connection) exchange(keep bool) (status int, body []byte, err error) {
	if _, err := c.Write(c.request); err != nil {
		return 0, nil, err
	}
	status, length, err := c.readHeader()
	if err != nil {
		return 0, nil, err
	}
	var into *bytes.Buffer
	if keep || status != http.StatusOK {
		into = &bytes.Buffer{}
	}
	if err := c.readBody(length, into); err != nil {
		return 0, nil, err
	}
	if into != nil {
		body = into.Bytes()
	}
	return status, body, nil
}

const chunked = -1

// readHeader reads the status line and the headers; length is chunked when the body says its length itself.
func (c *connection) readHeader() (status, length int, err error) {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	if len(line) < len("HTTP/1.1 200") {
		return 0, 0, fmt.Errorf("no status line: %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, 0, fmt.Errorf("no status line: %q", line)
	}
	for {
		if line, err = c.reader.ReadSlice('\n'); err != nil {
			return 0, 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return status, length, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, 0, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			length = chunked
		}
	}
}

func (c *connection) readBody(length int, into *bytes.Buffer) error {
	if length != chunked {
		return c.take(length, into)
	}
	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return err
		}
		if err := c.take(int(size), into); err != nil {
			return err
		}
		if _, err := c.reader.Discard(len("\r\n")); err != nil {
			return err
		}
		if size == 0 {
			return nil
		}
	}
}

func (c *connection) take(length int, into *bytes.Buffer) error {
	if into == nil {
		_, err := c.reader.Discard(length)
		return err
	}
	_, err := io.CopyN(into, c.reader, int64(length))
	return err
}

// once sends one request on a connection of its own and returns the body of the answer, which must be 200.
func once(ctx context.Context, address string, request []byte) ([]byte, error) {
	opened, err := dial(ctx, address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = opened.Close() }()
	_ = opened.SetDeadline(time.Now().Add(requestTimeout))
	opened.request = request
	status, body, err := opened.exchange(true)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return body, errors.New(strconv.Itoa(status) + ": " + string(body))
	}
	return body, nil
}

const requestTimeout = 20 * time.Second

// appendRequest writes a request. The admin port answers to loopback names only.
func appendRequest(dst []byte, method, path, token, body string) []byte {
	dst = append(append(append(append(dst, method...), ' '), path...), " HTTP/1.1\r\nHost: localhost\r\n"...)
	if token != "" {
		dst = append(append(append(dst, "Authorization: Bearer "...), token...), "\r\n"...)
	}
	if body != "" {
		dst = append(append(dst, "Content-Type: application/json\r\nContent-Length: "...), strconv.Itoa(len(body))...)
		dst = append(dst, "\r\n"...)
	}
	return append(append(dst, "\r\n"...), body...)
}
