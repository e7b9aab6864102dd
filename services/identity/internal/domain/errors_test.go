package domain_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	platformv1 "github.com/braidhq/braid/gen/go/braid/platform/v1"
)

func TestReasonsAreInTheContract(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0)
	require.NoError(t, err)
	var reasons []string
	ast.Inspect(file, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok || len(call.Args) != 3 {
			return true
		}
		literal, ok := call.Args[1].(*ast.BasicLit)
		require.True(t, ok)
		reason, err := strconv.Unquote(literal.Value)
		require.NoError(t, err)
		reasons = append(reasons, reason)
		return true
	})
	require.Len(t, reasons, 61, "every error of errors.go was found")
	for _, reason := range reasons {
		_, own := identityv1.ErrorReason_value[reason]
		_, common := platformv1.ErrorReason_value[reason]
		require.True(t, own || common, "%s is in no ErrorReason", reason)
	}
}
