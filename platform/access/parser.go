package access

import (
	"net/netip"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"time"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
)

// conditionParser turns a checked tree of CEL into expressions: the part that joins is taken apart, comparisons of
// attributes become ours, so that they can be left open, and the rest stays with CEL.
type conditionParser struct {
	text        string
	tree        *celast.AST
	comparisons int
	personal    bool
	patternSize int
}

func (p *conditionParser) parse(of celast.Expr) (expression, *refusal) {
	if args, is := isCall(of, operators.LogicalAnd); is {
		parts, err := p.parseAll(args)
		return all(parts), err
	}
	if args, is := isCall(of, operators.LogicalOr); is {
		parts, err := p.parseAll(args)
		return some(parts), err
	}
	if args, is := isCall(of, operators.LogicalNot); is {
		part, err := p.parse(args[0])
		return opposite{part}, err
	}
	if args, is := isCall(of, operators.NotEquals); is {
		if compared, is := p.equal(args[0], args[1]); is {
			return opposite{compared}, nil
		}
	}
	if args, is := isCall(of, operators.Equals); is {
		if compared, is := p.equal(args[0], args[1]); is {
			return compared, nil
		}
	}
	if args, is := isCall(of, operators.In); is && args[1].Kind() == celast.ListKind {
		if compared, is := p.compare(args[0], args[1].AsList().Elements()); is {
			return compared, nil
		}
	}
	if args, is := isCall(of, inNetworkFunction); is && identifier(args[0]) == requestAddress {
		prefix, err := p.prefix(args[1])
		return network{prefix}, err
	}
	if identifier(of) == requestSecondFactor {
		return strengthened{}, nil
	}
	if of.Kind() == celast.LiteralKind {
		return literally(of.AsLiteral() == types.True), nil
	}
	return p.program(of)
}

func (p *conditionParser) parseAll(of []celast.Expr) ([]expression, *refusal) {
	parts := make([]expression, 0, len(of))
	for _, arg := range of {
		part, err := p.parse(arg)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// equal takes a comparison of two values either way around.
func (p *conditionParser) equal(left, right celast.Expr) (expression, bool) {
	if compared, is := p.compare(left, []celast.Expr{right}); is {
		return compared, true
	}
	return p.compare(right, []celast.Expr{left})
}

// compare takes a comparison of an attribute with constants and the subject's id, and nothing else.
func (p *conditionParser) compare(left celast.Expr, right []celast.Expr) (expression, bool) {
	compared := &comparison{attribute: Attribute(identifier(left))}
	if !slices.Contains(attributes, compared.attribute) {
		return nil, false
	}
	for _, value := range right {
		switch {
		case identifier(value) == string(subjectID):
			compared.orSubject = true
		case value.Kind() == celast.LiteralKind:
			text, is := value.AsLiteral().(types.String)
			if !is {
				return nil, false
			}
			compared.values = append(compared.values, string(text))
		default:
			return nil, false
		}
	}
	if ofResource(string(compared.attribute)) {
		p.comparisons++
	}
	p.personal = p.personal || compared.orSubject || strings.HasPrefix(string(compared.attribute), "subject.")
	return compared, true
}

// attributes are the variables of type string that comparisons are taken over for.
var attributes = []Attribute{ResourceType, ResourceID, ResourceProject, ResourceOwner, requestFactor, subjectID, subjectKind}

// program leaves a part to CEL, once it is seen that nothing in it depends on the resource, or is only found to be
// wrong when it is asked.
func (p *conditionParser) program(of celast.Expr) (expression, *refusal) {
	if err := p.inspect(of); err != nil {
		return nil, err
	}
	planned, err := plan(celast.NewCheckedAST(celast.NewAST(of, p.tree.SourceInfo()), p.tree.TypeMap(), p.tree.ReferenceMap()))
	if err != nil {
		return nil, p.invalid(of, "can't be evaluated: "+err.Error())
	}
	return program{planned}, nil
}

func (p *conditionParser) inspect(of celast.Expr) (refused *refusal) {
	celast.PreOrderVisit(of, celast.NewExprVisitor(func(part celast.Expr) {
		if refused != nil {
			return
		}
		name := identifier(part)
		switch {
		case ofResource(name):
			refused = p.invalid(part, name+" may only be compared (==, !=, in) with constants and subject.id, and such comparisons "+
				"only be joined by &&, || and !: lists are filtered by them")
		case strings.HasPrefix(name, "subject."):
			p.personal = true
		}
		if args, is := isCall(part, inNetworkFunction); is {
			_, refused = p.prefix(args[1])
		}
		if args, is := isCall(part, overloads.Matches); is {
			refused = p.pattern(part, args)
		}
		if part.Kind() == celast.CallKind && strings.HasPrefix(part.AsCall().FunctionName(), "get") {
			refused = p.zone(part.AsCall().Args())
		}
	}))
	return refused
}

// prefix reads the network of a call, which is a constant, so that a mistake in it is found now.
func (p *conditionParser) prefix(of celast.Expr) (netip.Prefix, *refusal) {
	text, _ := literal(of)
	prefix, err := netip.ParsePrefix(text)
	if err != nil || prefix.Addr().Is4In6() {
		return prefix, p.invalid(of, `a network is a constant like "10.0.0.0/8" or "2001:db8::/32"`)
	}
	return prefix.Masked(), nil
}

// pattern bounds a regular expression by the program it becomes, which is what its repetitions blow up. CEL's own limit
// can't be used: it panics on repetitions, as it compiles what was not simplified.
func (p *conditionParser) pattern(call celast.Expr, args []celast.Expr) *refusal {
	of := call
	if call.AsCall().IsMemberFunction() {
		of = args[0]
	} else if len(args) == 2 {
		of = args[1]
	}
	pattern, constant := literal(of)
	if !constant {
		return p.invalid(of, "a pattern is a constant")
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return p.invalid(of, "the pattern is not valid")
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return p.invalid(of, "the pattern is not valid")
	}
	if p.patternSize += len(program.Inst); p.patternSize > maxPatternSize {
		return p.invalid(of, "the patterns are too large")
	}
	return nil
}

// zone reads the time zone in which a part of a timestamp is asked for: where there is none, that would be unknown forever.
func (p *conditionParser) zone(args []celast.Expr) *refusal {
	if len(args) == 0 {
		return nil
	}
	name, constant := literal(args[0])
	if _, err := time.LoadLocation(name); !constant || err != nil && !offset.MatchString(name) {
		return p.invalid(args[0], `a time zone is a constant like "Europe/Berlin" or "+02:00"`)
	}
	return nil
}

var offset = regexp.MustCompile(`^[+-]?[0-2][0-9]:[0-5][0-9]$`)

func (p *conditionParser) invalid(at celast.Expr, message string) *refusal {
	start := p.tree.SourceInfo().GetStartLocation(at.ID())
	return invalidAtLine(p.text, start.Line(), start.Column(), message)
}

func ofResource(name string) bool { return strings.HasPrefix(name, "resource.") }

// identifier is the qualified name of a variable, and empty for anything else.
func identifier(of celast.Expr) string {
	if of.Kind() != celast.IdentKind {
		return ""
	}
	return of.AsIdent()
}

func literal(of celast.Expr) (string, bool) {
	if of.Kind() != celast.LiteralKind {
		return "", false
	}
	text, is := of.AsLiteral().(types.String)
	return string(text), is
}
