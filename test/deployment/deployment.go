// Package deployment starts Braid as people run it, for the end-to-end suites and for make run-split: everything in one
// process, or one process per service on a real Kafka and a real PostgreSQL. It runs bin/braid and configures it from
// outside only; it must not reach into a running part.
package deployment

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// Options say how a deployment is made.
type Options struct {
	// Directory is for data and logs; it must exist.
	Directory string
	// Environment is added to every braid process: BRAID_… variables that a test wants otherwise.
	Environment []string
	// Listen is the public address; a free one when empty.
	Listen string
	// AdminListen is the admin address of the process with the mailbox; a free one when empty.
	AdminListen string
}

// Deployment is a running Braid.
type Deployment struct {
	// URL is the gateway's, AdminURL that of the process with the mailbox.
	URL      string
	AdminURL string
	// Brokers are the Kafka addresses; KafkaDirectory holds kcat.conf in the all-in-one form.
	Brokers []string
	// DataDir is the data directory of the all-in-one form, empty otherwise.
	DataDir string

	options Options
	// braid is the binary, environment what the processes of the split form see.
	braid       string
	environment []string
	programs    map[string]*program
	// order is how the parts start; they stop in the reverse order.
	order    []string
	database *database
}

// Parts lists what can be killed, in the order it starts.
func (d *Deployment) Parts() []string { return slices.Clone(d.order) }

// Kill ends a part at once, as kill -9 does.
func (d *Deployment) Kill(part string) error {
	if part == partPostgres && d.database != nil {
		return d.database.kill()
	}
	program, ok := d.programs[part]
	if !ok {
		return fmt.Errorf("there is no part %q", part)
	}
	return program.kill()
}

// Start starts a part that was killed and returns when it is ready.
func (d *Deployment) Start(ctx context.Context, part string) error {
	if part == partPostgres && d.database != nil {
		return d.database.start(ctx)
	}
	program, ok := d.programs[part]
	if !ok {
		return fmt.Errorf("there is no part %q", part)
	}
	return program.start(ctx)
}

// Command prepares a braid command that finds this deployment, such as `events tail`.
func (d *Deployment) Command(ctx context.Context, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, d.braid, arguments...)
	command.Dir = d.options.Directory
	command.Env = d.environment
	if d.DataDir != "" {
		command.Env = environment(d.options.Environment, []string{"BRAID_DATA_DIR=" + d.DataDir})
	}
	return command
}

// Logs lists the files that the parts write their output to, in the order the parts start.
func (d *Deployment) Logs() []string {
	var paths []string
	for _, part := range d.order {
		if program := d.programs[part]; program != nil {
			paths = append(paths, program.logs)
		}
	}
	return paths
}

// Stop ends everything, last started first, as a person would; it returns what did not end cleanly.
func (d *Deployment) Stop() error {
	var problems []error
	for _, part := range slices.Backward(d.order) {
		if part == partPostgres && d.database != nil {
			problems = append(problems, d.database.stop())
			continue
		}
		problems = append(problems, d.programs[part].stop())
	}
	return errors.Join(problems...)
}

// PartURL returns the address of a braid process's own door, past the gateway; empty for what is no braid process.
func (d *Deployment) PartURL(part string) string {
	if program := d.programs[part]; program != nil {
		return program.url
	}
	return ""
}

// PID returns the process id of a part that is a program, 0 when it does not run.
func (d *Deployment) PID(part string) int {
	if program := d.programs[part]; program != nil && program.running != nil {
		return program.running.Process.Pid
	}
	return 0
}

func (d *Deployment) add(program *program) {
	d.programs[program.name] = program
	d.order = append(d.order, program.name)
}

// startAll starts the parts that are added; what it started is stopped again when one fails.
func (d *Deployment) startAll(ctx context.Context) error {
	for i, part := range d.order {
		if err := d.Start(ctx, part); err != nil {
			d.order = d.order[:i]
			return errors.Join(err, d.Stop())
		}
	}
	return nil
}

// partBraid is the one part of the all-in-one form.
const partBraid = "braid"

// StartAllInOne runs `braid up` on a data directory of its own, or on the one that is there already.
func StartAllInOne(ctx context.Context, options Options) (*Deployment, error) {
	root, err := repository()
	if err != nil {
		return nil, err
	}
	addresses, err := freeAddresses(3)
	if err != nil {
		return nil, err
	}
	listen, admin := options.Listen, options.AdminListen
	if listen == "" {
		listen = addresses[0]
	}
	if admin == "" {
		admin = addresses[1]
	}
	// The unprivileged PostgreSQL must be able to pass through.
	if err := os.Chmod(options.Directory, 0o755); err != nil {
		return nil, err
	}
	d := &Deployment{
		URL: "http://" + listen, AdminURL: "http://" + admin, Brokers: []string{addresses[2]},
		DataDir: filepath.Join(options.Directory, "data"), options: options, braid: binary(root), programs: map[string]*program{},
	}
	d.add(&program{
		name: partBraid, command: d.braid,
		arguments:   []string{"up", "--data-dir", d.DataDir, "--listen", listen, "--admin-listen", admin, "--kafka-listen", addresses[2]},
		environment: environment(options.Environment), directory: options.Directory,
		url: d.URL, ready: httpReady(d.AdminURL + "/readyz"), logs: filepath.Join(options.Directory, "braid.log"),
	})
	if err := d.startAll(ctx); err != nil {
		return nil, err
	}
	return d, nil
}

// binary is bin/braid, or the one that BRAID_TEST_BINARY names: that of another commit, say.
func binary(root string) string {
	if path := os.Getenv("BRAID_TEST_BINARY"); path != "" {
		return path
	}
	return filepath.Join(root, "bin", "braid")
}

// environment is what a braid process sees: enough to run, nothing of the caller's own configuration.
func environment(more ...[]string) []string {
	variables := map[string]string{}
	for _, list := range append([][]string{{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.TempDir()}}, more...) {
		for _, variable := range list {
			name, value := cut(variable)
			variables[name] = value
		}
	}
	var result []string
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		result = append(result, name+"="+variables[name])
	}
	return result
}

func cut(variable string) (name, value string) {
	for i := range len(variable) {
		if variable[i] == '=' {
			return variable[:i], variable[i+1:]
		}
	}
	return variable, ""
}
