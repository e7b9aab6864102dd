package pg

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// maxPrepared bounds the statements a connection keeps prepared; beyond it all are dropped and made anew.
	maxPrepared = 256
	// flushSlack is what a flush may take beyond one statement's timeout before the connection is given up.
	flushSlack = 3 * time.Second
)

// pointConnection sends point reads in pipelines. It belongs to one goroutine.
type pointConnection struct {
	session  *pgx.Conn
	timeout  time.Duration
	scope    *preparedStatement
	prepared map[string]*preparedStatement
	made     int
	builder  pgx.ExtendedQueryBuilder
}

type preparedStatement struct {
	description *pgconn.StatementDescription
	formats     []int16
	columns     []pgconn.FieldDescription
}

func openPointConnection(ctx context.Context, config *pgxpool.Config, timeout time.Duration) (*pointConnection, error) {
	session, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return nil, err
	}
	opened := &pointConnection{session: session, timeout: timeout}
	if err = config.AfterConnect(ctx, session); err == nil {
		// For the session, because setting it in each transaction costs as much as half a read.
		_, err = session.Exec(ctx, `set default_transaction_read_only = on`)
	}
	if err == nil {
		err = opened.reset(ctx)
	}
	if err != nil {
		opened.close()
		return nil, err
	}
	return opened, nil
}

func (c *pointConnection) closed() bool { return c.session.IsClosed() }

func (c *pointConnection) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.session.Close(ctx)
}

// reset prepares the statement that sets the scope, and only it.
func (c *pointConnection) reset(ctx context.Context) (err error) {
	c.prepared = map[string]*preparedStatement{}
	c.scope, err = c.prepare(ctx, setPointScope)
	return err
}

// prepare returns a statement prepared on this connection.
func (c *pointConnection) prepare(ctx context.Context, sql string) (*preparedStatement, error) {
	if known, ok := c.prepared[sql]; ok {
		return known, nil
	}
	c.made++
	description, err := c.session.PgConn().Prepare(ctx, "point_"+strconv.Itoa(c.made), sql, nil)
	if err != nil {
		return nil, err
	}
	made := &preparedStatement{description: description}
	for _, column := range description.Fields {
		column.Format = c.session.TypeMap().FormatCodeForOID(column.DataTypeOID)
		made.formats = append(made.formats, column.Format)
		made.columns = append(made.columns, column)
	}
	c.prepared[sql] = made
	return made, nil
}

// sentRequest is a request that is on its way, with the statement its answer is read by.
type sentRequest struct {
	*pointRequest
	prepared *preparedStatement
	// scoped is whether its scope was sent: not again behind a neighbor of the same.
	scoped bool
}

// flush sends the requests in one go, as one transaction with a snapshot and a scope for each, and finishes each with
// its answer. One's error ends the transaction: those behind it are returned as interrupted, to be sent again. What a
// lost connection leaves unanswered is returned too; the connection is closed then.
func (c *pointConnection) flush(requests []*pointRequest, finish func(*pointRequest, pointResult, error)) (unanswered, interrupted []*pointRequest) {
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout+flushSlack)
	defer cancel()
	ready, unanswered := c.prepareAll(ctx, requests, finish)
	if c.closed() {
		return unanswered, nil
	}
	pipeline := c.session.PgConn().StartPipeline(ctx)
	sent := c.send(pipeline, ready, finish)
	if err := pipeline.Sync(); err != nil {
		c.close()
		return unwrap(sent), nil
	}
	for i, request := range sent {
		result, err, alive := receive(pipeline, request)
		if !alive {
			c.close()
			return unwrap(sent[i:]), nil
		}
		if isOutdated(err) {
			// A migration changed what it returns: a new connection prepares it anew.
			c.close()
			return unwrap(sent[i:]), nil
		}
		finish(request.pointRequest, result, err)
		if err != nil && !errors.Is(err, errPointTooLarge) {
			interrupted = unwrap(sent[i+1:])
			break
		}
	}
	if err := pipeline.Close(); err != nil {
		c.close()
	}
	return nil, interrupted
}

