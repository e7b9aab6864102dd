// Package person is what every service has to say of the people in its database: which columns name them, what of it they
// get when they ask for their data, and what becomes of it when they leave. A service says it in one place (Own), and a
// column that it has said nothing of is found by an architecture test.
//
// It must not decide who may ask for whose data: identity does, and asks every service.
package person

import (
	"slices"
	"strings"
)

// Own is what a service has to say of people.
type Own struct {
	Columns  []Column
	Sections []Section
}

// Column is one whose values are users' ids, or may be. It is of type uuid or uuid[], or text where ids of several kinds
// stand.
type Column struct {
	// Name is "table.column".
	Name string
	// Section is the one that gives people the rows in which the column names them; when there is none, Withheld says why.
	Section, Withheld string
	// Forget is what happens when the person is to be forgotten; of what is kept, Because says why.
	Forget  Treatment
	Because string
}

// Table is the column's table.
func (c Column) Table() string { return c.Name[:strings.IndexByte(c.Name, '.')] }

// Column is the column's name without its table's.
func (c Column) Column() string { return c.Name[strings.IndexByte(c.Name, '.')+1:] }

// Treatment is what happens to the rows that name a person who is to be forgotten.
type Treatment int

const (
	// Remove takes the rows away.
	Remove Treatment = iota + 1
	// Replace puts somebody without a name in the person's place.
	Replace
	// Clear leaves the row, and nobody in the column.
	Clear
	// Keep changes nothing.
	Keep
)

const tombstone = "what is heard late of somebody who is gone must not bring them back"

// common are the columns of the tables that every service has.
var common = []Column{
	{Name: "idempotency.actor_id", Withheld: "answers that were given before, for a day; what they say is in the other sections", Forget: Remove},
	{Name: "refusal.user_id", Withheld: "counts that last a minute, and then are events, which the audit has", Forget: Remove},
	{Name: "erasure.id", Withheld: "that the person is erased", Forget: Keep, Because: tombstone},
	{Name: "forgotten_organization.id", Withheld: "that the person was erased", Forget: Keep, Because: tombstone},
	{Name: "outbox.key", Withheld: "events that are leaving, for moments", Forget: Keep, Because: "its rows leave by themselves"},
}

// AllColumns are those of the service and those that every service has.
func (o Own) AllColumns() []Column { return slices.Concat(o.Columns, common) }

// Section returns the one of that name.
func (o Own) Section(name string) (Section, bool) {
	for _, section := range o.Sections {
		if section.Name == name {
			return section, true
		}
	}
	return Section{}, false
}
