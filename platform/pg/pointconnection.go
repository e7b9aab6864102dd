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
	// maxPrepared bounds the statements a connection keeps prepared, each in up to two forms; beyond it all are dropped
	// and made anew.
	maxPrepared = 128
	// flushSlack is what a flush may take beyond one statement's timeout before the connection is given up.
	flushSlack = 3 * time.Second
)

// pointSettings hold for the session: to set them in each transaction costs as much as half a read. A plan made for the
// calls at hand would look cheaper each time than one for any, and be planned each time.
const pointSettings = `set default_transaction_read_only = on; set plan_cache_mode = force_generic_plan`

// pointConnection sends point reads in pipelines. It belongs to one goroutine.
type pointConnection struct {
	session  *pgx.Conn
	timeout  time.Duration
	scope    *preparedStatement
	prepared map[string]*preparedStatement
	made     int
	builder  pgx.ExtendedQueryBuilder
	arrays   argumentArrays
}

// finisher hands a request its outcome.
type finisher func(*pointRequest, pointResult, error)

type preparedStatement struct {
	description *pgconn.StatementDescription
	formats     []int16
	columns     []pgconn.FieldDescription
	// merged is its form for several requests; unmergeable says that there is none.
	merged      *mergedStatement
	unmergeable bool
}

func openPointConnection(ctx context.Context, config *pgxpool.Config, timeout time.Duration) (*pointConnection, error) {
	session, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return nil, err
	}
	opened := &pointConnection{session: session, timeout: timeout}
	if err = config.AfterConnect(ctx, session); err == nil {
		_, err = session.PgConn().Exec(ctx, pointSettings).ReadAll()
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
	made, err := c.describe(ctx, sql)
	if err == nil {
		c.prepared[sql] = made
	}
	return made, err
}

// describe prepares a statement under a name of its own.
func (c *pointConnection) describe(ctx context.Context, sql string) (*preparedStatement, error) {
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
	return made, nil
}

// pointCall is a statement to send: for one request or, merged, for several of the same text.
type pointCall struct {
	requests []*pointRequest
	prepared *preparedStatement
	merged   *mergedStatement
	// scoped is whether a scope was sent before it: a merged one brings its own.
	scoped bool
}

// flush sends the requests in one go, as one transaction with a snapshot and a scope for each, and finishes each with
// its answer. One's error ends the transaction: those behind it are returned as interrupted, to be sent again. What a
// lost connection leaves unanswered is returned too; the connection is closed then.
func (c *pointConnection) flush(requests []*pointRequest, finish finisher) (unanswered, interrupted []*pointRequest) {
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout+flushSlack)
	defer cancel()
	calls, unanswered := c.plan(ctx, requests, finish)
	if c.closed() {
		return unanswered, nil
	}
	pipeline := c.session.PgConn().StartPipeline(ctx)
	sent := c.send(pipeline, calls, finish)
	if err := pipeline.Sync(); err != nil {
		c.close()
		return requestsOf(sent), nil
	}
	for i, call := range sent {
		err, alive := receive(pipeline, call, finish)
		if !alive || isOutdated(err) {
			// When a migration has changed what it returns, a new connection prepares it anew.
			c.close()
			return requestsOf(sent[i:]), nil
		}
		if err != nil {
			interrupted = requestsOf(sent[i+1:])
			if call.merged == nil {
				finish(call.requests[0], pointResult{}, err)
				break
			}
			for _, request := range call.requests {
				request.alone = true
			}
			interrupted = append(interrupted, call.requests...)
			break
		}
	}
	if err := pipeline.Close(); err != nil {
		c.close()
	}
	return nil, interrupted
}

// plan makes a call for each statement and makes sure that it is prepared here. A statement that cannot be is its
// requests' error; without a connection the rest comes back.
func (c *pointConnection) plan(ctx context.Context, requests []*pointRequest, finish finisher) (calls []pointCall, unanswered []*pointRequest) {
	// All at once and before the first: later would take away the statements of the requests before.
	if len(c.prepared)+len(requests) > maxPrepared {
		if _, err := c.session.PgConn().Exec(ctx, "deallocate all").ReadAll(); err != nil || c.reset(ctx) != nil {
			c.close()
			return nil, requests
		}
	}
	for i, request := range requests {
		prepared, err := c.prepare(ctx, request.statement.sql)
		switch {
		case err == nil:
			calls = place(calls, request, prepared)
		case c.closed():
			return nil, append(requestsOf(calls), requests[i:]...)
		default:
			finish(request, pointResult{}, err)
		}
	}
	for i := range calls {
		if call := &calls[i]; len(call.requests) > 1 {
			call.merged = c.prepareMerged(ctx, call.requests[0].statement.sql, call.prepared)
		}
		if c.closed() {
			return nil, requestsOf(calls)
		}
	}
	return calls, nil
}

