package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFileBytes bounds the configuration file.
const maxFileBytes = 1 << 20

// readFile reads the YAML file, if there is one.
func (l *loading) readFile(path string) {
	if path == "" {
		return
	}
	root, err := parseFile(path)
	if err != nil {
		l.report(path, "", err.Error())
		return
	}
	if root == nil {
		return
	}
	if root.Kind != yaml.MappingNode {
		l.report(place(path, root), "", "the file does not hold keys and values")
		return
	}
	file := &file{loading: l, path: path, fields: map[string]*field{}, secretFiles: map[string]*field{},
		groups: map[string]bool{}, seen: map[string]bool{}}
	for _, section := range l.registry.sections {
		if section.name != "" {
			file.groups[section.name] = true
		}
		for _, described := range section.fields {
			file.add(described)
		}
	}
	file.read(root, "")
}

// parseFile returns the root node of the only document in the file; nil when it is empty.
func parseFile(path string) (*yaml.Node, error) {
	opened, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = opened.Close() }()
	content, err := io.ReadAll(io.LimitReader(opened, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxFileBytes {
		return nil, fmt.Errorf("the file is larger than %d bytes", maxFileBytes)
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(content)))
	var document, second yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, err
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, errors.New("the file holds more than one document")
	}
	return document.Content[0], nil
}

// file is one run through the YAML file.
type file struct {
	*loading
	path        string
	fields      map[string]*field
	secretFiles map[string]*field
	groups      map[string]bool
	known       []string
	seen        map[string]bool
}

func (f *file) add(described *field) {
	path := described.path()
	f.fields[path] = described
	f.known = append(f.known, path)
	if described.secret {
		f.secretFiles[path+"_file"] = described
		f.known = append(f.known, path+"_file")
	}
	for group, _, found := cutLast(path); found; group, _, found = cutLast(group) {
		f.groups[group] = true
	}
}

// read goes through a mapping whose keys stand below prefix.
func (f *file) read(mapping *yaml.Node, prefix string) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		name, value := mapping.Content[i], mapping.Content[i+1]
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		key := joinKey(prefix, name.Value)
		at := place(f.path, name)
		if f.seen[key] {
			f.report(at, key, "is set twice")
			continue
		}
		f.seen[key] = true
		from := origin{kind: fromFile, detail: at}
		switch {
		case f.groups[key]:
			f.readGroup(value, key, at)
		case f.fields[key] != nil:
			f.readField(f.fields[key], from, value)
		case f.secretFiles[key] != nil:
			described := f.secretFiles[key]
			if value.Kind != yaml.ScalarNode || isNull(value) {
				f.report(at, key, "is not the name of a file")
			} else if f.seen[described.path()] {
				f.report(at, key, described.path()+" is set as well; set one of them")
			} else {
				f.seen[described.path()] = true
				f.applySecretFile(described, from, value.Value)
			}
		default:
			f.report(at, key, suggest(key, f.candidates(prefix, value)))
		}
	}
}

// candidates are the names that an unknown one may stand for: what holds further keys is a group that belongs here,
// everything else may be any key.
func (f *file) candidates(prefix string, value *yaml.Node) []string {
	if value.Kind != yaml.MappingNode {
		return f.known
	}
	var groups []string
	for group := range f.groups {
		if parent, _, _ := cutLast(group); parent == prefix {
			groups = append(groups, group)
		}
	}
	if len(groups) == 0 {
		return f.known
	}
	slices.Sort(groups)
	return groups
}

func (f *file) readGroup(value *yaml.Node, key, at string) {
	switch {
	case value.Kind == yaml.MappingNode:
		f.read(value, key)
	case !isNull(value):
		f.report(at, key, "holds further keys and no value of its own")
	}
}

// readField sets a field from a scalar or, when it takes a list, from a sequence of scalars. Null leaves the default.
func (f *file) readField(described *field, from origin, value *yaml.Node) {
	switch {
	case isNull(value):
	case value.Kind == yaml.ScalarNode:
		f.apply(described, from, []string{value.Value}, false)
	case value.Kind == yaml.SequenceNode:
		texts := make([]string, 0, len(value.Content))
		for _, element := range value.Content {
			if element.Kind != yaml.ScalarNode || isNull(element) {
				f.report(place(f.path, element), described.path(), "an element of the list is not a single value")
				return
			}
			texts = append(texts, element.Value)
		}
		f.apply(described, from, texts, true)
	default:
		f.report(from.detail, described.path(), "holds further keys where a value is wanted")
	}
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null" }

func place(path string, node *yaml.Node) string { return fmt.Sprintf("%s:%d", path, node.Line) }

func cutLast(path string) (before, after string, found bool) {
	i := strings.LastIndexByte(path, '.')
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}
