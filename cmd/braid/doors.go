package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"syscall"
	"time"

	"github.com/braidhq/braid/gateway"
	"github.com/braidhq/braid/platform/module"
	"github.com/braidhq/braid/platform/rpc"
)

// The limits of every connection that comes in. There is no write timeout here, because streams stay open: the gateway
// bounds each piece of an answer, and writers of streams each event.
const (
	headerTimeout = 5 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 32 << 10
	maxStreams    = 250
)

// buildDoors adds the listeners: the gateway on the public port when it is here, else the services' own port.
func (p *process) buildDoors() error {
	services, err := p.serviceDoor()
	if err != nil {
		return err
	}
	if !slices.Contains(p.services, gateway.Name) {
		p.addDoor(door{flag: "listen", address: p.settings.Process.Listen, handler: services})
		return nil
	}
	if p.settings.Process.ServiceListen != "" {
		p.addDoor(door{flag: "service-listen", address: p.settings.Process.ServiceListen, handler: services})
	}
	local := map[string]http.Handler{}
	for name, handler := range p.handlers {
		local[name] = handler
	}
	urls := map[string][]string{}
	for name, place := range p.settings.placements() {
		urls[name] = place.URL
	}
	public, err := gateway.New(gateway.Environment{
		Config: p.settings.Gateway, Services: local, URLs: urls, RedisURL: p.settings.Redis.URL,
		PublicURL: p.settings.Process.PublicURL, Authenticator: p.authenticator, Signer: p.signers[gateway.Name], Traced: p.settings.Trace.Endpoint != "",
		Ready: p.manager.Ready, Clock: p.clock, Logger: p.logger.With(slog.String("service", gateway.Name)), Registerer: p.metrics,
	})
	if err != nil {
		return err
	}
	p.onEnd(public.Close)
	certificates, err := p.certificates()
	if err != nil {
		return err
	}
	p.addDoor(door{flag: "listen", address: p.settings.Process.Listen, handler: public, certificates: certificates, wrap: public.Pace})
	return nil
}

func (p *process) certificates() (*tls.Config, error) {
	if p.settings.Gateway.TLSCertificate == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(p.settings.Gateway.TLSCertificate, p.settings.Gateway.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("gateway.tls_certificate: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}}, nil
}

// serviceDoor leads to the services of this process, each found by the request's path.
func (p *process) serviceDoor() (http.Handler, error) {
	methods, err := rpc.Catalog()
	if err != nil {
		return nil, err
	}
	router, err := rpc.NewRouter(methods)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method, err := router.Find(r.Method, r.URL)
		if err == nil && p.handlers[method.Service] != nil {
			p.handlers[method.Service].ServeHTTP(w, r)
			return
		}
		if err == nil {
			p.logger.WarnContext(r.Context(), "request for a service that does not run here", slog.String("service", method.Service))
			err = rpc.ErrNotHere
		}
		router.SetAllow(w.Header(), r.URL, err)
		rpc.Refuse(w, r, rpc.Fail(err, rpc.CorrelationOf(r)))
	}), nil
}

// door is a listener. A busy port is named together with the flag that changes it.
type door struct {
	flag, address string
	handler       http.Handler
	certificates  *tls.Config
	// wrap may change what listens; nil for a door that only Braid's own processes use.
	wrap func(net.Listener) net.Listener
}

// addDoor adds a listener.
func (p *process) addDoor(d door) {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(d.certificates != nil)
	protocols.SetUnencryptedHTTP2(d.certificates == nil)
	server := &http.Server{
		Handler: d.handler, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		Protocols: protocols, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams}, TLSConfig: d.certificates,
		ErrorLog: slog.NewLogLogger(p.logger.Handler(), slog.LevelDebug),
	}
	var listener net.Listener
	p.addPart(module.Part{
		Name: "door." + d.flag,
		Start: func(ctx context.Context) (err error) {
			listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", d.address)
			if err == nil && d.wrap != nil {
				listener = d.wrap(listener)
			}
			return explainListen(err, d.address, d.flag)
		},
		Run: func(context.Context) error {
			serve := server.Serve
			if d.certificates != nil {
				serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
			}
			if err := serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
		Drain: func(ctx context.Context) {
			for _, service := range p.servers {
				service.EndStreams()
			}
			if err := server.Shutdown(ctx); err != nil {
				p.logger.WarnContext(ctx, "requests cut short", slog.String("cause", err.Error()))
			}
		},
		Stop: func(context.Context) error { return server.Close() },
	})
}

// explainListen says what to do about a port that is taken.
func explainListen(err error, address, flag string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is in use by another process: choose another address with --%s", address, flag)
	default:
		return fmt.Errorf("listen on %s (--%s): %w", address, flag, err)
	}
}