// place puts a request to the others of its statement.
func place(calls []pointCall, request *pointRequest, prepared *preparedStatement) []pointCall {
	if !request.alone {
		for i := range calls {
			if calls[i].prepared == prepared && !calls[i].requests[0].alone {
				calls[i].requests = append(calls[i].requests, request)
				return calls
			}
		}
	}
	return append(calls, pointCall{requests: []*pointRequest{request}, prepared: prepared})
}

// send writes each call, and returns those written. A request whose arguments do not fit its statement is finished.
func (c *pointConnection) send(pipeline *pgconn.Pipeline, calls []pointCall, finish finisher) []pointCall {
	sent := make([]pointCall, 0, len(calls))
	for _, call := range calls {
		alone := call.requests
		if call.merged != nil {
			merged, rest := c.sendMerged(pipeline, call, finish)
			if alone = rest; len(merged.requests) > 0 {
				sent = append(sent, merged)
			}
		}
		for _, request := range alone {
			if err := c.build(call.prepared, request); err != nil {
				finish(request, pointResult{}, err)
				continue
			}
			single := pointCall{requests: []*pointRequest{request}, prepared: call.prepared}
			if single.scoped = !c.inScope(sent, request); single.scoped {
				pipeline.SendQueryStatement(c.scope.description,
					[][]byte{[]byte(request.scope.OrganizationID.String()), []byte(request.scope.UserID.String())}, nil, c.scope.formats)
			}
			pipeline.SendQueryStatement(call.prepared.description, c.builder.ParamValues, c.builder.ParamFormats, call.prepared.formats)
			sent = append(sent, single)
		}
	}
	return sent
}

// inScope reports whether the last call left the scope that a request needs.
func (c *pointConnection) inScope(sent []pointCall, request *pointRequest) bool {
	if len(sent) == 0 {
		return false
	}
	last := sent[len(sent)-1]
	return last.merged == nil && last.requests[0].scope == request.scope
}

// sendMerged writes one statement for all requests of a call. Those it cannot carry come back.
func (c *pointConnection) sendMerged(pipeline *pgconn.Pipeline, call pointCall, finish finisher) (sent pointCall, rest []*pointRequest) {
	sent = pointCall{prepared: call.prepared, merged: call.merged, requests: call.requests[:0:0]}
	c.arrays.reset(call.merged.parameters)
	for _, request := range call.requests {
		if err := c.build(call.prepared, request); err != nil {
			finish(request, pointResult{}, err)
			continue
		}
		if c.arrays.add(request.scope, &c.builder, call.merged.parameters) {
			sent.requests = append(sent.requests, request)
		} else {
			rest = append(rest, request)
		}
	}
	if len(sent.requests) > 0 {
		values, formats := c.arrays.finish(call.merged.parameters)
		pipeline.SendQueryStatement(call.merged.description, values, formats, call.merged.formats)
	}
	return sent, rest
}

// build encodes a request's arguments into the connection's builder.
func (c *pointConnection) build(prepared *preparedStatement, request *pointRequest) error {
	if err := c.builder.Build(c.session.TypeMap(), prepared.description, request.statement.arguments); err != nil {
		return fmt.Errorf("encode the arguments: %w", err)
	}
	return nil
}

func requestsOf(calls []pointCall) []*pointRequest {
	var requests []*pointRequest
	for _, call := range calls {
		requests = append(requests, call.requests...)
	}
	return requests
}

// isOutdated reports that the statement was prepared against columns that have changed since. PostgreSQL has no code
// for it alone; where messages are not in English the read fails instead, until the connection is renewed.
func isOutdated(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && server.Code == "0A000" && strings.Contains(server.Message, "cached plan")
}
