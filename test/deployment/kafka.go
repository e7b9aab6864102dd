package deployment

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const partBroker = "broker"

// newKafka prepares a one-node Apache Kafka (KRaft) below a directory. Its jars are fetched by `make kafka`.
func newKafka(ctx context.Context, root, directory string) (*program, string, error) {
	jars := filepath.Join(root, ".cache", "kafka", "lib")
	if _, err := os.Stat(jars); err != nil {
		return nil, "", fmt.Errorf("no Kafka in %s: run make kafka", jars)
	}
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, "", err
	}
	addresses, err := freeAddresses(2)
	if err != nil {
		return nil, "", err
	}
	properties := filepath.Join(directory, "server.properties")
	if err := os.WriteFile(properties, []byte(kafkaProperties(directory, addresses[0], addresses[1])), 0o600); err != nil {
		return nil, "", err
	}
	classpath := jars + "/*"
	if _, err := os.Stat(filepath.Join(directory, "data")); os.IsNotExist(err) {
		clusterID, err := exec.CommandContext(ctx, "java", "-cp", classpath, "kafka.tools.StorageTool", "random-uuid").Output()
		if err != nil {
			return nil, "", fmt.Errorf("name the Kafka cluster: %w", err)
		}
		format := exec.CommandContext(ctx, "java", "-cp", classpath, "kafka.tools.StorageTool", "format",
			"-t", strings.TrimSpace(string(clusterID)), "-c", properties)
		if output, err := format.CombinedOutput(); err != nil {
			return nil, "", fmt.Errorf("format the Kafka storage: %w: %s", err, output)
		}
	}
	return &program{
		name: partBroker, command: "java",
		arguments:   []string{"-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", classpath, "kafka.Kafka", properties},
		environment: environment(), directory: directory,
		ready: dialReady(addresses[0]), logs: filepath.Join(directory, "kafka.log"), stopStatus: 143,
	}, addresses[0], nil
}

func kafkaProperties(directory, listen, controller string) string {
	return strings.Join([]string{
		"process.roles=broker,controller",
		"node.id=1",
		"controller.quorum.bootstrap.servers=" + controller,
		"controller.quorum.voters=1@" + controller,
		"listeners=PLAINTEXT://" + listen + ",CONTROLLER://" + controller,
		"advertised.listeners=PLAINTEXT://" + listen,
		"controller.listener.names=CONTROLLER",
		"log.dirs=" + filepath.Join(directory, "data"),
		"auto.create.topics.enable=false",
		"offsets.topic.replication.factor=1",
		"offsets.topic.num.partitions=4",
		"transaction.state.log.replication.factor=1",
		"transaction.state.log.min.isr=1",
		"group.initial.rebalance.delay.ms=0",
		"",
	}, "\n")
}
