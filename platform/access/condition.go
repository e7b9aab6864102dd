package access

import (
	"net/netip"
	"slices"
	"sync"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// maxRemembered is how many conditions a base graph and all above it remember. A condition takes a few kB.
const maxRemembered = 2000

// condition is a compiled condition. It holds no state, so that whoever writes the same text shares it.
type condition struct {
	text       string
	expression expression
	// variables are the names that it mentions, each once.
	variables []string
	// comparisons is how many parts depend on the resource.
	comparisons int
	// personal says that it depends on who the subject is.
	personal bool
}

// expression is a part of a condition. What it reduces to is a constant, unless it depends on attributes of resources
// that a question leaves open.
type expression interface {
	reduce(e *evaluation, subject *Subject) *filter
}

type (
	all       []expression
	some      []expression
	opposite  struct{ of expression }
	literally bool
	// comparison is true when the attribute is one of the values, or the subject's id.
	comparison struct {
		attribute Attribute
		values    []string
		orSubject bool
	}
	// network is true when the client's address is in it.
	network struct{ prefix netip.Prefix }
	// strengthened is true when a second factor was shown.
	strengthened struct{}
	// program is what only CEL itself can tell. It knows no resource.
	program struct{ cel.Program }
)

func (parts all) reduce(e *evaluation, subject *Subject) *filter {
	result := yes
	for _, part := range parts {
		if result = and(result, part.reduce(e, subject)); result == no {
			break
		}
	}
	return result
}

func (parts some) reduce(e *evaluation, subject *Subject) *filter {
	result := no
	for _, part := range parts {
		if result = or(result, part.reduce(e, subject)); result == yes {
			break
		}
	}
	return result
}

func (o opposite) reduce(e *evaluation, subject *Subject) *filter {
	return not(o.of.reduce(e, subject))
}

func (l literally) reduce(*evaluation, *Subject) *filter { return truth(bool(l)) }

func (c *comparison) reduce(e *evaluation, subject *Subject) *filter {
	value, open := e.value(c.attribute, subject)
	switch {
	case value != "":
		return truth(c.orSubject && value == subject.ID || slices.Contains(c.values, value))
	case !open:
		return unknown
	}
	values := slices.Clone(c.values)
	if c.orSubject {
		values = append(values, subject.ID)
	}
	return compare(c.attribute, values)
}

func (n network) reduce(e *evaluation, _ *Subject) *filter {
	if !e.question.Address.IsValid() {
		return unknown
	}
	return truth(inNetwork(e.question.Address, n.prefix))
}

func (strengthened) reduce(e *evaluation, _ *Subject) *filter {
	if e.question.Login.Factor == "" {
		return unknown
	}
	return truth(e.question.Login.SecondFactor)
}

func (p program) reduce(e *evaluation, subject *Subject) *filter {
	e.subject = subject
	value, _, err := p.Eval(e)
	if err != nil {
		return unknown
	}
	held, is := value.(types.Bool)
	if !is {
		return unknown
	}
	return truth(bool(held))
}

// inNetwork takes an address that a mapped one of IPv6 stands for as that of IPv4, and looks at no zone.
func inNetwork(address netip.Addr, network netip.Prefix) bool {
	return network.Contains(address.Unmap().WithZone(""))
}

// CheckCondition reports what is wrong with a condition, as ErrConditionInvalid; the empty one is none, and fine.
func CheckCondition(text string) error {
	if text == "" {
		return nil
	}
	if _, err := compileCondition(text); err != nil {
		return err
	}
	return nil
}

// conditions remembers compiled conditions by their text.
type conditions struct {
	mu    sync.Mutex
	known map[string]*condition
}

func newConditions() *conditions { return &conditions{known: make(map[string]*condition)} }

// compile returns the condition of a text. What is used stays with its graph or holdings; what is remembered is given up all
// at once when there is too much of it, which costs no more than compiling again.
func (c *conditions) compile(text string) (*condition, *refusal) {
	c.mu.Lock()
	known := c.known[text]
	c.mu.Unlock()
	if known != nil {
		return known, nil
	}
	compiled, err := compileCondition(text)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxRemembered {
		clear(c.known)
	}
	c.known[text] = compiled
	return compiled, nil
}

func compileCondition(text string) (*condition, *refusal) {
	if length := utf8.RuneCountInString(text); length > maxConditionLength {
		return nil, invalidAt(text, maxConditionLength, "is longer than 1,000 characters")
	}
	checked, err := check(text)
	if err != nil {
		return nil, err
	}
	parser := conditionParser{text: text, tree: checked.NativeRep()}
	compiled := &condition{text: text}
	compiled.expression, err = parser.parse(parser.tree.Expr())
	if err != nil {
		return nil, err
	}
	compiled.comparisons, compiled.personal = parser.comparisons, parser.personal
	compiled.variables = mentioned(parser.tree.Expr())
	return compiled, nil
}

// mentioned lists the variables of an expression, each once, in the order in which the language has them.
func mentioned(by celast.Expr) (names []string) {
	found := make(map[string]bool)
	celast.PreOrderVisit(by, celast.NewExprVisitor(func(part celast.Expr) { found[identifier(part)] = true }))
	for _, known := range variables {
		if found[known.name] {
			names = append(names, known.name)
		}
	}
	return names
}

// isCall reports whether an expression calls the function, and with which arguments.
func isCall(of celast.Expr, function string) ([]celast.Expr, bool) {
	if of.Kind() != celast.CallKind || of.AsCall().FunctionName() != function {
		return nil, false
	}
	return of.AsCall().Args(), true
}
