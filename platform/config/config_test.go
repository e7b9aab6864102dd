package config

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/braidhq/braid/testkit/golden"
)

type globalSettings struct {
	Listen  string   `config:"listen" default:"127.0.0.1:8080" flag:"listen" help:"Public address."`
	Brokers []string `config:"kafka_brokers" help:"Brokers."`
	Colors  bool     `config:"colors" flag:"colors" help:"Paint."`
}

type RetrySettings struct {
	Max   int           `config:"max" default:"5" help:"Attempts."`
	Pause time.Duration `config:"pause" default:"100ms" help:"Pause between attempts."`
}

func (r *RetrySettings) Validate(report func(key, reason string)) {
	if r.Max < 1 {
		report("max", "is less than 1")
	}
}

type PoolSettings struct {
	Connections int `config:"connections" default:"10" help:"Connections at most."`
}

func (p *PoolSettings) Validate(report func(key, reason string)) {
	if p.Connections > 20 {
		report("connections", "is more than 20")
	}
}

type workflowSettings struct {
	PoolSettings
	DatabaseURL string        `config:"database_url" secret:"true" help:"Connection string."`
	Retry       RetrySettings `config:"retry"`
	BodyLimit   ByteSize      `config:"body_limit" default:"1MiB" help:"Largest body."`
	Share       float64       `config:"share" default:"0.5" help:"A share."`
	Level       slog.Level    `config:"level" default:"INFO" help:"Lowest level."`
	Untagged    string
}

type bundle struct {
	registry *Registry
	global   *globalSettings
	workflow *workflowSettings
}

func setup() *bundle {
	b := &bundle{registry: New(), global: &globalSettings{}, workflow: &workflowSettings{}}
	b.registry.Section("", b.global)
	b.registry.Section("workflow", b.workflow)
	return b
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// problems returns the lines of a Load that must fail, with the file's directory taken out.
func problems(t *testing.T, err error) []string {
	t.Helper()
	var found Problems
	require.ErrorAs(t, err, &found)
	lines := make([]string, len(found))
	for i, problem := range found {
		problem.Source = filepath.Base(problem.Source)
		lines[i] = problem.String()
	}
	return lines
}

func TestLoadPrecedence(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "braid.yaml", "listen: file:1\nworkflow:\n  retry:\n    max: 7\n    pause: 2s\n")
	b := setup()
	flags := pflag.NewFlagSet("braid", pflag.ContinueOnError)
	b.registry.BindFlags(flags)

	require.NoError(t, b.registry.Load(Sources{}))
	require.Equal(t, "127.0.0.1:8080", b.global.Listen)
	require.Equal(t, ByteSize(1<<20), b.workflow.BodyLimit)

	require.NoError(t, b.registry.Load(Sources{File: file, Flags: flags}))
	require.Equal(t, "file:1", b.global.Listen)
	require.Equal(t, RetrySettings{Max: 7, Pause: 2 * time.Second}, b.workflow.Retry)

	environment := []string{"BRAID_LISTEN=environment:1", "BRAID_WORKFLOW_RETRY_MAX=9", "PATH=/bin", "BRAID_COLORS="}
	require.NoError(t, b.registry.Load(Sources{File: file, Env: environment, Flags: flags}))
	require.Equal(t, "environment:1", b.global.Listen)
	require.Equal(t, RetrySettings{Max: 9, Pause: 2 * time.Second}, b.workflow.Retry)

	require.NoError(t, flags.Parse([]string{"--listen", "flag:1", "--colors"}))
	require.NoError(t, b.registry.Load(Sources{File: file, Env: environment, Flags: flags}))
	require.Equal(t, "flag:1", b.global.Listen)
	require.True(t, b.global.Colors)

	require.NoError(t, b.registry.Load(Sources{}))
	require.Equal(t, "127.0.0.1:8080", b.global.Listen, "a second Load starts from the defaults")
}

func TestFileIsNamedByFlagThenEnvironment(t *testing.T) {
	t.Parallel()
	byEnvironment, byFlag := writeFile(t, "a.yaml", "listen: a:1\n"), writeFile(t, "b.yaml", "listen: b:1\n")
	b := setup()
	flags := pflag.NewFlagSet("braid", pflag.ContinueOnError)
	b.registry.BindFlags(flags, "listen")
	require.Nil(t, flags.Lookup("colors"), "only the flags asked for")
	sources := Sources{Env: []string{"BRAID_CONFIG=" + byEnvironment}, Flags: flags}
	require.NoError(t, b.registry.Load(sources))
	require.Equal(t, "a:1", b.global.Listen)
	require.NoError(t, flags.Parse([]string{"--config", byFlag}))
	require.NoError(t, b.registry.Load(sources))
	require.Equal(t, "b:1", b.global.Listen)
}

func TestFlagIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	b := setup()
	flags := pflag.NewFlagSet("braid", pflag.ContinueOnError)
	b.registry.BindFlags(flags)
	require.ErrorContains(t, flags.Parse([]string{"--colors=maybe"}), "true or false")
}

func TestLists(t *testing.T) {
	t.Parallel()
	b := setup()
	require.NoError(t, b.registry.Load(Sources{Env: []string{"BRAID_KAFKA_BROKERS=a:1, b:2,"}}))
	require.Equal(t, []string{"a:1", "b:2"}, b.global.Brokers)
	require.NoError(t, b.registry.Load(Sources{File: writeFile(t, "c.yaml", "kafka_brokers: [a:1, 'b,c']\n")}))
	require.Equal(t, []string{"a:1", "b,c"}, b.global.Brokers)
	err := b.registry.Load(Sources{Env: []string{"BRAID_KAFKA_BROKERS=,,"}})
	require.Equal(t, []string{`BRAID_KAFKA_BROKERS: kafka_brokers: ",," is not a list with anything in it`}, problems(t, err))
}

func TestMisspelledSectionIsTakenForASection(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"workflov: {retry: {max: 1}}":    `f.yaml:1: workflov: is not known; the nearest known name is workflow`,
		"workflow: {retri: {max: 1}}":    `f.yaml:1: workflow.retri: is not known; the nearest known name is workflow.retry`,
		"workflow: {conections: 3}":      `f.yaml:1: workflow.conections: is not known; the nearest known name is workflow.connections`,
		"workflow: {retry: {x: {y: 1}}}": `f.yaml:1: workflow.retry.x: is not known; the nearest known name is workflow.retry.max`,
	} {
		err := setup().registry.Load(Sources{File: writeFile(t, "f.yaml", content)})
		require.Equal(t, []string{want}, problems(t, err))
	}
}

func TestCheckJudgesAcrossSections(t *testing.T) {
	t.Parallel()
	check := func(report func(key, reason string)) {
		report("listen", "is taken")
		report("workflow.database_url", "is required")
		report("workflow.share", "is not wanted")
	}
	err := setup().registry.Load(Sources{Env: []string{"BRAID_WORKFLOW_SHARE=half", "BRAID_LISTEN=a:1"}, Check: check})
	require.Equal(t, []string{
		`BRAID_LISTEN: listen: is taken`,
		`BRAID_WORKFLOW_SHARE: workflow.share: "half" is not a number`,
		`not set: workflow.database_url: is required (BRAID_WORKFLOW_DATABASE_URL)`,
	}, problems(t, err), "what can't be read is not judged")
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		"127.0.0.1:8080": true, ":0": true, "[::1]:65535": true, "host:99999": false, "host:-1": false, "host": false, "host:http": false,
	} {
		require.Equal(t, good, IsListenAddress(text), text)
	}
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"127.0.0.1:1", "127.0.0.1:1", true}, {":1", "127.0.0.1:1", true}, {"10.0.0.1:1", "[::]:1", true},
		{"127.0.0.1:1", "127.0.0.2:1", false}, {"127.0.0.1:0", "127.0.0.1:0", false}, {"", "127.0.0.1:1", false},
	} {
		require.Equal(t, test.same, SameAddress(test.a, test.b), "%s %s", test.a, test.b)
	}
}

func TestPresetValueIsTheDefault(t *testing.T) {
	t.Parallel()
	registry, settings := New(), &RetrySettings{Max: 3}
	registry.Section("mail", settings)
	require.NoError(t, registry.Load(Sources{}))
	require.Equal(t, RetrySettings{Max: 3, Pause: 100 * time.Millisecond}, *settings)
	require.Equal(t, "3", registry.Reference()[0].Default)
}

