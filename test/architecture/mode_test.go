package architecture_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// No code outside cmd/ knows which mode it runs in: everything in one process, or each service in its own. A test can't
// read minds; it finds the ways by which code could come to know, or would say that it does.

// modeName is what somebody would call a mode, or the question which it is.
var modeName = regexp.MustCompile(`(?i)^(is|in|run|runs|running)?_?(all_?in_?one|mono_?lith(ic)?|stand_?alone|(one|single|same)_?process|split_?(mode|form)|(run|process|deployment)_?mode|co_?located|distributed)(_?mode)?$`)

// modeTexts are texts that only somebody who asks for the mode compares with: commands, and names of modes.
var modeTexts = []string{"up", "serve", "split", "all-in-one", "allinone", "standalone", "monolith", "embedded"}

// starters are what starts what is embedded: bus.StartEmbedded, and its kind.
var starters = regexp.MustCompile(`^(Start)?Embedded(Config)?$`)

// surroundings are what tells a process how it was started; settings come by platform/config, from cmd.
var surroundings = map[string][]string{
	"os": {"Args", "Getenv", "LookupEnv", "Environ", "ExpandEnv", "Getppid"}, "syscall": {"Getenv", "Environ", "Getppid"}, "debug": {"ReadBuildInfo"},
}

// knowsMode says where a package's code could know the mode.
func knowsMode(from goPackage) (found []string) {
	if !under(from.path(), "platform", "gateway", "services") {
		return nil
	}
	for name, file := range from.Files {
		tell := func(what string) { found = append(found, fmt.Sprintf("%s: %s", name, what)) }
		ast.Inspect(file, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.Ident:
				if modeName.MatchString(node.Name) {
					tell(node.Name + " is the name of a mode")
				}
			case *ast.BasicLit:
				text, err := strconv.Unquote(node.Value)
				if err == nil && node.Kind == token.STRING && slices.Contains(modeTexts, strings.ToLower(text)) {
					tell(node.Value + " is the text of a mode")
				}
			case *ast.SelectorExpr:
				owner, _ := node.X.(*ast.Ident)
				if owner == nil {
					return true
				}
				if slices.Contains(surroundings[owner.Name], node.Sel.Name) {
					tell(owner.Name + "." + node.Sel.Name + " tells how the process was started")
				}
				if owner.Name == "bus" && starters.MatchString(node.Sel.Name) {
					tell(owner.Name + "." + node.Sel.Name + " is for what runs its own broker")
				}
			}
			return true
		})
	}
	slices.Sort(found)
	return found
}

func TestNobodyOutsideCmdKnowsTheMode(t *testing.T) {
	t.Parallel()
	looked := 0
	for _, from := range listPackages(t) {
		looked += len(from.Files)
		for _, problem := range knowsMode(from) {
			t.Error(problem + ": only cmd/ knows in which mode it runs")
		}
	}
	require.Greater(t, looked, 200)
}

func TestModesAreNoticed(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`type Config struct{ Embedded bool }`:                                           "",
		`func f() { if allInOne { } }`:                                                  "allInOne is the name of a mode",
		`type Config struct{ Standalone bool }`:                                         "Standalone is the name of a mode",
		`func isSplitMode() bool { return false }`:                                      "isSplitMode is the name of a mode",
		`func f(mode string) bool { return mode == "serve" }`:                           `"serve" is the text of a mode`,
		`func f() []string { return os.Args }`:                                          "os.Args tells how the process was started",
		`var split = os.Getenv("BRAID_WORKFLOW_URL") != ""`:                             "os.Getenv tells how the process was started",
		`var broker *bus.Embedded`:                                                      "bus.Embedded is for what runs its own broker",
		`func f(text string) []string { return strings.Split(text, "split by words") }`: "",
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "f.go", "package f\n"+body, parser.SkipObjectResolution)
		require.NoError(t, err)
		for place, sees := range map[string]bool{"services/workflow": true, "platform/rpc": true, "gateway": true, "cmd/braid": false, "test/e2e": false} {
			found := knowsMode(goPackage{ImportPath: modulePath + place, Files: map[string]*ast.File{"f.go": file}})
			if want == "" || !sees {
				require.Empty(t, found, body)
				continue
			}
			require.Equal(t, []string{"f.go: " + want}, found, body)
		}
	}
}
