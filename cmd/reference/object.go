package main

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// object is a JSON object that keeps the order of its names: readers of a schema want the id first, not the
// description, and a map would sort.
type object struct {
	names  []string
	values map[string]any
}

// newObject returns an object of the names and values given in turn.
func newObject(pairs ...any) *object {
	made := &object{values: map[string]any{}}
	for i := 0; i+1 < len(pairs); i += 2 {
		made.set(pairs[i].(string), pairs[i+1])
	}
	return made
}

func (o *object) set(name string, value any) *object {
	if _, known := o.values[name]; !known {
		o.names = append(o.names, name)
	}
	o.values[name] = value
	return o
}

func (o *object) remove(names ...string) {
	for _, name := range names {
		delete(o.values, name)
		for i, known := range o.names {
			if known == name {
				o.names = append(o.names[:i], o.names[i+1:]...)
				break
			}
		}
	}
}

// object returns the value of a name when it is an object, else nil.
func (o *object) object(name string) *object {
	found, _ := o.values[name].(*object)
	return found
}

func (o *object) text(name string) string {
	found, _ := o.values[name].(string)
	return found
}

func (o *object) list(name string) []any {
	found, _ := o.values[name].([]any)
	return found
}

// MarshalJSON implements json.Marshaler.
func (o *object) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	out.WriteByte('{')
	for i, name := range o.names {
		if i > 0 {
			out.WriteByte(',')
		}
		if err := encoder.Encode(name); err != nil {
			return nil, err
		}
		out.WriteByte(':')
		if err := encoder.Encode(o.values[name]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// readJSON reads a document with its objects in order.
func readJSON(data []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return readValue(decoder)
}

func readValue(decoder *json.Decoder) (any, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		made := newObject()
		for decoder.More() {
			name, err := decoder.Token()
			if err != nil {
				return nil, err
			}
			value, err := readValue(decoder)
			if err != nil {
				return nil, err
			}
			made.set(name.(string), value)
		}
		_, err := decoder.Token()
		return made, err
	case json.Delim('['):
		made := []any{}
		for decoder.More() {
			value, err := readValue(decoder)
			if err != nil {
				return nil, err
			}
			made = append(made, value)
		}
		_, err := decoder.Token()
		return made, err
	default:
		return token, nil
	}
}
