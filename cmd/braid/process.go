package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/braidhq/braid/cmd/braid/internal/heap"
	"github.com/braidhq/braid/gateway"
	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1connect"
	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/gen/go/braid/organization/v1/organizationv1connect"
	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/module"
	"github.com/braidhq/braid/platform/obs"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/platform/secret"
	"github.com/braidhq/braid/platform/service"
	"github.com/braidhq/braid/services/identity"
	"github.com/braidhq/braid/services/organization"
)

// maxStaleness is how old the watermark may be before the owners are asked: the promise is a second.
const maxStaleness = time.Second

// process is one running braid: the services it was told to run, and what they share.
type process struct {
	settings *settings
	// services are the names to run; the gateway may be among them.
	services []string
	// connection leads to the broker, databases to each service's database.
	connection bus.Connection
	databases  map[string]pg.Config
	// open are the databases of the services that are built.
	open    map[string]*pg.DB
	logger  *slog.Logger
	metrics *prometheus.Registry
	clock   clock.Clock

	orders  *orders
	manager *module.Manager
	admin   *obs.Admin
	keys    map[string]*secret.Keys
	public  map[string]authn.ServiceKey
	signers map[string]*authn.Signer
	// handlers are the local services; they are known by name before they are built, because they call each other.
	handlers      map[string]*lateHandler
	broadcast     *bus.Broadcast
	authenticator *authn.Authenticator
	access        *authz.Access
	servers       []*rpc.Server
	// cleanups run, last first, when assembly fails or the process ends.
	cleanups []func()
	// infrastructure names the parts that everything else depends on.
	infrastructure []string
}

// lateHandler is a handler that is set after others were given it.
type lateHandler struct{ handler http.Handler }

// ServeHTTP implements http.Handler.
func (l *lateHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) { l.handler.ServeHTTP(w, r) }

func (p *process) onEnd(cleanup func()) { p.cleanups = append(p.cleanups, cleanup) }

func (p *process) end() {
	for i := len(p.cleanups) - 1; i >= 0; i-- {
		p.cleanups[i]()
	}
	p.cleanups = nil
}

// newProcess prepares what needs no other part: logs, metrics, traces.
func newProcess(orders *orders, settings *settings, services []string) (*process, error) {
	logger, closeLog := newLogger(settings)
	p := &process{
		settings: settings, services: services, logger: logger, metrics: obs.NewMetrics(build()), clock: clock.System{},
		databases: map[string]pg.Config{}, open: map[string]*pg.DB{}, handlers: map[string]*lateHandler{}, orders: orders,
	}
	p.onEnd(func() { _ = closeLog() })
	p.manager = module.New(module.Options{Grace: settings.Process.DrainGrace}, logger)
	if !heap.Chosen() {
		p.manager.Add(module.Part{Name: "heap", Run: heap.Keep})
	}
	if err := p.metrics.Register(obs.NewConditionCollector(p.manager.Conditions)); err != nil {
		p.end()
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	shutdown, err := obs.SetupTracing(orders.stop, settings.Trace, build(), logger)
	if err != nil {
		p.end()
		return nil, err
	}
	p.onEnd(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = shutdown(ctx)
	})
	return p, nil
}

// assemble builds everything in reading order. What it has opened is closed by end.
func (p *process) assemble(ctx context.Context) error {
	if err := p.loadKeys(); err != nil {
		return err
	}
	for _, name := range p.services {
		if name != gateway.Name {
			p.handlers[name] = &lateHandler{}
		}
	}
	if err := p.buildAccess(); err != nil {
		return err
	}
	p.admin = obs.NewAdmin(p.settings.Process.AdminConfig, p.metrics, p.manager.Conditions, p.logger)
	topics := p.settings.Kafka.topics()
	for _, bounded := range contexts {
		if p.handlers[bounded.name] == nil {
			continue
		}
		if err := p.buildService(ctx, bounded, topics); err != nil {
			return err
		}
	}
	if err := p.buildDoors(); err != nil {
		return err
	}
	p.manager.Add(p.admin.Part())
	return p.manager.Validate()
}

// loadKeys reads the keys of the services that run here and the public halves of all.
func (p *process) loadKeys() error {
	dir := p.settings.Process.KeyDir
	published, err := secret.LoadPublic(dir)
	if err != nil {
		return fmt.Errorf("%w (make keys with: braid keys init)", err)
	}
	p.keys, p.public, p.signers = map[string]*secret.Keys{}, map[string]authn.ServiceKey{}, map[string]*authn.Signer{}
	for keyID, key := range published {
		p.public[keyID] = authn.ServiceKey{Service: key.Service, Key: key.Key}
	}
	for _, name := range p.services {
		keys, err := secret.Load(dir, name)
		if err != nil {
			return fmt.Errorf("%w (make keys with: braid keys init)", err)
		}
		p.keys[name] = keys
		p.signers[name] = authn.NewSigner(name, keys.CallerKey().ID, keys.CallerKey().Private, p.clock)
	}
	return nil
}

