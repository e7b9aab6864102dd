// Package architecture holds the rules of the house as tests: who may import whom, how packages present themselves, and
// what the databases let whom touch. Run it with -count=1: what git lists is no part of the test cache's key.
package architecture_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const modulePath = "github.com/braidhq/braid/"

// goPackage is a folder of Go files, whatever system and build tag these are for.
type goPackage struct {
	ImportPath string
	// Imports are those of the package, TestImports those of its tests only.
	Imports, TestImports []string
	// Files are what it holds besides tests, by path.
	Files map[string]*ast.File
}

func (p goPackage) path() string { return strings.TrimPrefix(p.ImportPath, modulePath) }

// listPackages reads every Go file of the module. `go list` would leave out those for other systems.
func listPackages(t *testing.T) []goPackage {
	t.Helper()
	// What git ignores is nobody's writing; tools/ is a module of its own.
	command := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.go", ":!tools/")
	command.Dir = "../.."
	output, err := command.Output()
	require.NoError(t, err)
	folders := map[string]*goPackage{}
	for _, name := range strings.Split(strings.Trim(string(output), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join("../..", name))
		if os.IsNotExist(err) {
			continue // It was removed, and git has not been told yet.
		}
		require.NoError(t, err)
		folder := path.Dir(name)
		if folders[folder] == nil {
			folders[folder] = &goPackage{ImportPath: modulePath + folder, Files: map[string]*ast.File{}}
		}
		folders[folder].add(t, name, content)
	}
	require.Greater(t, len(folders), 20)
	packages := make([]goPackage, 0, len(folders))
	for _, folder := range slices.Sorted(maps.Keys(folders)) {
		packages = append(packages, *folders[folder])
	}
	return packages
}

func (p *goPackage) add(t *testing.T, name string, content []byte) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, content, parser.ParseComments|parser.SkipObjectResolution)
	require.NoError(t, err)
	imports := &p.Imports
	if strings.HasSuffix(name, "_test.go") {
		imports = &p.TestImports
	} else {
		p.Files[name] = file
	}
	for _, imported := range file.Imports {
		path, err := strconv.Unquote(imported.Path.Value)
		require.NoError(t, err)
		if !slices.Contains(*imports, path) {
			*imports = append(*imports, path)
		}
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
		if under(found.path(), "gen") || strings.HasSuffix(found.path(), "/db") || len(found.Files) == 0 {
			continue
		}
		documented := func(file *ast.File) bool { return file.Doc != nil && strings.TrimSpace(file.Doc.Text()) != "" }
		if !slices.ContainsFunc(slices.Collect(maps.Values(found.Files)), documented) {
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
