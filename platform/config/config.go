// Package config fills typed structs from flags, environment variables, a YAML file and defaults, in that order of
// precedence, and says everything that is wrong at once: where it stands, which key, and why.
//
// It owns names, parsing and origins. It gives no meaning to a value (a struct's own Validate does), keeps no global
// state, and reads nothing but what Load is handed.
//
// # Describing a section
//
//	type Config struct {
//		StatementTimeout time.Duration `config:"statement_timeout" default:"5s" help:"Longest time a statement may take."`
//		DatabaseURL      string        `config:"database_url" secret:"true" help:"Connection string."`
//		Retry            RetryConfig   `config:"retry"` // keys retry.max, …
//		pg.Config                      // an embedded struct adds its keys to this section
//	}
//
// A field without a config tag is left alone. Types: string, bool, integers, float64, [time.Duration], [ByteSize],
// everything that implements [encoding.TextUnmarshaler], and slices of these (comma-separated outside YAML).
// A field that is not zero when the section is added keeps that value as its default, before the default tag.
//
// In section "workflow" the key above is workflow.statement_timeout: `workflow: {statement_timeout: 2s}` in YAML and
// BRAID_WORKFLOW_STATEMENT_TIMEOUT in the environment. Section "" holds the global keys (BRAID_LISTEN). A secret may
// also be read from a file named by BRAID_…_FILE or the YAML key with _file behind it. An empty variable counts as not
// set, so that a compose file can pass on what may be missing.
package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

const (
	environmentPrefix = "BRAID_"
	// environmentFile names the YAML file.
	environmentFile = "BRAID_CONFIG"
	// environmentTest starts variables that are for tests only and no business of the configuration.
	environmentTest = "BRAID_TEST_"
	// fileFlag names the YAML file on the command line.
	fileFlag = "config"
)

// Validator is implemented by section structs, and structs within them, that have rules of their own. Validate calls
// report for each broken rule with the key as the struct's tags spell it ("" for the struct as a whole). The reason
// must not repeat a secret.
type Validator interface {
	Validate(report func(key, reason string))
}

// Registry knows every section of the program. It is not safe for concurrent use.
type Registry struct {
	sections []*section
	// definitionProblems are mistakes in the structs' tags; Load reports them.
	definitionProblems []Problem
}

type section struct {
	name   string
	target reflect.Value
	fields []*field
	// nested holds the structs within the section, the section itself first, for validation.
	nested []nested
}

type nested struct {
	path   string
	target reflect.Value
}

// New returns an empty registry.
func New() *Registry { return &Registry{} }

// Section adds a section. Target is a pointer to a struct with config tags, which Load fills. What is wrong with the
// tags is reported by Load.
func (r *Registry) Section(name string, target any) {
	added := &section{name: name, target: reflect.ValueOf(target)}
	r.sections = append(r.sections, added)
	if added.target.Kind() != reflect.Pointer || added.target.Elem().Kind() != reflect.Struct {
		r.reportDefinition(name, fmt.Sprintf("the section is a %T, not a pointer to a struct", target))
		return
	}
	r.describe(added, added.target.Elem(), "")
}

// describe adds the fields of a struct below path.
func (r *Registry) describe(into *section, target reflect.Value, path string) {
	into.nested = append(into.nested, nested{path: path, target: target.Addr()})
	for i := range target.NumField() {
		declared := target.Type().Field(i)
		key, tagged := declared.Tag.Lookup("config")
		switch {
		case !tagged && declared.Anonymous && declared.Type.Kind() == reflect.Struct && declared.IsExported():
			r.describe(into, target.Field(i), path)
		case !tagged:
		case !isKey(key) || !declared.IsExported():
			r.reportDefinition(into.name, fmt.Sprintf("field %s: %q is no key, or the field is not exported",
				declared.Name, key))
		case isSection(declared.Type):
			r.describe(into, target.Field(i), joinKey(path, key))
		default:
			described := newField(into.name, joinKey(path, key), declared.Tag, target.Field(i))
			if parserOf(declared.Type) == nil {
				r.reportDefinition(described.path(), fmt.Sprintf("type %s is not supported", declared.Type))
				continue
			}
			if err := described.applyDefault(); err != nil {
				r.reportDefinition(described.path(), fmt.Sprintf("default: %v", err))
			}
			into.fields = append(into.fields, described)
		}
	}
}

func (r *Registry) reportDefinition(key, reason string) {
	r.definitionProblems = append(r.definitionProblems, Problem{Source: "definition", Key: key, Reason: reason})
}

// fields returns all fields of all sections in the order in which they were added.
func (r *Registry) fields() []*field {
	var all []*field
	for _, section := range r.sections {
		all = append(all, section.fields...)
	}
	return all
}

// checkNames reports keys, variables and flags that would mean two things.
func (r *Registry) checkNames() []Problem {
	problems := slices.Clone(r.definitionProblems)
	taken := map[string]string{environmentFile: "the configuration file", "--" + fileFlag: "the configuration file"}
	claim := func(name string, described *field) {
		if name == "" {
			return
		}
		if owner, twice := taken[name]; twice {
			problems = append(problems, Problem{Source: "definition", Key: described.path(),
				Reason: fmt.Sprintf("%s already stands for %s", name, owner)})
			return
		}
		taken[name] = described.path()
	}
	for _, section := range r.sections {
		for _, described := range section.fields {
			claim(described.environment(), described)
			claim(described.environmentFile(), described)
			if described.flag != "" {
				claim("--"+described.flag, described)
			}
			// A global key and a section of the same name would share one place in the YAML file.
			if head, _, _ := strings.Cut(described.key, "."); section.name == "" && r.hasSection(head) {
				problems = append(problems, Problem{Source: "definition", Key: described.path(),
					Reason: "a section has the same name"})
			}
		}
	}
	return problems
}

func (r *Registry) hasSection(name string) bool {
	return slices.ContainsFunc(r.sections, func(s *section) bool { return s.name == name })
}

func isKey(text string) bool {
	return text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == "" && text[0] != '_'
}

func joinKey(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
