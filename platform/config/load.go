package config

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// maxSecretBytes bounds a secret file.
const maxSecretBytes = 64 << 10

// Sources are what Load reads.
type Sources struct {
	// Env is the environment as os.Environ returns it.
	Env []string
	// File is the path of the YAML file; when empty, --config and then BRAID_CONFIG name it. Having none is fine.
	File string
	// Flags are the parsed flags of the command; those that BindFlags added and the user set are read. May be nil.
	Flags *pflag.FlagSet
	// Unused names sections that this process has no use for: their values are read, so that one file can serve all
	// processes, but their Validate is not called.
	Unused []string
	// Check judges what no section can alone: what this process can't do without, and what contradicts. It reports full
	// keys, as Validator does those of a section. May be nil.
	Check func(report func(key, reason string))
}

// Load fills the structs of all sections. It returns Problems, with every problem it could find; the structs must not
// be used then.
func (r *Registry) Load(sources Sources) error {
	if problems := r.checkNames(); len(problems) > 0 {
		return Problems(problems).sorted()
	}
	loading := &loading{registry: r, environment: splitEnvironment(sources.Env)}
	for _, described := range r.fields() {
		described.reset()
	}
	loading.readFile(loading.filePath(sources))
	loading.readEnvironment()
	loading.readFlags(sources.Flags)
	loading.validate(sources.Unused)
	if sources.Check != nil {
		sources.Check(loading.reportInvalid)
	}
	if len(loading.problems) > 0 {
		return loading.problems.sorted()
	}
	return nil
}

// loading is one run of Load.
type loading struct {
	registry    *Registry
	environment map[string]string
	problems    Problems
	// broken are the fields whose value could not be read: judging what is left in them would only mislead.
	broken map[*field]bool
}

func (l *loading) report(source, key, reason string) {
	l.problems = append(l.problems, Problem{Source: source, Key: key, Reason: reason})
}

// apply sets a field from one source.
func (l *loading) apply(described *field, from origin, texts []string, list bool) {
	described.origin = from
	if err := described.setElements(texts, list); err != nil {
		if l.broken == nil {
			l.broken = map[*field]bool{}
		}
		l.broken[described] = true
		l.report(from.detail, described.path(), err.Error())
	}
}

func (l *loading) filePath(sources Sources) string {
	if sources.File != "" {
		return sources.File
	}
	if sources.Flags != nil {
		if given := sources.Flags.Lookup(fileFlag); given != nil && given.Changed {
			return given.Value.String()
		}
	}
	return l.environment[environmentFile]
}

// readEnvironment reads the variables of all fields and refuses those that are nobody's.
func (l *loading) readEnvironment() {
	known := []string{environmentFile}
	for _, described := range l.registry.fields() {
		name, fileName := described.environment(), described.environmentFile()
		known = append(known, name)
		text := l.environment[name]
		if fileName != "" {
			known = append(known, fileName)
			if path := l.environment[fileName]; path != "" {
				if text != "" {
					l.report(fileName, described.path(), name+" is set as well; set one of them")
					continue
				}
				l.applySecretFile(described, origin{kind: fromEnvironment, detail: fileName}, path)
				continue
			}
		}
		if text != "" {
			l.apply(described, origin{kind: fromEnvironment, detail: name}, []string{text}, false)
		}
	}
	for name := range l.environment {
		if !slices.Contains(known, name) && !strings.HasPrefix(name, environmentTest) {
			l.report(name, name, suggest(name, known))
		}
	}
}

// applySecretFile sets a field to what a file holds, without the line end that editors put there.
func (l *loading) applySecretFile(described *field, from origin, path string) {
	described.origin = from
	opened, err := os.Open(path)
	if err != nil {
		l.report(from.detail, described.path(), err.Error())
		return
	}
	defer func() { _ = opened.Close() }()
	content, err := io.ReadAll(io.LimitReader(opened, maxSecretBytes+1))
	switch {
	case err != nil:
		l.report(from.detail, described.path(), err.Error())
	case len(content) > maxSecretBytes:
		l.report(from.detail, described.path(), fmt.Sprintf("%s is larger than %d bytes", path, maxSecretBytes))
	default:
		text := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
		if text == "" {
			// A secret that is not mounted yet must not be taken for one that is not wanted.
			l.report(from.detail, described.path(), path+" is empty")
			return
		}
		l.apply(described, from, []string{text}, false)
	}
}

func (l *loading) readFlags(flags *pflag.FlagSet) {
	if flags == nil {
		return
	}
	for _, described := range l.registry.fields() {
		if described.flag == "" {
			continue
		}
		if given := flags.Lookup(described.flag); given != nil && given.Changed {
			from := origin{kind: fromFlag, detail: "--" + described.flag}
			l.apply(described, from, []string{given.Value.String()}, false)
		}
	}
}

// validate calls the Validate of every section and of the structs within them.
func (l *loading) validate(unused []string) {
	for _, section := range l.registry.sections {
		if slices.Contains(unused, section.name) {
			continue
		}
		for _, part := range section.nested {
			validator, ok := part.target.Interface().(Validator)
			if !ok {
				continue
			}
			validator.Validate(func(key, reason string) {
				l.reportInvalid(joinKey(section.name, strings.Trim(part.path+"."+key, ".")), reason)
			})
		}
	}
}

// reportInvalid finds out where the value that breaks a rule came from. One that came from nowhere is named with the
// variable that would set it.
func (l *loading) reportInvalid(key, reason string) {
	key = strings.Trim(key, ".")
	source := origin{}.String()
	for _, described := range l.registry.fields() {
		if described.path() != key {
			continue
		}
		if l.broken[described] {
			return
		}
		source = described.origin.String()
		if described.origin.kind == fromDefault && described.target.IsZero() {
			source, reason = "not set", fmt.Sprintf("%s (%s)", reason, described.environment())
		}
	}
	l.report(source, key, reason)
}

func splitEnvironment(lines []string) map[string]string {
	variables := map[string]string{}
	for _, line := range lines {
		if name, value, found := strings.Cut(line, "="); found && strings.HasPrefix(name, environmentPrefix) {
			variables[name] = value
		}
	}
	return variables
}
