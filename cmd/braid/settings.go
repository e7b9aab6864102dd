package main

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/braidhq/braid/gateway"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/config"
	"github.com/braidhq/braid/platform/obs"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/audit"
	"github.com/braidhq/braid/services/identity"
	"github.com/braidhq/braid/services/notification"
	"github.com/braidhq/braid/services/organization"
	"github.com/braidhq/braid/services/workflow"
)

// processSettings are the global keys.
type processSettings struct {
	Listen        string        `config:"listen" default:"127.0.0.1:8080" flag:"listen" help:"Address of the public port, or of the services' port in a process without the gateway."`
	ServiceListen string        `config:"service_listen" help:"Address where other processes reach the services of a process that also runs the gateway; none by default."`
	DataDir       string        `config:"data_dir" flag:"data-dir" help:"Directory for everything this process keeps on disk."`
	KeyDir        string        `config:"key_dir" help:"Directory with the services' keys; keys below the data directory by default."`
	PublicURL     string        `config:"public_url" help:"Where people reach the gateway; links in mails begin with it. Made from listen by default."`
	DatabaseURL   string        `config:"database_url" secret:"true" help:"PostgreSQL server for up: one database per service is made there. Without it up runs its own."`
	DrainGrace    time.Duration `config:"drain_grace" default:"0s" help:"How long a process goes on serving after it says that it is not ready, for load balancers."`
	obs.AdminConfig
}

// Validate implements config.Validator.
func (p *processSettings) Validate(report func(key, reason string)) {
	if !config.IsListenAddress(p.Listen) {
		report("listen", "is not an address such as 127.0.0.1:8080")
	}
	if p.ServiceListen != "" && !config.IsListenAddress(p.ServiceListen) {
		report("service_listen", "is not an address such as 10.0.0.7:8090")
	}
	if config.SameAddress(p.AdminConfig.Listen, p.Listen) {
		report("admin_listen", "is the address of listen as well: the admin server needs one of its own")
	}
	if config.SameAddress(p.ServiceListen, p.Listen) || config.SameAddress(p.ServiceListen, p.AdminConfig.Listen) {
		report("service_listen", "is the address of listen or admin_listen as well")
	}
	if p.DataDir == "" {
		report("data_dir", "is required where there is no home directory")
	}
	if p.PublicURL != "" && !isWebAddress(p.PublicURL) {
		report("public_url", "is not an address such as https://work.example.com")
	}
	if p.DatabaseURL != "" {
		if err := pg.CheckServerURL(p.DatabaseURL); err != nil {
			report("database_url", err.Error())
		}
	}
	if p.DrainGrace < 0 || p.DrainGrace > maxDrainGrace {
		report("drain_grace", "must be from 0s to 10m")
	}
}

// maxDrainGrace is longer than any load balancer needs to notice.
const maxDrainGrace = 10 * time.Minute

func isWebAddress(text string) bool {
	parsed, err := url.Parse(text)
	return err == nil && parsed.Host != "" && (parsed.Scheme == "http" || parsed.Scheme == "https")
}

type logSettings struct {
	Level  string `config:"level" default:"info" help:"debug, info, warn or error."`
	Format string `config:"format" default:"auto" help:"json, console, or auto: console on a terminal, json otherwise."`
}

// Validate implements config.Validator.
func (l *logSettings) Validate(report func(key, reason string)) {
	if _, err := parseLevel(l.Level); err != nil {
		report("level", "is not debug, info, warn or error")
	}
	switch l.Format {
	case "json", "console", "auto":
	default:
		report("format", "is not json, console or auto")
	}
}

type kafkaSettings struct {
	Listen    string        `config:"listen" default:"127.0.0.1:9092" flag:"kafka-listen" help:"Address of the embedded broker that up runs without brokers."`
	Brokers   []string      `config:"brokers" help:"Addresses of a Kafka cluster, host:port."`
	TLS       bool          `config:"tls" help:"Speak TLS to the brokers."`
	CAFile    string        `config:"ca_file" help:"PEM file with the authorities that the brokers' certificates are checked against."`
	CertFile  string        `config:"certificate_file" help:"PEM file with a client certificate."`
	KeyFile   string        `config:"private_key_file" help:"PEM file with the client certificate's key."`
	Mechanism string        `config:"sasl_mechanism" help:"PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; none without."`
	Username  string        `config:"sasl_username" help:"User name for SASL."`
	Password  string        `config:"sasl_password" secret:"true" help:"Password for SASL."`
	Partition int           `config:"partitions" default:"6" help:"Partitions of a topic that has to be created."`
	Retention time.Duration `config:"retention" default:"168h" help:"How long topics that have to be created keep events."`
	Replicas  int           `config:"replication" default:"0" help:"Copies of each partition of a topic that has to be created; 0 leaves it to the cluster."`
}

// Validate implements config.Validator.
func (k *kafkaSettings) Validate(report func(key, reason string)) {
	if !config.IsListenAddress(k.Listen) {
		report("listen", "is not an address such as 127.0.0.1:9092")
	}
	if k.Partition < 1 || k.Partition > maxPartitions {
		report("partitions", "must be from 1 to 1000")
	}
	if k.Retention < time.Hour {
		report("retention", "must be at least 1h")
	}
	if k.Replicas < 0 || k.Replicas > maxReplicas {
		report("replication", "must be from 0 to 100")
	}
	connection := k.connection()
	connection.Check(report)
	if k.TLS {
		connection.TLS.CheckFiles(report)
	}
}