func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "braid.yaml", strings.Join([]string{
		"listn: x",                // 1: unknown
		"workflow:",               // 2
		"  connections: many",     // 3: no number
		"  retry:",                // 4
		"    max: 0",              // 5: refused by Validate
		"    pause: [1s, 2s]",     // 6: a list
		"  body_limit: 12 stones", // 7: no size
		"  share: 1",              // 8
		"  share: 2",              // 9: twice
		"  level: {a: b}",         // 10: keys instead of a value
		"colors: ~",               // 11: null is not set
	}, "\n"))
	err := setup().registry.Load(Sources{File: file, Env: []string{
		"BRAID_WORKFLOW_SHARE=half", "BRAID_LISTENING=1", "BRAID_TEST_DATABASE_URL=fine", "BRAIDING=1",
	}})
	require.Equal(t, []string{
		`braid.yaml:1: listn: is not known; the nearest known name is listen`,
		`braid.yaml:3: workflow.connections: "many" is not a whole number in range`,
		`braid.yaml:5: workflow.retry.max: is less than 1`,
		`braid.yaml:6: workflow.retry.pause: "1s,2s" is not a single value`,
		`braid.yaml:7: workflow.body_limit: "12 stones" is not a valid size`,
		`braid.yaml:9: workflow.share: is set twice`,
		`braid.yaml:10: workflow.level: holds further keys where a value is wanted`,
		`BRAID_LISTENING: is not known; the nearest known name is BRAID_LISTEN`,
		`BRAID_WORKFLOW_SHARE: workflow.share: "half" is not a number`,
	}, problems(t, err))
}

func TestValidateNamesTheOrigin(t *testing.T) {
	t.Parallel()
	b := setup()
	err := b.registry.Load(Sources{Env: []string{"BRAID_WORKFLOW_CONNECTIONS=30"}})
	require.Equal(t, []string{`BRAID_WORKFLOW_CONNECTIONS: workflow.connections: is more than 20`}, problems(t, err),
		"once, although the outer struct inherits the method")
	require.NoError(t, b.registry.Load(Sources{
		Env: []string{"BRAID_WORKFLOW_CONNECTIONS=30"}, Unused: []string{"workflow"},
	}), "an unused section is not judged")
}

func TestFileProblems(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ content, want string }{
		"not yaml":      {"a: [", "yaml: "},
		"list":          {"- a\n", "does not hold keys"},
		"two documents": {"listen: a\n---\nlisten: b\n", "more than one document"},
		"section value": {"workflow: 5\n", "no value of its own"},
		"too large":     {strings.Repeat("#", maxFileBytes+1), "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := setup().registry.Load(Sources{File: writeFile(t, "f.yaml", test.content)})
			require.ErrorContains(t, err, test.want)
		})
	}
	require.ErrorContains(t, setup().registry.Load(Sources{File: "absent.yaml"}), "absent.yaml")
	require.NoError(t, setup().registry.Load(Sources{File: writeFile(t, "empty.yaml", "# nothing\n")}))
}

const canary = "postgres://braid:canary-5f1e@db/workflow"

func TestSecrets(t *testing.T) {
	t.Parallel()
	secret := writeFile(t, "url", canary+"\n")
	b := setup()
	require.NoError(t, b.registry.Load(Sources{Env: []string{"BRAID_WORKFLOW_DATABASE_URL_FILE=" + secret}}))
	require.Equal(t, canary, b.workflow.DatabaseURL)
	require.NoError(t, b.registry.Load(Sources{
		File: writeFile(t, "f.yaml", "workflow: {database_url_file: "+secret+"}\n"),
	}))
	require.Equal(t, canary, b.workflow.DatabaseURL)

	var printed strings.Builder
	require.NoError(t, b.registry.Print(&printed))
	require.NotContains(t, printed.String(), "canary")
	require.Contains(t, printed.String(), masked)

	err := b.registry.Load(Sources{Env: []string{
		"BRAID_WORKFLOW_DATABASE_URL=" + canary, "BRAID_WORKFLOW_DATABASE_URL_FILE=" + secret,
	}})
	require.Equal(t, []string{`BRAID_WORKFLOW_DATABASE_URL_FILE: workflow.database_url: ` +
		`BRAID_WORKFLOW_DATABASE_URL is set as well; set one of them`}, problems(t, err))
	err = b.registry.Load(Sources{Env: []string{"BRAID_WORKFLOW_DATABASE_URL_FILE=" + secret + ".absent"}})
	require.ErrorContains(t, err, "no such file")
	err = b.registry.Load(Sources{Env: []string{"BRAID_LISTEN_FILE=" + secret}})
	require.ErrorContains(t, err, "is not known", "only secrets are read from files")
}

func TestBrokenSecretIsNotRepeated(t *testing.T) {
	t.Parallel()
	registry := New()
	registry.Section("", &struct {
		Pin int `config:"pin" secret:"true"`
	}{})
	err := registry.Load(Sources{Env: []string{"BRAID_PIN=canary"}})
	require.Equal(t, []string{"BRAID_PIN: pin: is not a whole number in range"}, problems(t, err))
}