// clients are the ways to the other services, signed by one of this process.
func (p *process) clients(signer string) (*rpc.Clients, error) {
	targets := map[string]rpc.Target{}
	for name, place := range p.settings.placements() {
		target := rpc.Target{URLs: place.URL}
		if local := p.handlers[name]; local != nil {
			target.Handler = local
		}
		targets[name] = target
	}
	clients, err := rpc.NewClients(targets, p.signers[signer], p.metrics)
	if err == nil {
		p.onEnd(clients.Close)
	}
	return clients, err
}

// buildAccess assembles who-may-what of the process: the broadcast reader, and the two caches it keeps honest.
func (p *process) buildAccess() error {
	clients, err := p.clients(p.services[0])
	if err != nil {
		return err
	}
	fresh := func() bool { return p.clock.Now().Sub(p.broadcast.Freshness()) < maxStaleness }
	auth := identityv1connect.NewAuthServiceClient(clients.Dial(identity.Name))
	directory := identityv1connect.NewDirectoryServiceClient(clients.Dial(identity.Name))
	credentials := authn.CredentialClient{CredentialServiceClient: identityv1connect.NewCredentialServiceClient(clients.Dial(identity.Name))}
	p.authenticator, err = authn.New(authn.Config{
		UserKeys:    func(ctx context.Context) (map[string]ed25519.PublicKey, error) { return fetchUserKeys(ctx, auth) },
		ServiceKeys: p.public,
		SessionLive: func(ctx context.Context, sessionID id.ID) (authn.SessionState, error) {
			state, err := directory.GetSessionState(ctx, &identityv1.GetSessionStateRequest{SessionId: sessionID.String()})
			return authn.SessionState{Live: state.GetLive(), Weak: state.GetWeak()}, err
		},
		PublicURL: p.settings.Process.PublicURL, Credentials: credentials, Fresh: fresh, Clock: p.clock, Logger: p.logger, Registerer: p.metrics,
	})
	if err != nil {
		return err
	}
	owner := organizationv1connect.NewAccessServiceClient(clients.Dial(organization.Name))
	support := organizationv1connect.NewSupportAccessServiceClient(clients.Dial(organization.Name))
	p.access, err = authz.New(authz.Config{
		Source: func(ctx context.Context, organizationID, subjectID id.ID, knownRoles int64) (authz.Answer, error) {
			return fetchAccess(ctx, owner, organizationID, subjectID, knownRoles)
		},
		Grants: func(ctx context.Context, organizationID, operatorID id.ID, role call.OperatorRole) (authz.Answer, error) {
			return fetchGrant(ctx, support, organizationID, operatorID, role)
		},
		Fresh: fresh, Clock: p.clock, Logger: p.logger, Registerer: p.metrics,
	})
	if err != nil {
		return err
	}
	p.broadcast, err = bus.NewBroadcast(p.connection, bus.BroadcastConfig{
		Publishers: []string{identity.Name, organization.Name},
		Lookback:   authn.AccessTokenLife + time.Minute,
		Handle:     p.hear,
		Reset: func(lost time.Time) {
			p.authenticator.Distrust(lost)
			p.access.Clear()
		},
	}, p.clock, p.logger)
	if err != nil {
		return err
	}
	p.addPart(module.Part{Name: "broadcast", Run: p.broadcast.Run})
	p.addPart(module.Part{Name: "sessions", Optional: true, Ready: p.authenticator.Certain})
	p.addPart(p.authenticator.UsePart(credentials.Record))
	return p.watchBroker()
}

// watchBroker makes it known when the broker does not answer. The process can serve without it: the caches ask the
// owners, and events wait in the outbox.
func (p *process) watchBroker() error {
	probe, err := bus.NewProbe(p.connection)
	if err != nil {
		return err
	}
	p.onEnd(probe.Close)
	part := module.Watched("broker", probe.Ping)
	part.Optional = true
	p.addPart(part)
	return nil
}

// hear applies an event to the caches.
func (p *process) hear(_ context.Context, event bus.Event) error {
	return errors.Join(p.authenticator.HandleEvent(event), p.access.HandleEvent(event))
}

