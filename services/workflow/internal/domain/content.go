package domain

// contentField is what an update must know of one field.
type contentField struct {
	name    string
	take    func(to, from *TaskContent)
	differs func(a, b *TaskContent) bool
}

// field describes the field that at points to.
func field[Value any](name string, at func(*TaskContent) *Value, equal func(a, b Value) bool) contentField {
	return contentField{
		name:    name,
		take:    func(to, from *TaskContent) { *at(to) = *at(from) },
		differs: func(a, b *TaskContent) bool { return !equal(*at(a), *at(b)) },
	}
}

func same[Value comparable](a, b Value) bool { return a == b }

// clean returns the content as it is kept, and refuses what can't be; prefix goes before the names of its fields. What
// is clean stays as it is.
func (c TaskContent) clean(prefix string) (cleaned TaskContent, err error) {
	if c.Title, err = cleanText(prefix+"title", c.Title); err != nil {
		return TaskContent{}, err
	}
	if c.Labels, err = cleanLabels(prefix+"labels", c.Labels); err != nil {
		return TaskContent{}, err
	}
	c.Priority = orNormal(c.Priority)
	return c, nil
}
