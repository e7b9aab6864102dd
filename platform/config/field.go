package config

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"
)

// masked stands for a secret in everything that is printed.
const masked = "********"

// field is one key with the place its value goes to.
type field struct {
	section string
	// key is the path within the section, "retry.max".
	key         string
	help        string
	defaultText string
	hasDefault  bool
	secret      bool
	flag        string
	target      reflect.Value
	// initial is the default as a value.
	initial reflect.Value
	// origin says where the value in force came from; set by Load.
	origin origin
}

// originKind is ordered by precedence.
type originKind int

const (
	fromDefault originKind = iota
	fromFile
	fromEnvironment
	fromFlag
)

type origin struct {
	kind originKind
	// detail names the place: "braid.yaml:4", "BRAID_LISTEN", "--listen".
	detail string
}

func (o origin) String() string {
	if o.kind == fromDefault {
		return "default"
	}
	return o.detail
}

func newField(section, key string, tag reflect.StructTag, target reflect.Value) *field {
	described := &field{
		section: section,
		key:     key,
		help:    tag.Get("help"),
		secret:  tag.Get("secret") == "true",
		flag:    tag.Get("flag"),
		target:  target,
	}
	described.defaultText, described.hasDefault = tag.Lookup("default")
	if !target.IsZero() {
		// The value set by the program is the default and stays in place: formatting and reading it back could
		// change it.
		described.defaultText, described.hasDefault = formatValue(target), false
	}
	return described
}

// applyDefault puts the default in place and remembers it.
func (f *field) applyDefault() error {
	if f.hasDefault {
		if err := f.setElements([]string{f.defaultText}, false); err != nil {
			return err
		}
	}
	f.initial = reflect.New(f.target.Type()).Elem()
	f.initial.Set(f.target)
	return nil
}

// reset goes back to the default, so that a second Load does not see what the first one found.
func (f *field) reset() {
	f.target.Set(f.initial)
	f.origin = origin{}
}

// path is the full key: "workflow.retry.max", or "listen" for a global key.
func (f *field) path() string { return joinKey(f.section, f.key) }

// environment is the variable's name: "BRAID_WORKFLOW_RETRY_MAX".
func (f *field) environment() string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(f.path(), ".", "_"))
}

// environmentFile is the name of the variable that names a file with the secret; empty for other fields.
func (f *field) environmentFile() string {
	if !f.secret {
		return ""
	}
	return f.environment() + "_FILE"
}

// setElements parses a list, or a single text that may be a comma-separated list. Its error does not repeat a secret.
func (f *field) setElements(texts []string, list bool) error {
	value := reflect.New(f.target.Type()).Elem()
	if err := parseInto(value, texts, list); err != nil {
		if f.secret {
			return fmt.Errorf("is not %s", err.wanted)
		}
		return err
	}
	f.target.Set(value)
	return nil
}

// printed returns the value in force as text that may be shown to anybody.
func (f *field) printed() string {
	if f.secret {
		if f.target.IsZero() {
			return ""
		}
		return masked
	}
	return maskPassword(formatValue(f.target))
}

// printedDefault is the default as text that may be shown to anybody.
func (f *field) printedDefault() string {
	if f.secret && f.defaultText != "" {
		return masked
	}
	return maskPassword(f.defaultText)
}

// maskPassword hides the password of a URL that somebody put into a field not declared secret.
func maskPassword(text string) string {
	if !strings.Contains(text, "://") || !strings.Contains(text, "@") {
		return text
	}
	parsed, err := url.Parse(text)
	if err != nil {
		return masked
	}
	if _, has := parsed.User.Password(); !has {
		return text
	}
	return parsed.Redacted()
}
