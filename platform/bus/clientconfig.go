package bus

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ClientConfigFile is the name of the file below the data directory that lets kcat, and Braid's own commands, reach the
// embedded broker: librdkafka properties, readable by the owner alone.
const ClientConfigFile = "kcat.conf"

// ReadClientConfig returns the connection that ClientConfigFile in directory describes. A file that is not there is
// fs.ErrNotExist.
func ReadClientConfig(directory string) (Connection, error) {
	content, err := os.ReadFile(filepath.Join(directory, ClientConfigFile))
	if err != nil {
		return Connection{}, fmt.Errorf("read broker credentials: %w", err)
	}
	var connection Connection
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		switch strings.TrimSpace(key) {
		case "bootstrap.servers":
			connection.Brokers = strings.Split(strings.TrimSpace(value), ",")
		case "security.protocol":
			connection.TLS.Enabled = strings.HasSuffix(strings.TrimSpace(value), "SSL")
		case "sasl.mechanisms":
			connection.SASL.Mechanism = strings.TrimSpace(value)
		case "sasl.username":
			connection.SASL.Username = strings.TrimSpace(value)
		case "sasl.password":
			connection.SASL.Password = strings.TrimSpace(value)
		}
	}
	if err := connection.Validate(); err != nil {
		return Connection{}, fmt.Errorf("read broker credentials: %s: %w", ClientConfigFile, err)
	}
	return connection, nil
}

// writeClientConfig replaces the file as a whole: a reader sees the old one or the new one, and never one that others
// may read.
func writeClientConfig(directory string, connection Connection) error {
	content := "# How to watch the embedded broker: kcat -F kcat.conf -L. Written at every start; the password stays.\n" +
		"bootstrap.servers=" + strings.Join(connection.Brokers, ",") + "\n" +
		"security.protocol=SASL_PLAINTEXT\n" +
		"sasl.mechanisms=" + connection.SASL.Mechanism + "\n" +
		"sasl.username=" + connection.SASL.Username + "\n" +
		"sasl.password=" + connection.SASL.Password + "\n"
	file, err := os.CreateTemp(directory, ClientConfigFile+".*") // CreateTemp makes it 0600.
	if err != nil {
		return fmt.Errorf("write broker credentials: %w", err)
	}
	defer func() { _ = os.Remove(file.Name()) }() // Of no effect once it has been renamed.
	_, err = file.WriteString(content)
	if err == nil {
		err = file.Sync()
	}
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(file.Name(), filepath.Join(directory, ClientConfigFile))
	}
	if err != nil {
		return fmt.Errorf("write broker credentials: %w", err)
	}
	return nil
}
