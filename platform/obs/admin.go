package obs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/braidhq/braid/platform/config"
	"github.com/braidhq/braid/platform/module"
)

// AdminConfig says where the admin server listens.
type AdminConfig struct {
	Listen string `config:"admin_listen" default:"127.0.0.1:8081" flag:"admin-listen" help:"Address of the admin server: health, metrics, profiles, mailbox. It asks for no credentials: keep it private."`
}

// Validate implements config.Validator.
func (c *AdminConfig) Validate(report func(key, reason string)) {
	if !config.IsListenAddress(c.Listen) {
		report("admin_listen", "is not an address such as 127.0.0.1:8081")
	}
}

// The limits of the admin server's connections. The write timeout also bounds a CPU profile.
const (
	adminHeaderTimeout = 5 * time.Second
	adminReadTimeout   = 15 * time.Second
	adminWriteTimeout  = 2 * time.Minute
	adminIdleTimeout   = time.Minute
	adminHeaderBytes   = 16 << 10
)

// Admin is the server for those who run Braid: /healthz (the process answers), /readyz (which part can't serve),
// /metrics, /debug/pprof/, and the pages that others add. It asks for no credentials, so it listens on loopback unless
// told otherwise.
type Admin struct {
	config   AdminConfig
	logger   *slog.Logger
	mux      *http.ServeMux
	server   *http.Server
	listener net.Listener
}

// NewAdmin returns a server that does not listen yet. Conditions returns how the parts of the process are, as
// module.Manager.Conditions does.
func NewAdmin(config AdminConfig, gatherer prometheus.Gatherer, conditions func() []module.Condition, logger *slog.Logger) *Admin {
	admin := &Admin{config: config, logger: logger, mux: http.NewServeMux()}
	admin.server = &http.Server{
		Handler:           admin.guard(admin.mux),
		ReadHeaderTimeout: adminHeaderTimeout,
		ReadTimeout:       adminReadTimeout,
		WriteTimeout:      adminWriteTimeout,
		IdleTimeout:       adminIdleTimeout,
		MaxHeaderBytes:    adminHeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	admin.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		admin.writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	admin.mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { admin.serveReady(w, conditions()) })
	admin.mux.Handle("GET /metrics", MetricsHandler(gatherer))
	admin.mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	admin.mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	admin.mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	admin.mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	admin.mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return admin
}

// Handle adds a page; patterns are those of http.ServeMux. Call it before the server starts.
func (a *Admin) Handle(pattern string, handler http.Handler) { a.mux.Handle(pattern, handler) }

// Listen binds the port, so that Addr is known and a busy one is an error before anything else starts.
func (a *Admin) Listen(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.config.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s for the admin server (change it with --admin-listen): %w", a.config.Listen, err)
	}
	a.listener = listener
	return nil
}

// Addr is where the server listens; nil before Listen.
func (a *Admin) Addr() net.Addr {
	if a.listener == nil {
		return nil
	}
	return a.listener.Addr()
}

// Serve answers requests until Close.
func (a *Admin) Serve(context.Context) error {
	if err := a.server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve admin: %w", err)
	}
	return nil
}

// Close ends the server, letting requests in hand finish as long as ctx allows.
func (a *Admin) Close(ctx context.Context) error {
	if err := a.server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("close admin: %w", err), a.server.Close())
	}
	return nil
}

// Part returns the server as a part of the process. It has no Drain: it must tell that the process is not ready for
// as long as that takes.
func (a *Admin) Part() module.Part {
	return module.Part{Name: "admin", Start: a.Listen, Run: a.Serve, Stop: a.Close}
}

// serveReady names the parts that are not ready, apart from those that the process can serve without.
func (a *Admin) serveReady(w http.ResponseWriter, conditions []module.Condition) {
	answer := struct {
		Status   string            `json:"status"`
		Parts    map[string]string `json:"parts,omitempty"`
		Degraded map[string]string `json:"degraded,omitempty"`
	}{Status: "ready", Parts: map[string]string{}, Degraded: map[string]string{}}
	status := http.StatusOK
	for _, condition := range conditions {
		switch {
		case condition.Err == nil:
		case condition.Optional:
			answer.Degraded[condition.Part] = scrubText(condition.Err.Error())
		default:
			answer.Parts[condition.Part] = scrubText(condition.Err.Error())
			answer.Status, status = "not ready", http.StatusServiceUnavailable
		}
	}
	a.writeJSON(w, status, answer)
}

func (a *Admin) writeJSON(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		a.logger.Debug("write admin answer", slog.Any("error", err))
	}
}

// guard sets headers for browsers and, on loopback, refuses requests under a foreign host name: a web page whose name
// was made to resolve to 127.0.0.1 could otherwise read the mailbox through its visitor's browser (DNS rebinding).
func (a *Admin) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Cache-Control", "no-store")
		header.Set("Referrer-Policy", "no-referrer")
		local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		if ok && isLoopback(local) && !isLocalName(r.Host) {
			http.Error(w, "this host name is not served here", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isLoopback(address net.Addr) bool {
	parsed, err := netip.ParseAddrPort(address.String())
	return err == nil && parsed.Addr().Unmap().IsLoopback()
}

// isLocalName accepts localhost and plain addresses, which no foreign name server can point elsewhere.
func isLocalName(host string) bool {
	name := host
	if bare, _, err := net.SplitHostPort(host); err == nil {
		name = bare
	}
	name = strings.Trim(name, "[]")
	if strings.EqualFold(name, "localhost") {
		return true
	}
	_, err := netip.ParseAddr(name)
	return err == nil
}
