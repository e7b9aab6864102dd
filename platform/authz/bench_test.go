package authz_test

import (
	"testing"

	"github.com/braidhq/braid/platform/id"
)

// What every request with a permission costs: the answer is remembered, and the role holds everywhere.
func BenchmarkAuthorizeResource(b *testing.B) {
	o := newOwner(b, read)
	asked := task(id.ID{}, id.ID{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := o.ask(b.Context(), read, asked); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthorize(b *testing.B) {
	o := newOwner(b, read)
	b.ReportAllocs()
	for b.Loop() {
		if err := o.Authorize(b.Context(), o.organization, o.user, read); err != nil {
			b.Fatal(err)
		}
	}
}
