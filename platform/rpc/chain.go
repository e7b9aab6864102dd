// Package rpc is the one way into a service. It owns the chain that every RPC passes, whatever its protocol, the
// adapters for REST, Connect, gRPC and server-sent events on top of it, and the clients that services call each other
// with. It knows no service: what an RPC needs it reads from the contract's options.
package rpc

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"buf.build/go/protovalidate"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/protobuf/proto"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

const (
	// defaultDeadline bounds a unary call whose caller brought no deadline of its own, and maxDeadline one who did.
	defaultDeadline   = 10 * time.Second
	maxDeadline       = 60 * time.Second
	defaultRetryAfter = time.Second
	// reasonLacking is that of a member who lacks the permission, unlike one who is suspended, say.
	reasonLacking = "PERMISSION_DENIED"
	maxKeyLength  = 255
)

// Authenticator turns a bearer token into an actor. It answers Unauthenticated for a token that is not good and
// Unavailable when it can't be sure.
type Authenticator interface {
	// AuthenticateUser verifies an access token and that its session is live.
	AuthenticateUser(ctx context.Context, token string) (call.Actor, error)
	// AuthenticateService verifies a service token made for this service.
	AuthenticateService(ctx context.Context, token string) (call.Actor, error)
}

// Authorizer answers what a user may do in an organization: nil, NotFound for one who is no member, PermissionDenied
// for a member without the permission, Unavailable when it can't be sure.
type Authorizer interface {
	// Authorize asks for the whole organization; the empty permission asks for membership.
	Authorize(ctx context.Context, organizationID, userID id.ID, permission string) error
	// AuthorizeResource asks for a resource. Where what is known of it does not decide, it returns what is left to be
	// decided; nil is nothing.
	AuthorizeResource(ctx context.Context, organizationID, userID id.ID, permission string, asked Asked) (call.Undecided, error)
}

// Asked is the resource that a permission is asked for, as far as the request names it.
type Asked struct {
	call.Resource
	// Complete is whether everything about it is known: it is about to be made. Otherwise its owner is not, and where they
	// are zero neither are its id (resources are listed) and its project.
	Complete bool
}

// Lifecycle answers whether an organization can be changed: nil, FailedPrecondition when it can only be read, Unavailable
// when it can't be sure. It is asked after the Authorizer has let a user in.
type Lifecycle interface {
	Changeable(ctx context.Context, organizationID, userID id.ID) error
}

