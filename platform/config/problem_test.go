package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

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

func TestOnlyWhatIsNearIsSuggested(t *testing.T) {
	t.Parallel()
	known := []string{"BRAID_CONFIG", "BRAID_LISTEN", "level", "workflow.retry.max"}
	for name, want := range map[string]string{
		"BRAID_CONFG": "BRAID_CONFIG", "BRAID_LISTENING": "BRAID_LISTEN", "lvel": "level", "workflow.retri.maximum": "workflow.retry.max",
		"BRAID_FOO": "", "BRAID_COLOR": "", "BRAID_": "", "x": "", "palette": "", "workflow": "",
	} {
		require.Equal(t, want, nearest(name, known), name)
	}
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
