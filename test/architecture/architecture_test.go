// Package architecture holds the rules of the house as tests: who may import whom, how packages present themselves, and
// what the databases let whom touch. Run it with -count=1: what `go list` answers is no part of the test cache's key.
package architecture_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
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

func TestImportsFollowTheRules(t *testing.T) {
	t.Parallel()
	for _, violation := range violations(listPackages(t)) {
		t.Error(violation)
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
