package main

import (
	"crypto/tls"
	"path/filepath"
	"slices"

	"github.com/braidhq/braid/gateway"
	"github.com/braidhq/braid/platform/config"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/pg/embedded"
)

// need says what the configuration is read for. Every command states its own, and config check that of the command it
// stands in for, so that what it calls good is what that command starts with.
type need struct {
	// services run in this process: their sections are judged.
	services []string
	// databases are the services whose databases must be named.
	databases []string
	// split says that brokers and the services that run elsewhere must be named too.
	split bool
	// embedded says that a broker and a PostgreSQL of its own run here unless others are named.
	embedded bool
}

// needOfUp is everything in one process, which brings what is not named.
func needOfUp() need { return need{services: keyHolders(), embedded: true} }

func needOfServe(services []string) need {
	return need{services: services, databases: services, split: true}
}

// check judges what no section can alone.
func (s *settings) check(needed need, report func(key, reason string)) {
	runsGateway := slices.Contains(needed.services, gateway.Name)
	for name, place := range s.placements() {
		s.checkPlacement(name, place, report)
		if slices.Contains(needed.databases, name) && place.DatabaseURL == "" {
			report(name+".database_url", "is required")
		}
		if runsGateway && len(place.URL) == 0 && !slices.Contains(needed.services, name) {
			report(name+".url", "is required by the gateway")
		}
	}
	if needed.split && len(s.Kafka.Brokers) == 0 {
		report("kafka.brokers", "is required")
	}
	if needed.embedded {
		s.checkEmbedded(report)
	}
	if runsGateway && s.Gateway.TLSCertificate != "" && s.Gateway.TLSKey != "" {
		if _, err := tls.LoadX509KeyPair(s.Gateway.TLSCertificate, s.Gateway.TLSKey); err != nil {
			report("gateway.tls_certificate", err.Error())
		}
	}
}

// checkEmbedded judges what the broker and the PostgreSQL that run here take.
func (s *settings) checkEmbedded(report func(key, reason string)) {
	if len(s.Kafka.Brokers) == 0 &&
		(config.SameAddress(s.Kafka.Listen, s.Process.Listen) || config.SameAddress(s.Kafka.Listen, s.Process.AdminConfig.Listen)) {
		report("kafka.listen", "is the address of listen or admin_listen as well")
	}
	if s.Process.DatabaseURL != "" || s.Process.DataDir == "" {
		return
	}
	directory, err := filepath.Abs(s.Process.DataDir)
	if err == nil {
		err = embedded.CheckPath(directory)
	}
	if err != nil {
		report("data_dir", err.Error())
	}
}

// checkPlacement judges the addresses of a service, which concern also processes that it does not run in.
func (s *settings) checkPlacement(name string, place *Placement, report func(key, reason string)) {
	for _, address := range place.URL {
		if !isWebAddress(address) {
			report(name+".url", "holds something that is no address such as http://10.0.0.7:8080")
		}
	}
	for key, address := range map[string]string{"database_url": place.DatabaseURL, "migration_database_url": place.MigrationDatabaseURL} {
		if address == "" {
			continue
		}
		if err := pg.CheckURL(address); err != nil {
			report(name+"."+key, err.Error())
		}
	}
}
