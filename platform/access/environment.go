package access

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/checker"
	"cel.dev/cel-go/common"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/braidhq/braid/platform/errs"
)

// What bounds a condition. Costs are CEL's: about one per operation, and one per ten characters that are read.
const (
	maxConditionLength = 1000
	maxConditionNodes  = 500
	maxConditionDepth  = 50
	// maxPatternSize bounds all patterns of a condition together, in instructions of Go's regular expressions.
	maxPatternSize = 500
	maxCost        = 5000
	// maxValueLength is how long the values of a question are taken to be when a condition's cost is estimated; longer
	// ones meet the same bound when it is evaluated.
	maxValueLength = 200
)

const (
	now                 = "now"
	requestAddress      = "request.address"
	requestSecondFactor = "request.secondFactor"
	requestLoginTime    = "request.loginTime"
	inNetworkFunction   = "inNetwork"
)

// variables are all that conditions can ask for.
var variables = []struct {
	name string
	of   *cel.Type
}{
	{now, cel.TimestampType},
	{requestAddress, cel.StringType},
	{string(requestFactor), cel.StringType},
	{requestSecondFactor, cel.BoolType},
	{requestLoginTime, cel.TimestampType},
	{string(subjectID), cel.StringType},
	{string(subjectKind), cel.StringType},
	{string(ResourceType), cel.StringType},
	{string(ResourceID), cel.StringType},
	{string(ResourceProject), cel.StringType},
	{string(ResourceOwner), cel.StringType},
}

// environment is the language of conditions. Without macros there is no loop in it, so that what is evaluated is as long
// as what is written. Names with dots are variables of their own: there is no resource as such that could be passed on.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	options := []cel.EnvOption{
		cel.ClearMacros(),
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(maxConditionLength),
		cel.ParserRecursionLimit(maxConditionDepth),
		cel.ExpressionNodeLimit(maxConditionNodes),
		cel.ASTValidators(cel.ValidateTimestampLiterals(), cel.ValidateDurationLiterals(), cel.ValidateRegexLiterals()),
		cel.Function(inNetworkFunction, cel.Overload("in_network_string_string", []*cel.Type{cel.StringType, cel.StringType},
			cel.BoolType, cel.BinaryBinding(callInNetwork))),
	}
	for _, known := range variables {
		options = append(options, cel.Variable(known.name, known.of))
	}
	return cel.NewEnv(options...)
})

// callInNetwork is for calls within what only CEL can tell; the usual ones are evaluated without it.
func callInNetwork(address, network ref.Val) ref.Val {
	parsed, err := netip.ParseAddr(fmt.Sprint(address.Value()))
	if err != nil {
		return types.WrapErr(err)
	}
	prefix, err := netip.ParsePrefix(fmt.Sprint(network.Value()))
	if err != nil {
		return types.WrapErr(err)
	}
	return types.Bool(inNetwork(parsed, prefix))
}

// check parses a condition, and checks its types and its cost.
func check(text string) (*cel.Ast, *refusal) {
	language, err := environment()
	if err != nil {
		return nil, errs.From(fmt.Errorf("make language of conditions: %w", err))
	}
	checked, issues := language.Compile(text)
	if issues.Err() != nil {
		first := issues.Errors()[0]
		message := first.Message
		if name := nameAt(language, text, first.Location); name != "" && strings.HasPrefix(message, undeclared) {
			message = name + " is not known; known are " + knownNames()
		}
		return nil, invalidAtLine(text, first.Location.Line(), first.Location.Column(), message)
	}
	if !checked.OutputType().IsExactType(cel.BoolType) {
		return nil, invalidAt(text, 0, "must be true or false, and is of type "+checked.OutputType().String())
	}
	cost, err := language.EstimateCost(checked, sizes{})
	if err != nil || cost.Max > maxCost {
		return nil, invalidAt(text, 0, "costs too much to evaluate")
	}
	return checked, nil
}

// undeclared begins CEL's complaint about a name, of which it names only what stands before the first dot.
const undeclared = "undeclared reference"

// nameAt returns the whole name, with its dots, that begins at a place of a condition; empty where there is none.
func nameAt(language *cel.Env, text string, place common.Location) (found string) {
	parsed, issues := language.Parse(text)
	if issues.Err() != nil {
		return ""
	}
	tree := parsed.NativeRep()
	celast.PreOrderVisit(tree.Expr(), celast.NewExprVisitor(func(part celast.Expr) {
		name, first := qualified(part)
		if found != "" || name == "" {
			return
		}
		start := tree.SourceInfo().GetStartLocation(first)
		if start.Line() == place.Line() && start.Column() == place.Column() {
			found = name
		}
	}))
	return found
}

// qualified returns a name that is written with dots, and the id of its first part; empty for anything else.
func qualified(of celast.Expr) (name string, first int64) {
	switch of.Kind() {
	case celast.IdentKind:
		return of.AsIdent(), of.ID()
	case celast.SelectKind:
		if name, first = qualified(of.AsSelect().Operand()); name != "" {
			name += "." + of.AsSelect().FieldName()
		}
	}
	return name, first
}

// knownNames lists what a condition can ask for.
func knownNames() string {
	names := make([]string, 0, len(variables))
	for _, known := range variables {
		names = append(names, known.name)
	}
	return strings.Join(names, ", ") + " and " + inNetworkFunction + "(" + requestAddress + `, "10.0.0.0/8")`
}

// plan makes a part of a checked condition ready to be evaluated.
func plan(part *celast.AST) (cel.Program, error) {
	language, err := environment()
	if err != nil {
		return nil, err
	}
	return language.PlanProgram(part, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost))
}

// sizes tells the estimate of costs how long values can be.
type sizes struct{}

func (sizes) EstimateSize(checker.AstNode) *checker.SizeEstimate {
	return &checker.SizeEstimate{Max: maxValueLength}
}

func (sizes) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}

// refusal is an error of this package before it is one for everybody: a nil one must not become an error.
type refusal = errs.Error

// invalidAt says what is wrong at an offset in characters.
func invalidAt(text string, offset int, message string) *refusal {
	before := string([]rune(text)[:offset])
	line := strings.Count(before, "\n")
	return invalidAtLine(text, line+1, len([]rune(before[strings.LastIndexByte(before, '\n')+1:])), message)
}

// invalidAtLine takes a line from 1 and a column from 0, as CEL has them.
func invalidAtLine(text string, line, column int, message string) *refusal {
	line, column = max(line, 1), max(column, 0)
	position := column + 1
	if offset, known := common.NewTextSource(text).LocationOffset(common.NewLocation(line, column)); known {
		position = int(offset) + 1
	}
	where := "At line " + strconv.Itoa(line) + ", column " + strconv.Itoa(column+1) + ": "
	return ErrConditionInvalid.WithMessage("The condition is not valid. "+where+message+".").
		With("line", strconv.Itoa(line)).With("column", strconv.Itoa(column+1)).With("position", strconv.Itoa(position)).
		With("problem", message)
}
