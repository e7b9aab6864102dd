package architecture_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Who is told sooner that the first byte of a token was wrong than that the last one was can find it byte by byte. What is
// secret is compared in constant time, with crypto/subtle or hmac.Equal, and never by what stops at the first difference.

// secretName is what somebody calls a secret, or what is kept of one.
var secretName = regexp.MustCompile(`(?i)(hash|hashed|token|secret|digest|signature|password|otp|mac|code|codehash|nonce|verifier)(es|s)?$`)

// harmlessName is what ends like a secret and is none: what a login was done by, codes of other sorts, places in a list.
var harmlessName = regexp.MustCompile(`(?i)^by|(country|language|page|next|status|exit)(code|token)$`)

// hastyCalls are those that stop at the first difference.
var hastyCalls = map[string][]string{
	"bytes": {"Equal", "Compare", "EqualFold"}, "slices": {"Equal", "Compare", "Contains", "Index"}, "strings": {"EqualFold", "Compare"}, "reflect": {"DeepEqual"},
}

// hasteWithSecrets says where a package compares what is secret with what takes the shorter for less like it.
func hasteWithSecrets(from goPackage) (found []string) {
	if !under(from.path(), "services/identity", "services/organization", "platform/secret", "platform/authn") {
		return nil
	}
	for name, file := range from.Files {
		if ast.IsGenerated(file) {
			continue
		}
		ast.Inspect(file, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.BinaryExpr:
				if (node.Op == token.EQL || node.Op == token.NEQ) && secretPair(node.X, node.Y) {
					found = append(found, fmt.Sprintf("%s: %s %s %s", name, secretIn(node.X), node.Op, secretIn(node.Y)))
				}
			case *ast.CallExpr:
				selector, ok := node.Fun.(*ast.SelectorExpr)
				if !ok || len(node.Args) != 2 {
					return true
				}
				owner, _ := selector.X.(*ast.Ident)
				if owner != nil && slices.Contains(hastyCalls[owner.Name], selector.Sel.Name) && secretPair(node.Args[0], node.Args[1]) {
					found = append(found, fmt.Sprintf("%s: %s.%s of %s", name, owner.Name, selector.Sel.Name, secretIn(node.Args[0])+secretIn(node.Args[1])))
				}
			}
			return true
		})
	}
	return found
}

// secretPair reports whether one of two compared values is secret, and the other no constant.
func secretPair(one, other ast.Expr) bool {
	return !constant(one) && !constant(other) && secretIn(one)+secretIn(other) != ""
}

// constant reports whether a value stands in the source: comparing with it tells only whether there is a secret.
func constant(value ast.Expr) bool {
	switch value := value.(type) {
	case *ast.BasicLit:
		return true
	case *ast.Ident:
		return value.Name == "nil" || value.Name == "true" || value.Name == "false"
	}
	return false
}

// secretIn returns the name by which a value is known to be secret, "" for none.
func secretIn(value ast.Expr) string {
	name := ""
	switch value := value.(type) {
	case *ast.Ident:
		name = value.Name
	case *ast.SelectorExpr:
		name = value.Sel.Name
	case *ast.IndexExpr:
		return secretIn(value.X)
	case *ast.SliceExpr:
		return secretIn(value.X)
	case *ast.ParenExpr:
		return secretIn(value.X)
	case *ast.StarExpr:
		return secretIn(value.X)
	case *ast.CallExpr:
		// A conversion, or a function that makes one: string(token), HashToken(token), request.GetToken().
		if called, ok := value.Fun.(*ast.Ident); ok && called.Name == "len" {
			return ""
		}
		if made := secretIn(value.Fun); made != "" {
			return made
		}
		if _, elsewhere := value.Fun.(*ast.SelectorExpr); !elsewhere && len(value.Args) == 1 {
			return secretIn(value.Args[0])
		}
	}
	if secretName.MatchString(name) && !harmlessName.MatchString(name) {
		return name
	}
	return ""
}

func TestSecretsAreComparedInConstantTime(t *testing.T) {
	t.Parallel()
	for _, each := range listPackages(t) {
		for _, problem := range hasteWithSecrets(each) {
			t.Error(problem)
		}
	}
}

// Each of these is what the test is for, and must be found; what is beside it must not be.
func TestHasteWithSecretsIsNoticed(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{
		`a.tokenHash == b`: 1, `token != stored.Token`: 1, `bytes.Equal(hash, row.Hash)`: 1, `string(codeHash) == x`: 1, `request.GetToken() == known`: 1,
		`slices.Equal(sum[:], kept.Digest)`: 1, `HashToken(given) == kept`: 1, `strings.EqualFold(code, x)`: 1,
		`token == ""`: 0, `len(hash) == size`: 0, `hash == nil`: 0, `subtle.ConstantTimeCompare(hash, row.Hash) == 1`: 0, `kind == wanted`: 0, `bytes.Equal(a, b)`: 0,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\nvar _ = "+body, 0)
		require.NoError(t, err)
		found := hasteWithSecrets(goPackage{ImportPath: modulePath + "services/identity/internal/app", Files: map[string]*ast.File{"x.go": file}})
		require.Len(t, found, want, body)
	}
}
