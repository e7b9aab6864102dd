package bench

import (
	"context"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/pg/embedded"
)

// instance is the measured `braid up`, and beside it, while they are needed, a gateway and a workflow process on its
// databases and its broker.
type instance struct {
	binary, directory string
	// public, admin, kafka and service are the addresses of up.
	public, admin, kafka, service string
	up                            *child

	splitGateway  *child
	splitWorkflow *child
	splitAddress  string
}

func newInstance(binary, directory string) (*instance, error) {
	addresses, err := freeAddresses(4)
	if err != nil {
		return nil, err
	}
	return &instance{
		binary: binary, directory: directory,
		public: addresses[0], admin: addresses[1], kafka: addresses[2], service: addresses[3],
	}, nil
}

func (i *instance) dataDir() string { return filepath.Join(i.directory, "data") }

// unlimited are the settings that differ from what everybody runs with: one machine plays everybody here.
var unlimited = []string{
	"BRAID_GATEWAY_USER_RATE=1000000", "BRAID_GATEWAY_ADDRESS_RATE=1000000", "BRAID_GATEWAY_AUTH_RATE=1000000",
	"BRAID_LOG_FORMAT=json",
}

// start runs up and returns how long it took to be ready.
func (i *instance) start(ctx context.Context) (time.Duration, error) {
	started := time.Now()
	up, err := startChild(ctx, i.binary, filepath.Join(i.directory, "up.log"), "braid up", "http://"+i.admin+"/readyz",
		slices.Concat([]string{"BRAID_SERVICE_LISTEN=" + i.service}, unlimited, deletionSettings()),
		"up", "--data-dir", i.dataDir(), "--listen", i.public, "--admin-listen", i.admin, "--kafka-listen", i.kafka)
	if err != nil {
		return 0, err
	}
	i.up = up
	return time.Since(started), nil
}

func (i *instance) stopUp() error {
	up := i.up
	i.up = nil
	return up.stop()
}

// startSplit runs workflow as a process of its own and a gateway in front of it; what else the gateway needs it finds
// in up.
func (i *instance) startSplit(ctx context.Context, server *embedded.Running) error {
	addresses, err := freeAddresses(4)
	if err != nil {
		return err
	}
	broker, err := bus.ReadClientConfig(i.dataDir())
	if err != nil {
		return err
	}
	environment := append([]string{
		"BRAID_KEY_DIR=" + filepath.Join(i.dataDir(), "keys"),
		"BRAID_KAFKA_BROKERS=" + strings.Join(broker.Brokers, ","),
		"BRAID_KAFKA_SASL_MECHANISM=" + broker.SASL.Mechanism,
		"BRAID_KAFKA_SASL_USERNAME=" + broker.SASL.Username,
		"BRAID_KAFKA_SASL_PASSWORD=" + broker.SASL.Password,
		"BRAID_WORKFLOW_DATABASE_URL=" + server.URL("braid_workflow"),
		"BRAID_WORKFLOW_URL=http://" + addresses[0],
	}, unlimited...)
	for _, service := range []string{"IDENTITY", "ORGANIZATION", "NOTIFICATION", "AUDIT"} {
		environment = append(environment, "BRAID_"+service+"_URL=http://"+i.service)
	}
	for number, service := range []string{"workflow", "gateway"} {
		listen, admin := addresses[2*number], addresses[2*number+1]
		started, err := startChild(ctx, i.binary, filepath.Join(i.directory, service+".log"), "braid serve --services="+service,
			"http://"+admin+"/readyz", append(environment, "BRAID_DATA_DIR="+filepath.Join(i.directory, "serve-"+strconv.Itoa(number))),
			"serve", "--services="+service, "--listen", listen, "--admin-listen", admin)
		if err != nil {
			return err
		}
		if service == "gateway" {
			i.splitGateway, i.splitAddress = started, listen
		} else {
			i.splitWorkflow = started
		}
	}
	return nil
}

func (i *instance) stopSplit() error {
	gateway, workflow := i.splitGateway, i.splitWorkflow
	i.splitGateway, i.splitWorkflow = nil, nil
	if err := gateway.stop(); err != nil {
		return err
	}
	return workflow.stop()
}

// stop ends whatever runs.
func (i *instance) stop() error {
	if i == nil {
		return nil
	}
	if err := i.stopSplit(); err != nil {
		return err
	}
	return i.stopUp()
}

func (i *instance) lastWords() error {
	if i == nil || i.up == nil {
		return nil
	}
	return i.up.lastWords()
}