// prepareAll makes sure that each request's statement is prepared here. A statement that cannot be is its own
// request's error; without a connection the rest comes back.
func (c *pointConnection) prepareAll(ctx context.Context, requests []*pointRequest,
	finish func(*pointRequest, pointResult, error),
) (ready []sentRequest, unanswered []*pointRequest) {
	// All at once and before the first: later would take away the statements of the requests before.
	if len(c.prepared)+len(requests) > maxPrepared {
		if _, err := c.session.PgConn().Exec(ctx, "deallocate all").ReadAll(); err != nil || c.reset(ctx) != nil {
			c.close()
			return nil, requests
		}
	}
	for i, request := range requests {
		prepared, err := c.prepare(ctx, request.statement.sql)
		if err == nil {
			ready = append(ready, sentRequest{pointRequest: request, prepared: prepared})
			continue
		}
		if c.closed() {
			return nil, append(unwrap(ready), requests[i:]...)
		}
		finish(request, pointResult{}, err)
	}
	return ready, nil
}

// send writes each request as scope and statement, and returns those written. One whose arguments do not fit its
// statement is not.
func (c *pointConnection) send(pipeline *pgconn.Pipeline, requests []sentRequest,
	finish func(*pointRequest, pointResult, error),
) []sentRequest {
	sent := make([]sentRequest, 0, len(requests))
	for _, request := range requests {
		if err := c.builder.Build(c.session.TypeMap(), request.prepared.description, request.statement.arguments); err != nil {
			finish(request.pointRequest, pointResult{}, fmt.Errorf("encode the arguments: %w", err))
			continue
		}
		if request.scoped = len(sent) == 0 || sent[len(sent)-1].scope != request.scope; request.scoped {
			pipeline.SendQueryStatement(c.scope.description,
				[][]byte{[]byte(request.scope.OrganizationID.String()), []byte(request.scope.UserID.String())}, nil, c.scope.formats)
		}
		pipeline.SendQueryStatement(request.prepared.description, c.builder.ParamValues, c.builder.ParamFormats, request.prepared.formats)
		sent = append(sent, request)
	}
	return sent
}

// receive reads one request's answers. alive is false when the connection was lost before that: the request has no
// answer then, whatever came.
func receive(pipeline *pgconn.Pipeline, request sentRequest) (result pointResult, err error, alive bool) {
	if request.scoped {
		if _, err, alive = receiveOne(pipeline, nil); err != nil || !alive {
			return pointResult{}, err, alive
		}
	}
	return receiveOne(pipeline, request.prepared)
}

// receiveOne reads the answer to one statement; without prepared it is of no interest.
func receiveOne(pipeline *pgconn.Pipeline, prepared *preparedStatement) (result pointResult, err error, alive bool) {
	part, err := pipeline.GetResults()
	reader, ok := part.(*pgconn.ResultReader)
	switch {
	case err == nil && !ok:
		return pointResult{}, nil, false
	case err == nil && prepared == nil:
		_, err = reader.Close()
	case err == nil:
		result, err = copyResult(reader, prepared)
	}
	var server *pgconn.PgError
	if err != nil && !errors.Is(err, errPointTooLarge) && !errors.As(err, &server) {
		return pointResult{}, nil, false
	}
	return result, err, true
}

// copyResult takes a result off the connection.
func copyResult(reader *pgconn.ResultReader, prepared *preparedStatement) (pointResult, error) {
	var copied resultCopy
	for reader.NextRow() {
		// The rest of what is too large is read and dropped: the pipeline goes on behind it.
		_ = copied.add(reader.Values())
	}
	tag, err := reader.Close()
	copied.columns, copied.tag = prepared.columns, tag
	if err == nil && copied.size > maxPointBytes {
		return pointResult{}, errPointTooLarge
	}
	return copied.pointResult, err
}

// isOutdated reports that the statement was prepared against columns that have changed since. PostgreSQL has no code
// for it alone; where messages are not in English the read fails instead, until the connection is renewed.
func isOutdated(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && server.Code == "0A000" && strings.Contains(server.Message, "cached plan")
}

func unwrap(sent []sentRequest) []*pointRequest {
	requests := make([]*pointRequest, len(sent))
	for i, request := range sent {
		requests[i] = request.pointRequest
	}
	return requests
}
