package deployment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// node is one braid process of a split deployment.
type node struct {
	name    string
	service string
	listen  string
	admin   string
}

// nodes are the processes: one per service, workflow twice, the gateway last.
func nodes(options Options) ([]node, error) {
	list := []node{
		{name: "identity", service: "identity"}, {name: "organization", service: "organization"},
		{name: "workflow-1", service: "workflow"}, {name: "workflow-2", service: "workflow"},
		{name: "notification", service: "notification"}, {name: "audit", service: "audit"},
		{name: "gateway", service: "gateway"},
	}
	addresses, err := freeAddresses(2 * len(list))
	if err != nil {
		return nil, err
	}
	for i := range list {
		list[i].listen, list[i].admin = addresses[2*i], addresses[2*i+1]
		if list[i].name == "gateway" && options.Listen != "" {
			list[i].listen = options.Listen
		}
		if list[i].name == "notification" && options.AdminListen != "" {
			list[i].admin = options.AdminListen
		}
	}
	return list, nil
}

// StartSplit runs every service as a process of its own, two of workflow, the gateway in front, on Apache Kafka and
// PostgreSQL.
func StartSplit(ctx context.Context, options Options) (*Deployment, error) {
	root, err := repository()
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(options.Directory, 0o755); err != nil {
		return nil, err
	}
	d := &Deployment{
		options: options, braid: binary(root), programs: map[string]*program{},
		database: &database{directory: filepath.Join(options.Directory, partPostgres)}, order: []string{partPostgres},
	}
	kafka, broker, err := newKafka(ctx, root, filepath.Join(options.Directory, "kafka"))
	if err != nil {
		return nil, err
	}
	d.Brokers = []string{broker}
	d.add(kafka)
	if err := d.startAll(ctx); err != nil {
		return nil, err
	}
	if err := d.addNodes(ctx); err != nil {
		return nil, errors.Join(err, d.Stop())
	}
	return d, nil
}

// addNodes makes databases and keys, migrates, and starts the braid processes.
func (d *Deployment) addNodes(ctx context.Context) error {
	list, err := nodes(d.options)
	if err != nil {
		return err
	}
	shared, err := d.sharedEnvironment(ctx, list)
	if err != nil {
		return err
	}
	d.environment = shared
	for _, arguments := range [][]string{{"keys", "init"}, {"migrate"}} {
		command := exec.CommandContext(ctx, d.braid, arguments...)
		command.Env, command.Dir = shared, d.options.Directory
		if output, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("braid %s: %w: %s", strings.Join(arguments, " "), err, output)
		}
	}
	for _, node := range list {
		program := &program{
			name: node.name, command: d.braid,
			arguments:   []string{"serve", "--services=" + node.service, "--listen", node.listen, "--admin-listen", node.admin},
			environment: shared, directory: d.options.Directory, url: "http://" + node.listen,
			ready: httpReady("http://" + node.admin + "/readyz"), logs: filepath.Join(d.options.Directory, node.name+".log"),
		}
		d.add(program)
		switch node.service {
		case "gateway":
			d.URL = "http://" + node.listen
		case "notification":
			d.AdminURL = "http://" + node.admin
		}
	}
	// All are launched before any is waited for: they ask each other.
	for _, node := range list {
		if err := d.programs[node.name].launch(); err != nil {
			return err
		}
	}
	for _, node := range list {
		if err := d.programs[node.name].awaitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// sharedEnvironment is the whole configuration of the split form: nothing but addresses.
func (d *Deployment) sharedEnvironment(ctx context.Context, list []node) ([]string, error) {
	variables := []string{
		"BRAID_DATA_DIR=" + filepath.Join(d.options.Directory, "node"),
		"BRAID_KAFKA_BROKERS=" + strings.Join(d.Brokers, ","),
		"BRAID_NOTIFICATION_MAILBOX=true",
		"BRAID_LOG_FORMAT=json",
	}
	urls := map[string][]string{}
	for _, node := range list {
		if node.service == "gateway" {
			variables = append(variables, "BRAID_PUBLIC_URL=http://"+node.listen)
			continue
		}
		urls[node.service] = append(urls[node.service], "http://"+node.listen)
	}
	for service, addresses := range urls {
		database := "braid_" + service
		if err := d.database.server.EnsureDatabase(ctx, database); err != nil {
			return nil, err
		}
		prefix := "BRAID_" + strings.ToUpper(service)
		variables = append(variables, prefix+"_URL="+strings.Join(addresses, ","), prefix+"_DATABASE_URL="+d.database.server.URL(database))
	}
	return environment(variables, d.options.Environment), nil
}
