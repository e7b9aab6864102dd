package access

import "slices"

// Attribute is a property of a resource or of a request that conditions compare.
type Attribute string

// The attributes of resources are what lists filter by; the others are known when a question is asked.
const (
	ResourceType    Attribute = "resource.type"
	ResourceID      Attribute = "resource.id"
	ResourceProject Attribute = "resource.project"
	ResourceOwner   Attribute = "resource.owner"

	requestFactor Attribute = "request.factor"
	subjectID     Attribute = "subject.id"
	subjectKind   Attribute = "subject.kind"
)

// filter says of which resources something is true: a tree over their attributes in the three-valued logic of SQL. Whatever
// is known is a constant, so that a question about one resource has yes, no or unknown for an answer, and a question
// about all of them a tree of what depends on the resource. Filters are immutable and share their parts.
type filter struct {
	kind filterKind
	// attribute and values belong to a comparison: the attribute is one of the values, and unknown where it is missing.
	attribute Attribute
	values    []string
	parts     []*filter
}

type filterKind int

const (
	constant filterKind = iota
	oneOf
	conjunction
	disjunction
	negation
	// certainly is true where its part is true, and false elsewhere; possibly is false where its part is false, and true
	// elsewhere.
	certainly
	possibly
)

// The constants are compared by address.
var yes, no, unknown = &filter{}, &filter{}, &filter{}

func truth(value bool) *filter {
	if value {
		return yes
	}
	return no
}

func and(left, right *filter) *filter {
	switch {
	case left == no || right == no:
		return no
	case left == yes || left == right:
		return right
	case right == yes:
		return left
	default:
		return join(conjunction, []*filter{left, right})
	}
}

func or(left, right *filter) *filter {
	switch {
	case left == yes || right == yes:
		return yes
	case left == no || left == right:
		return right
	case right == no:
		return left
	default:
		return join(disjunction, []*filter{left, right})
	}
}

func not(part *filter) *filter {
	switch {
	case part == yes:
		return no
	case part == no:
		return yes
	case part == unknown:
		return unknown
	case part.kind == negation:
		return part.parts[0]
	default:
		return &filter{kind: negation, parts: []*filter{part}}
	}
}

// certain turns unknown into no: a limit that can't be told does not hold.
func certain(part *filter) *filter {
	switch {
	case part == unknown:
		return no
	case part.kind == constant || part.kind == certainly || part.kind == possibly:
		return part
	default:
		return &filter{kind: certainly, parts: []*filter{part}}
	}
}

// possible turns unknown into yes: what can't be told denies.
func possible(part *filter) *filter {
	switch {
	case part == unknown:
		return yes
	case part.kind == constant || part.kind == certainly || part.kind == possibly:
		return part
	default:
		return &filter{kind: possibly, parts: []*filter{part}}
	}
}

// join is a conjunction or disjunction of any number of parts. Comparisons of one attribute that stand in a
// disjunction become one, so that a member of many projects is found by one look into an index.
func join(kind filterKind, parts []*filter) *filter {
	absorbing, neutral := no, yes
	if kind == disjunction {
		absorbing, neutral = yes, no
	}
	flat := make([]*filter, 0, len(parts))
	seen := make(map[*filter]bool, len(parts))
	var merged map[Attribute][]string
	var order []Attribute
	take := func(part *filter) {
		switch {
		case part == neutral || seen[part]:
		case kind == disjunction && part.kind == oneOf:
			if merged == nil {
				merged = make(map[Attribute][]string)
			}
			if _, known := merged[part.attribute]; !known {
				order = append(order, part.attribute)
			}
			merged[part.attribute] = append(merged[part.attribute], part.values...)
		default:
			seen[part] = true
			flat = append(flat, part)
		}
	}
	for _, part := range parts {
		if part == absorbing {
			return absorbing
		}
		if part.kind != kind {
			take(part)
			continue
		}
		for _, inner := range part.parts {
			take(inner)
		}
	}
	compared := make([]*filter, 0, len(order)+len(flat))
	for _, attribute := range order {
		compared = append(compared, compare(attribute, merged[attribute]))
	}
	flat = append(compared, flat...)
	switch len(flat) {
	case 0:
		return neutral
	case 1:
		return flat[0]
	default:
		return &filter{kind: kind, parts: flat}
	}
}

// compare is true where the attribute is one of the values; it keeps the slice.
func compare(attribute Attribute, values []string) *filter {
	slices.Sort(values)
	return &filter{kind: oneOf, attribute: attribute, values: slices.Compact(values)}
}

// on says what the filter is for one resource: yes, no or unknown.
func (f *filter) on(resource *Resource) *filter {
	switch f.kind {
	case oneOf:
		value := resource.attribute(f.attribute)
		if value == "" {
			return unknown
		}
		_, found := slices.BinarySearch(f.values, value)
		return truth(found)
	case conjunction:
		result := yes
		for _, part := range f.parts {
			result = and(result, part.on(resource))
		}
		return result
	case disjunction:
		result := no
		for _, part := range f.parts {
			result = or(result, part.on(resource))
		}
		return result
	case negation:
		return not(f.parts[0].on(resource))
	case certainly:
		return certain(f.parts[0].on(resource))
	case possibly:
		return possible(f.parts[0].on(resource))
	default:
		return f
	}
}