func TestPasswordInPlainFieldIsMasked(t *testing.T) {
	t.Parallel()
	b := setup()
	require.NoError(t, b.registry.Load(Sources{Env: []string{"BRAID_KAFKA_BROKERS=sasl://ada:canary@a:1"}}))
	var printed strings.Builder
	require.NoError(t, b.registry.Print(&printed))
	require.NotContains(t, printed.String(), "canary")
}

func TestPrint(t *testing.T) {
	t.Parallel()
	b := setup()
	sources := Sources{Env: []string{
		"BRAID_KAFKA_BROKERS=a:1,b:2", "BRAID_WORKFLOW_RETRY_PAUSE=3s", "BRAID_WORKFLOW_DATABASE_URL=" + canary,
	}}
	require.NoError(t, b.registry.Load(sources))
	var printed strings.Builder
	require.NoError(t, b.registry.Print(&printed))
	golden.Assert(t, "testdata/print.yaml", printed.String())

	again := setup()
	require.NoError(t, again.registry.Load(Sources{File: writeFile(t, "p.yaml", printed.String())}))
	b.workflow.DatabaseURL = masked
	require.Equal(t, b.global, again.global)
	require.Equal(t, b.workflow, again.workflow)
}

func TestReference(t *testing.T) {
	t.Parallel()
	reference := setup().registry.Reference()
	require.Contains(t, reference, Key{
		Path: "workflow.retry.pause", Section: "workflow", Type: "duration", Default: "100ms",
		Environment: "BRAID_WORKFLOW_RETRY_PAUSE", Help: "Pause between attempts.",
	})
	require.Contains(t, reference, Key{
		Path: "workflow.database_url", Section: "workflow", Type: "string", Help: "Connection string.", Secret: true,
		Environment: "BRAID_WORKFLOW_DATABASE_URL", EnvironmentFile: "BRAID_WORKFLOW_DATABASE_URL_FILE",
	})
	require.Contains(t, reference, Key{
		Path: "listen", Type: "string", Default: "127.0.0.1:8080", Environment: "BRAID_LISTEN", Flag: "listen",
		Help: "Public address.",
	})
}

func TestDefinitionMistakesAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		add  func(*Registry)
		want string
	}{
		"two keys, one variable": {func(r *Registry) {
			r.Section("a", &struct {
				X string `config:"b_c"`
			}{})
			r.Section("a_b", &struct {
				X string `config:"c"`
			}{})
		}, "BRAID_A_B_C already stands for a.b_c"},
		"secret file and key": {func(r *Registry) {
			r.Section("", &struct {
				X string `config:"x" secret:"true"`
				Y string `config:"x_file"`
			}{})
		}, "BRAID_X_FILE already stands for x"},
		"key and section": {func(r *Registry) {
			r.Section("", &struct {
				X string `config:"mail"`
			}{})
			r.Section("mail", &struct{}{})
		}, "a section has the same name"},
		"bad default": {func(r *Registry) {
			r.Section("", &struct {
				X int `config:"x" default:"many"`
			}{})
		}, `"many" is not a whole number`},
		"bad type": {func(r *Registry) {
			r.Section("", &struct {
				X map[string]int `config:"x"`
			}{})
		}, "not supported"},
		"not a pointer": {func(r *Registry) { r.Section("", struct{}{}) }, "not a pointer"},
		"the file's flag": {func(r *Registry) {
			r.Section("", &struct {
				X string `config:"x" flag:"config"`
			}{})
		}, "--config already stands for"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := New()
			test.add(registry)
			require.ErrorContains(t, registry.Load(Sources{}), test.want)
		})
	}
}

func TestByteSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]ByteSize{
		"0": 0, "7": 7, "7B": 7, "64KiB": 64 << 10, "1MiB": 1 << 20, "2 GiB": 2 << 30, "1KB": 1000, "3MB": 3e6,
	} {
		var got ByteSize
		require.NoError(t, got.UnmarshalText([]byte(text)), text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "-1", "1TB", "1.5MiB", "MiB", "9999999999GiB"} {
		require.Error(t, new(ByteSize).UnmarshalText([]byte(text)), text)
	}
}

func TestByteSizeReadsWhatItWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		size := ByteSize(rapid.Int64Range(0, 1<<62).Draw(t, "size"))
		var again ByteSize
		require.NoError(t, again.UnmarshalText([]byte(size.String())))
		require.Equal(t, size, again)
	})
}

func TestEditDistance(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"listen", "listn", 1}, {"ab", "ba", 2}} {
		require.Equal(t, test.want, editDistance(test.a, test.b), "%s %s", test.a, test.b)
		require.Equal(t, test.want, editDistance(test.b, test.a), "%s %s", test.b, test.a)
	}
}
