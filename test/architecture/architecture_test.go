// Package architecture holds the rules of the house as tests: who may import whom, and how packages present
// themselves. Run it with -count=1: what `go list` answers is no part of the test cache's key.
package architecture_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const modulePath = "github.com/braidhq/braid/"

// goPackage is what `go list` says of a package.
type goPackage struct {
	ImportPath string
	Doc        string
	Imports    []string
	GoFiles    []string
}

func (p goPackage) path() string { return strings.TrimPrefix(p.ImportPath, modulePath) }

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Doc,Imports,GoFiles", "./...")
	command.Dir = "../.."
	output, err := command.Output()
	require.NoError(t, err)
	var packages []goPackage
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var found goPackage
		err := decoder.Decode(&found)
		if errors.Is(err, io.EOF) {
			require.Greater(t, len(packages), 20)
			return packages
		}
		require.NoError(t, err)
		packages = append(packages, found)
	}
}

func under(path string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool {
		return path == folder || strings.HasPrefix(path, folder+"/")
	})
}

// layer is the folder of a package within its service: services/workflow/internal/store/db → store.
func layer(path string) (service, layer string) {
	parts := strings.Split(path, "/")
	if len(parts) >= 4 && parts[0] == "services" && parts[2] == "internal" {
		return parts[1], parts[3]
	}
	if len(parts) >= 2 && parts[0] == "services" {
		return parts[1], ""
	}
	return "", ""
}

// rule says what one package may not import.
type rule struct {
	name    string
	breaks  func(from, imported string) bool
	because string
}

var rules = []rule{
	{
		name: "only cmd sees services",
		breaks: func(from, imported string) bool {
			service, _ := layer(imported)
			own, _ := layer(from)
			return service != "" && own != service && !under(from, "cmd", "test")
		},
		because: "a service is called by its contract, in one process as between two",
	},
	{
		name: "platform imports no service",
		breaks: func(from, imported string) bool {
			return under(from, "platform") && under(imported, "services", "gateway", "cmd")
		},
		because: "machinery knows no business",
	},
	{
		name: "domain does no IO",
		breaks: func(from, imported string) bool {
			_, own := layer(from)
			inside := strings.HasPrefix(imported, "platform/") || strings.HasPrefix(imported, "services/") || strings.HasPrefix(imported, "gen/")
			foreign := strings.Contains(strings.Split(imported, "/")[0], ".")
			return own == "domain" && (inside || foreign) && !under(imported, "platform/errs", "platform/id") && imported != from
		},
		because: "rules must be readable and testable without a database",
	},
	{
		name: "app does not look up",
		breaks: func(from, imported string) bool {
			_, own := layer(from)
			_, other := layer(imported)
			return (own == "app" || own == "store" || own == "domain") && (other == "api" || other == "consumer")
		},
		because: "data flows one way: api and consumer call app, app calls domain and store",
	},
	{
		name: "store does not look up",
		breaks: func(from, imported string) bool {
			_, own := layer(from)
			_, other := layer(imported)
			return own == "store" && other == "app"
		},
		because: "data flows one way",
	},
	{
		name: "pgx stays in stores",
		breaks: func(from, imported string) bool {
			_, own := layer(from)
			return strings.HasPrefix(imported, "github.com/jackc/pgx") && own != "store" &&
				!under(from, "platform/pg", "platform/outbox", "platform/inbox", "platform/job", "testkit/pgtest", "test", "cmd/braid/internal/bench")
		},
		because: "everything else speaks platform/pg, so that roles, scopes and retries hold everywhere",
	},
	{
		name: "the Kafka client stays in the bus",
		breaks: func(from, imported string) bool {
			return strings.HasPrefix(imported, "github.com/twmb/franz-go") && !under(from, "platform/bus", "testkit/bustest", "test")
		},
		because: "one place knows how events travel",
	},
	{
		name: "testkit stays in tests",
		breaks: func(from, imported string) bool {
			return under(imported, "testkit") && !under(from, "testkit", "test")
		},
		because: "what tests need must not reach the binary",
	},
}

func TestImportsFollowTheRules(t *testing.T) {
	t.Parallel()
	for _, found := range listPackages(t) {
		for _, imported := range found.Imports {
			target := strings.TrimPrefix(imported, modulePath)
			for _, rule := range rules {
				if rule.breaks(found.path(), target) {
					t.Errorf("%s imports %s: %s (%s)", found.path(), target, rule.name, rule.because)
				}
			}
		}
	}
}

// TestRulesCanBreak keeps the rules from growing toothless.
func TestRulesCanBreak(t *testing.T) {
	t.Parallel()
	broken := map[string][2]string{
		"only cmd sees services":            {"platform/pg", "services/workflow"},
		"platform imports no service":       {"platform/pg", "gateway"},
		"domain does no IO":                 {"services/workflow/internal/domain", "github.com/jackc/pgx/v5"},
		"app does not look up":              {"services/workflow/internal/app", "services/workflow/internal/api"},
		"store does not look up":            {"services/workflow/internal/store", "services/workflow/internal/app"},
		"pgx stays in stores":               {"services/workflow/internal/app", "github.com/jackc/pgx/v5"},
		"the Kafka client stays in the bus": {"platform/outbox", "github.com/twmb/franz-go/pkg/kgo"},
		"testkit stays in tests":            {"platform/pg", "testkit/pgtest"},
	}
	for _, rule := range rules {
		example, ok := broken[rule.name]
		require.True(t, ok, "no example for %q", rule.name)
		require.True(t, rule.breaks(example[0], example[1]), rule.name)
	}
}

func TestEveryPackageHasADoc(t *testing.T) {
	t.Parallel()
	for _, found := range listPackages(t) {
		if under(found.path(), "gen") || strings.HasSuffix(found.path(), "/db") || len(found.GoFiles) == 0 {
			continue
		}
		if found.Doc == "" {
			t.Errorf("%s: the package has no doc: say what it owns and what it must not do", found.path())
		}
	}
}

func TestGoModHasNoReplaces(t *testing.T) {
	t.Parallel()
	command := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json")
	command.Dir = "../.."
	output, err := command.Output()
	require.NoError(t, err)
	var parsed struct{ Replace []any }
	require.NoError(t, json.Unmarshal(output, &parsed))
	require.Empty(t, parsed.Replace, "a replace holds only for this module: whoever imports it gets something else")
}
