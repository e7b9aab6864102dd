package config

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// Key describes one key for the reference documentation.
type Key struct {
	// Path is the key as the YAML file nests it, with dots: "workflow.retry.max".
	Path string
	// Section is its first part, "" for a global key.
	Section string
	// Type is "string", "bool", "integer", "number", "duration", "size", the name of a type of its own, or "list of …".
	Type string
	// Default is empty when there is none; a secret's is masked.
	Default string
	// Environment is the variable's name; EnvironmentFile the one that names a file, for secrets only.
	Environment     string
	EnvironmentFile string
	// Flag is the flag's name without dashes, empty when there is none.
	Flag   string
	Help   string
	Secret bool
}

// Reference returns every key in the order in which sections and fields were declared.
func (r *Registry) Reference() []Key {
	var keys []Key
	for _, described := range r.fields() {
		keys = append(keys, Key{
			Path:            described.path(),
			Section:         described.section,
			Type:            typeName(described.target.Type()),
			Default:         described.printedDefault(),
			Environment:     described.environment(),
			EnvironmentFile: described.environmentFile(),
			Flag:            described.flag,
			Help:            described.help,
			Secret:          described.secret,
		})
	}
	return keys
}

// Print writes the configuration in force as YAML that Load could read, with the origin of every value in a comment
// and every secret masked.
func (r *Registry) Print(w io.Writer) error {
	root := &yaml.Node{Kind: yaml.MappingNode}
	for _, described := range r.fields() {
		name, value := &yaml.Node{Kind: yaml.ScalarNode, Value: lastKey(described.key)}, described.node()
		comment := "# " + strings.ReplaceAll(described.origin.String(), "\n", " ")
		if value.Kind == yaml.SequenceNode {
			name.HeadComment = comment
		} else {
			value.LineComment = comment
		}
		parent := root
		if group, _, found := cutLast(described.path()); found {
			for _, step := range strings.Split(group, ".") {
				parent = childMapping(parent, step)
			}
		}
		parent.Content = append(parent.Content, name, value)
	}
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(root); err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	return encoder.Close()
}

// node returns the value in force as YAML.
func (f *field) node() *yaml.Node {
	if f.target.Kind() == reflect.Slice && !f.secret && f.target.Len() > 0 {
		sequence := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range f.target.Len() {
			text := maskPassword(formatValue(f.target.Index(i)))
			sequence.Content = append(sequence.Content, scalarNode(text, f.target.Type().Elem()))
		}
		return sequence
	}
	return scalarNode(f.printed(), f.target.Type())
}

// scalarNode leaves numbers and booleans plain and marks everything else as a string, so that "on" or "012" read back
// as what they were.
func scalarNode(text string, declared reflect.Type) *yaml.Node {
	node := &yaml.Node{Kind: yaml.ScalarNode, Value: text}
	switch typeName(declared) {
	case "bool", "integer", "number", "duration", "size":
	default:
		node.Tag = "!!str"
	}
	return node
}

func childMapping(parent *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(parent.Content); i += 2 {
		if parent.Content[i].Value == name {
			return parent.Content[i+1]
		}
	}
	child := &yaml.Node{Kind: yaml.MappingNode}
	parent.Content = append(parent.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: name}, child)
	return child
}

func lastKey(path string) string {
	_, last, _ := cutLast(path)
	return last
}

// BindFlags adds --config and a flag for every key with a flag tag. With names, only those keys get one: a command
// offers what concerns it. Sections must have been added before.
func (r *Registry) BindFlags(flags *pflag.FlagSet, names ...string) {
	flags.String(fileFlag, "", "YAML file with the configuration (or "+environmentFile+")")
	for _, described := range r.fields() {
		if described.flag == "" || len(names) > 0 && !slices.Contains(names, described.flag) {
			continue
		}
		bound := flags.VarPF(&flagValue{described: described, text: described.printedDefault()}, described.flag, "",
			described.help+" ("+described.environment()+")")
		if described.target.Kind() == reflect.Bool {
			bound.NoOptDefVal = "true"
		}
	}
}

// flagValue keeps a flag's text until Load reads it. It parses on Set as well, so that the command line is refused at
// once, where the user looks.
type flagValue struct {
	described *field
	text      string
}

func (v *flagValue) String() string { return v.text }

func (v *flagValue) Type() string { return typeName(v.described.target.Type()) }

func (v *flagValue) Set(text string) error {
	scratch := reflect.New(v.described.target.Type()).Elem()
	if err := parseInto(scratch, []string{text}, false); err != nil {
		return fmt.Errorf("is not %s", err.wanted)
	}
	v.text = text
	return nil
}