func fetchUserKeys(ctx context.Context, auth identityv1connect.AuthServiceClient) (map[string]ed25519.PublicKey, error) {
	set, err := auth.GetJwks(ctx, &identityv1.GetJwksRequest{})
	if err != nil {
		return nil, err
	}
	keys := map[string]ed25519.PublicKey{}
	for _, jwk := range set.GetKeys() {
		parsed, err := secret.ParseJWK(secret.JWK{
			KeyType: jwk.GetKty(), Curve: jwk.GetCrv(), X: jwk.GetX(), ID: jwk.GetKid(), Algorithm: jwk.GetAlg(), Use: jwk.GetUse(),
		})
		if err != nil {
			return nil, err
		}
		keys[parsed.ID] = parsed.Key
	}
	return keys, nil
}

func fetchAccess(ctx context.Context, owner organizationv1connect.AccessServiceClient, organizationID, subjectID id.ID, knownRoles int64) (authz.Answer, error) {
	answer, err := owner.GetEffectivePermissions(ctx, &organizationv1.GetEffectivePermissionsRequest{
		OrganizationId: organizationID.String(), UserId: subjectID.String(), KnownRolesRevision: knownRoles,
	})
	if err != nil {
		return authz.Answer{}, err
	}
	return authz.AnswerOf(answer), nil
}

func fetchGrant(ctx context.Context, owner organizationv1connect.SupportAccessServiceClient, organizationID, operatorID id.ID, role call.OperatorRole) (authz.Answer, error) {
	answer, err := owner.GetSupportAccess(ctx, &organizationv1.GetSupportAccessRequest{
		OrganizationId: organizationID.String(), OperatorId: operatorID.String(), OperatorRole: role.String(),
	})
	if err != nil {
		return authz.Answer{}, err
	}
	return authz.GrantOf(answer)
}

// addPart adds a part that needs the infrastructure.
func (p *process) addPart(part module.Part) {
	part.DependsOn = append(part.DependsOn, p.infrastructure...)
	p.manager.Add(part)
}

func (p *process) buildService(ctx context.Context, bounded boundedContext, topics map[string]bus.Topic) error {
	logger := p.logger.With(slog.String("service", bounded.name))
	database, err := pg.Open(ctx, p.databases[bounded.name], logger, p.metrics)
	if err != nil {
		return err
	}
	p.onEnd(database.Close)
	p.open[bounded.name] = database
	p.addPart(module.Watched(bounded.name+".database", database.Ping))
	storage := module.Watched(bounded.name+".storage", database.CheckStorage)
	storage.Optional = true // What is stored can be read.
	p.addPart(storage)
	clients, err := p.clients(bounded.name)
	if err != nil {
		return err
	}
	authenticator, err := p.authenticator.For(bounded.name)
	if err != nil {
		return err
	}
	built, err := bounded.build(p.settings, service.Environment{
		Name: bounded.name, DB: database, Bus: p.connection, Topics: topics, Keys: p.keys[bounded.name],
		Authenticator: authenticator, Access: p.access, Clients: clients, PublicURL: p.settings.Process.PublicURL,
		Clock: p.clock, Logger: logger, Registerer: p.metrics,
	})
	if err != nil {
		return err
	}
	p.handlers[bounded.name].handler = built.Server
	p.servers = append(p.servers, built.Server)
	for _, part := range built.Parts {
		p.addPart(part)
	}
	for pattern, page := range built.Pages {
		p.admin.Handle(pattern, page)
	}
	return nil
}

// run starts what is to run and serves until a signal or a failing part. A signal during the start calls it off, whatever
// the steps of the start make of that; it is no failure.
func (p *process) run(start func(ctx context.Context) error) error {
	defer context.AfterFunc(p.orders.stop, func() { p.logOrder(p.orders.stop, "stopping") })()
	defer context.AfterFunc(p.orders.now, func() {
		p.logOrder(p.orders.now, "stopping at once")
		p.manager.StopNow()
	})()
	if err := start(p.orders.stop); err != nil {
		order, ordered := given(p.orders.stop)
		if !ordered {
			return err
		}
		p.logger.Info("start called off", slog.String("cause", order.Error()), slog.String("reached", err.Error()))
		return nil
	}
	// Migrations and descriptors leave more garbage behind than the running process needs memory.
	debug.FreeOSMemory()
	return p.manager.Run(p.orders.stop)
}

func (p *process) logOrder(ctx context.Context, action string) {
	if order, ok := given(ctx); ok {
		p.logger.Info(order.Error(), slog.String("action", action))
	}
}