const (
	maxPartitions = 1000
	maxReplicas   = 100
)

func (k *kafkaSettings) connection() bus.Connection {
	return bus.Connection{
		Brokers: k.Brokers,
		TLS:     bus.TLS{Enabled: k.TLS, CAFile: k.CAFile, CertificateFile: k.CertFile, KeyFile: k.KeyFile},
		SASL:    bus.SASL{Mechanism: k.Mechanism, Username: k.Username, Password: k.Password},
	}
}

func (k *kafkaSettings) topics() map[string]bus.Topic {
	topics := map[string]bus.Topic{}
	for _, name := range serviceNames() {
		topics[name] = bus.Topic{
			Name: bus.EventTopic(name), Partitions: int32(k.Partition), Retention: k.Retention, Replication: int16(k.Replicas),
		}
	}
	return topics
}

type redisSettings struct {
	URL string `config:"url" secret:"true" help:"Redis server that several gateways share their rate limits through."`
}

// Validate implements config.Validator.
func (r *redisSettings) Validate(report func(key, reason string)) {
	if r.URL == "" {
		return
	}
	if err := gateway.CheckRedisURL(r.URL); err != nil {
		report("url", err.Error())
	}
}

// Placement says where a service and its database are.
type Placement struct {
	DatabaseURL          string   `config:"database_url" secret:"true" help:"Connection string of the service's own database."`
	MigrationDatabaseURL string   `config:"migration_database_url" secret:"true" help:"Connection string of the login that owns the tables; database_url by default."`
	URL                  []string `config:"url" help:"Addresses of the service when it runs elsewhere; a failing one is skipped."`
}

type (
	identitySettings struct {
		Placement
		identity.Config
	}
	organizationSettings struct {
		Placement
		organization.Config
	}
	workflowSettings struct {
		Placement
		workflow.Config
	}
	notificationSettings struct {
		Placement
		notification.Config
	}
	auditSettings struct {
		Placement
		audit.Config
	}
)

// settings is the whole configuration.
type settings struct {
	registry *config.Registry

	Process      processSettings
	Log          logSettings
	Trace        obs.TracingConfig
	Kafka        kafkaSettings
	Redis        redisSettings
	Gateway      gateway.Config
	Identity     identitySettings
	Organization organizationSettings
	Workflow     workflowSettings
	Notification notificationSettings
	Audit        auditSettings
}

// newSettings returns the configuration with its defaults. Without an SMTP server up catches mail in its own mailbox;
// serve must be told to.
func newSettings(mailbox bool) *settings {
	s := &settings{registry: config.New()}
	s.Notification.Mailbox = mailbox
	s.Process.DataDir = defaultDataDir()
	s.registry.Section("", &s.Process)
	s.registry.Section("log", &s.Log)
	s.registry.Section("trace", &s.Trace)
	s.registry.Section("kafka", &s.Kafka)
	s.registry.Section("redis", &s.Redis)
	s.registry.Section(gateway.Name, &s.Gateway)
	s.registry.Section(identity.Name, &s.Identity)
	s.registry.Section(organization.Name, &s.Organization)
	s.registry.Section(workflow.Name, &s.Workflow)
	s.registry.Section(notification.Name, &s.Notification)
	s.registry.Section(audit.Name, &s.Audit)
	return s
}

// load reads the configuration for what it is needed for, and reports everything that is wrong with it.
func (s *settings) load(flags *pflag.FlagSet, needed need) error {
	return s.loadFrom(config.Sources{Env: os.Environ(), Flags: flags}, needed)
}

func (s *settings) loadFrom(sources config.Sources, needed need) error {
	for _, name := range keyHolders() {
		if !slices.Contains(needed.services, name) {
			sources.Unused = append(sources.Unused, name)
		}
	}
	sources.Check = func(report func(key, reason string)) { s.check(needed, report) }
	if err := s.registry.Load(sources); err != nil {
		return err
	}
	if s.Process.PublicURL == "" {
		scheme := "http"
		if s.Gateway.TLSCertificate != "" {
			scheme = "https"
		}
		s.Process.PublicURL = scheme + "://" + s.Process.Listen
	}
	s.Process.PublicURL = strings.TrimSuffix(s.Process.PublicURL, "/")
	if s.Process.KeyDir == "" {
		s.Process.KeyDir = filepath.Join(s.Process.DataDir, "keys")
	}
	return nil
}

// placements returns where each service is, by name.
func (s *settings) placements() map[string]*Placement {
	return map[string]*Placement{
		identity.Name:     &s.Identity.Placement,
		organization.Name: &s.Organization.Placement,
		workflow.Name:     &s.Workflow.Placement,
		notification.Name: &s.Notification.Placement,
		audit.Name:        &s.Audit.Placement,
	}
}

// defaultDataDir is below the home directory; as root it is one that the unprivileged PostgreSQL can reach, which
// root's home is not.
func defaultDataDir() string {
	if os.Geteuid() == 0 {
		return "/var/lib/braid"
	}
	if base := os.Getenv("XDG_DATA_HOME"); base != "" {
		return filepath.Join(base, "braid")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".local", "share", "braid")
}