// ChainConfig is what a chain is made of.
type ChainConfig struct {
	Authenticator Authenticator
	Authorizer    Authorizer
	// Lifecycle may be nil: every organization can be changed then.
	Lifecycle Lifecycle
	// Refusals may be nil.
	Refusals Refusals
	// Support records what operators do where a support grant has let them in; without it none is.
	Support SupportRecorder
	// HashKeyed hashes a request's body for the idempotency store, so that the store can't be searched for guesses.
	HashKeyed func(data []byte) []byte
	// Clock says how long ago a login was; nil is the system's.
	Clock      clock.Clock
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Chain is what every RPC passes on its way to its handler, the same for every service and protocol.
type Chain struct {
	ChainConfig
	validator protovalidate.Validator
	tracer    trace.Tracer
	// untraced is whether spans go nowhere: then none is made, and what the caller sent goes on as it is.
	untraced bool
	metrics  *chainMetrics
	// streaming ends when streams must: the process drains.
	streaming  context.Context
	endStreams context.CancelFunc
	load       load
}

// Saturated reports that there are, or were a moment ago, more calls under way than the process can work on.
func (c *Chain) Saturated() bool { return c.load.saturated(time.Now()) }

// NewChain returns the chain of one service.
func NewChain(config ChainConfig) (*Chain, error) {
	validator, err := protovalidate.New()
	if err != nil {
		return nil, fmt.Errorf("prepare validation: %w", err)
	}
	metrics, err := newChainMetrics(config.Registerer)
	if err != nil {
		return nil, err
	}
	if config.Clock == nil {
		config.Clock = clock.System{}
	}
	streaming, endStreams := context.WithCancel(context.Background())
	_, untraced := otel.GetTracerProvider().(noop.TracerProvider)
	return &Chain{
		ChainConfig: config, validator: validator, tracer: otel.Tracer("braid/rpc"), untraced: untraced, metrics: metrics,
		streaming: streaming, endStreams: endStreams,
	}, nil
}

// run is the chain, step by step. Whatever comes back is a *Failure or nil.
func (c *Chain) run(ctx context.Context, method *Method, in *inbound, request proto.Message, handle func(context.Context) error) (err error) {
	started := time.Now()
	if !method.Stream {
		c.load.begin(started)
		defer c.load.end()
	}
	ctx, work, span := c.correlate(ctx, method, in)
	defer func() { err = c.finish(ctx, method, work, span, started, err) }()
	defer recoverInto(&err)

	if work.LeastAccessRevision, err = in.leastAccessRevision(); err != nil {
		return err
	}
	ctx, cancel := c.limitTime(ctx, method, in)
	defer cancel()
	if !in.deadline.IsZero() && ctx.Err() != nil {
		return ctx.Err()
	}
	if err = c.authenticate(ctx, method, in, work); err != nil {
		return err
	}
	if err = requireOperator(method, &work.Actor); err != nil {
		return err
	}
	if err = c.requireStepUp(method, &work.Actor); err != nil {
		return err
	}
	if err = c.validate(method, request); err != nil {
		return err
	}
	if err = c.authorize(ctx, method, work, request); err != nil {
		return err
	}
	if err = c.readIdempotency(method, in, work, request); err != nil {
		return err
	}
	if err = handle(ctx); err != nil {
		return err
	}
	if work.Replayed {
		in.response.Set(ReplayedHeader, "true")
	}
	if work.AccessRevision > 0 {
		in.response.Set(AccessRevisionHeader, strconv.FormatInt(work.AccessRevision, 10))
	}
	return work.CheckDecided()
}

// recoverInto turns a panic into an error; the stack goes to the log with it.
func recoverInto(err *error) {
	if value := recover(); value != nil {
		*err = errs.From(fmt.Errorf("panic: %v\n%s", value, debug.Stack()))
	}
}

// correlate gives the work its call and its span.
func (c *Chain) correlate(ctx context.Context, method *Method, in *inbound) (context.Context, *call.Call, trace.Span) {
	work := &call.Call{
		Procedure:     method.Procedure,
		CorrelationID: in.correlationID,
		Actor:         call.Actor{Kind: call.Anonymous},
		ClientAddress: in.remoteAddress,
		UserAgent:     in.userAgent,
	}
	span := trace.SpanFromContext(ctx)
	if !c.untraced {
		ctx, span = c.tracer.Start(ctx, method.Procedure[1:], trace.WithSpanKind(trace.SpanKindServer))
	}
	return call.With(ctx, work), work, span
}

// limitTime gives a unary call its deadline; a stream ends when the process drains, or when its caller wants it to.
func (c *Chain) limitTime(ctx context.Context, method *Method, in *inbound) (context.Context, context.CancelFunc) {
	if method.Stream {
		ctx, cancel := in.limitStream(ctx)
		release := context.AfterFunc(c.streaming, cancel)
		return ctx, func() {
			release()
			cancel()
		}
	}
	limit := defaultDeadline
	if !in.deadline.IsZero() {
		limit = min(time.Until(in.deadline), maxDeadline)
	} else if _, ok := ctx.Deadline(); ok {
		limit = maxDeadline
	}
	return context.WithTimeout(ctx, limit)
}

// authenticate finds out who calls. Internal RPCs take service tokens only, all others users only, so that one sort
// of token is never good for the other.
func (c *Chain) authenticate(ctx context.Context, method *Method, in *inbound, work *call.Call) (err error) {
	if in.forwardedBy != "" {
		// A peer that proves to be one of ours may speak for the client's address; anybody else speaks for itself.
		if _, err := c.Authenticator.AuthenticateService(ctx, in.forwardedBy); err == nil {
			work.ClientAddress = firstAddress(in.forwardedFor, work.ClientAddress)
		}
	}
	if method.Rule == Public {
		return nil
	}
	if in.token == "" {
		return ErrTokenMissing
	}
	if method.Rule == Internal {
		work.Actor, err = c.Authenticator.AuthenticateService(ctx, in.token)
		return err
	}
	if work.Actor, err = c.Authenticator.AuthenticateUser(ctx, in.token); err != nil {
		return err
	}
	if err = admitMachine(method, work); err != nil {
		return err
	}
	return admitImpersonation(method, &work.Actor)
}

// firstAddress returns the first address of an X-Forwarded-For list: the gateway puts only what it vouches for there.
func firstAddress(list string, otherwise netip.Addr) netip.Addr {
	first, _, _ := strings.Cut(list, ",")
	if address, err := netip.ParseAddr(strings.TrimSpace(first)); err == nil {
		return address.Unmap()
	}
	return otherwise
}

func (c *Chain) validate(method *Method, request proto.Message) error {
	if violations := rejectionOf(request); len(violations) > 0 {
		return invalid(violations...)
	}
	if method.isValid(request.ProtoReflect()) {
		return nil
	}
	if violation, ok := findUnstorable(request.ProtoReflect(), ""); ok {
		return invalid(violation)
	}
	return refusalOf(c.validator.Validate(request))
}

// authorize asks whether the caller may do this here. Not being a member is the same as there being nothing.
func (c *Chain) authorize(ctx context.Context, method *Method, work *call.Call, request proto.Message) error {
	if method.Rule != Organization {
		return nil
	}
	organizationID := method.organization(request)
	if organizationID.IsZero() {
		return errs.ErrNotFound
	}
	permission := method.Permission
	impersonated := !work.Actor.ImpersonatorID.IsZero()
	if !impersonated && method.names(request, work.Actor.UserID) {
		permission, work.SelfAlways = "", method.SelfAlways
	}
	outside := outsideLimits(method, work.Actor.Limits, organizationID)
	if errs.KindOf(outside) == errs.NotFound {
		return outside
	}
	if outside != nil {
		permission = "" // Only a member is told what is missing.
	}
	var err error
	if work.SupportOrganizationID, err = supportIn(&work.Actor, organizationID); err != nil {
		return err
	}
	err = c.ask(ctx, method, work, request, organizationID, permission)
	if err == nil {
		err = outside
	}
	if err == nil || errs.KindOf(err) == errs.PermissionDenied {
		work.OrganizationID = organizationID
	}
	if method.Also != "" && !impersonated && err != nil && errs.From(err).Reason == reasonLacking {
		work.Lacking, err = err, nil
	}
	if err == nil && c.Lifecycle != nil && !method.ReadOnly && !method.InAnyState {
		err = c.Lifecycle.Changeable(ctx, organizationID, work.Actor.UserID)
	}
	if err == nil && (impersonated || !work.SupportGrantID.IsZero()) {
		err = c.recordSupport(ctx, method, work, request)
	}
	return err
}

func (c *Chain) ask(ctx context.Context, method *Method, work *call.Call, request proto.Message, organizationID id.ID, permission string) error {
	if method.ResourceType == "" || permission == "" {
		return c.Authorizer.Authorize(ctx, organizationID, work.Actor.UserID, permission)
	}
	undecided, err := c.Authorizer.AuthorizeResource(ctx, organizationID, work.Actor.UserID, permission, method.asked(request, work.Actor.UserID))
	work.Leave(undecided)
	return err
}

// readIdempotency notes the key and the keyed hash of the request; the handler's transaction does the rest
// (platform/idempotency).
func (c *Chain) readIdempotency(method *Method, in *inbound, work *call.Call, request proto.Message) error {
	if !method.Idempotent || in.idempotencyKey == "" {
		return nil
	}
	if len(in.idempotencyKey) > maxKeyLength {
		return errs.Invalid(IdempotencyHeader, "string.max_len", fmt.Sprintf("must be at most %d characters", maxKeyLength))
	}
	if !printable(in.idempotencyKey) {
		return errs.Invalid(IdempotencyHeader, "string.ascii", "must be printable ASCII")
	}
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(request)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	work.IdempotencyKey, work.IdempotencyHash = in.idempotencyKey, c.HashKeyed(body)
	return nil
}

// finish maps the error, counts, traces and logs.
func (c *Chain) finish(ctx context.Context, method *Method, work *call.Call, span trace.Span, started time.Time, err error) error {
	defer span.End()
	elapsed := time.Since(started)
	if err == nil {
		c.metrics.observe(method, "OK", elapsed)
		c.log(ctx, started.Add(elapsed), slog.LevelInfo, "request", slog.String("procedure", method.Procedure),
			slog.String("status", "OK"), slog.Duration("duration", elapsed))
		return nil
	}
	c.reportRefusal(ctx, method, work, err)
	failure := failureOf(err, work.CorrelationID)
	status := failure.httpStatus().name
	c.metrics.observe(method, status, elapsed)
	span.SetStatus(codes.Error, failure.Problem.Reason)
	level := slog.LevelInfo
	attributes := []slog.Attr{slog.String("procedure", method.Procedure), slog.String("status", status),
		slog.String("reason", failure.Problem.Reason), slog.Duration("duration", elapsed)}
	if failure.Problem.Kind == errs.Internal {
		level = slog.LevelError
	}
	if cause := failure.Problem.Unwrap(); cause != nil {
		attributes = append(attributes, slog.String("cause", cause.Error()))
	}
	c.log(ctx, started.Add(elapsed), level, "request refused", attributes...)
	return failure
}

// log writes a line without looking up who called: it is always this file, and the look-up costs as much as the line.
func (c *Chain) log(ctx context.Context, at time.Time, level slog.Level, message string, attributes ...slog.Attr) {
	handler := c.Logger.Handler()
	if !handler.Enabled(ctx, level) {
		return
	}
	record := slog.NewRecord(at, level, message, 0)
	record.AddAttrs(attributes...)
	_ = handler.Handle(ctx, record)
}
