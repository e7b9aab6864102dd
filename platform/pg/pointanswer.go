package pg

import (
	"encoding/binary"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

// receive reads the answers to a call and finishes its requests. An error from the server is returned instead, and
// nobody is finished. alive is false when the connection was lost before the end: nobody has an answer then,
// whatever came.
func receive(pipeline *pgconn.Pipeline, call pointCall, finish finisher) (err error, alive bool) {
	if call.scoped {
		if err, alive = skipResult(pipeline); err != nil || !alive {
			return err, alive
		}
	}
	reader, err := nextResult(pipeline)
	if err != nil {
		return fromServer(err)
	}
	// Not on the heap for the usual flush.
	var few [8]resultCopy
	answers := few[:min(len(call.requests), len(few))]
	if len(call.requests) > len(few) {
		answers = make([]resultCopy, len(call.requests))
	}
	if err = copyAnswers(reader, call, answers); err != nil {
		return fromServer(err)
	}
	for i, request := range call.requests {
		if answers[i].size > maxPointBytes {
			finish(request, pointResult{}, errPointTooLarge)
			continue
		}
		answers[i].columns = call.prepared.columns
		finish(request, answers[i].pointResult, nil)
	}
	return nil, true
}

// copyAnswers takes the rows off the connection, each to the request it answers. The rest of what is too large is read
// and dropped: the pipeline goes on behind it.
func copyAnswers(reader *pgconn.ResultReader, call pointCall, answers []resultCopy) error {
	for reader.NextRow() {
		values := reader.Values()
		if call.merged == nil {
			_ = answers[0].add(values)
			continue
		}
		if number := binary.BigEndian.Uint64(values[0]); number-1 < uint64(len(answers)) {
			_ = answers[number-1].add(values[1:])
		}
	}
	tag, err := reader.Close()
	if call.merged == nil {
		answers[0].tag = tag
	}
	return err
}

var errNoResult = errors.New("the pipeline has no result where one is due")

func nextResult(pipeline *pgconn.Pipeline) (*pgconn.ResultReader, error) {
	part, err := pipeline.GetResults()
	if err != nil {
		return nil, err
	}
	if reader, ok := part.(*pgconn.ResultReader); ok {
		return reader, nil
	}
	return nil, errNoResult
}

func skipResult(pipeline *pgconn.Pipeline) (err error, alive bool) {
	reader, err := nextResult(pipeline)
	if err == nil {
		_, err = reader.Close()
	}
	return fromServer(err)
}

// fromServer tells an error that the server has sent from the loss of the connection.
func fromServer(err error) (server error, alive bool) {
	var sent *pgconn.PgError
	if err == nil || errors.As(err, &sent) {
		return err, true
	}
	return nil, false
}
