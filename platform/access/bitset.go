package access

import (
	"iter"
	"math/bits"
)

// bitset is a set of permissions. Bits beyond its end are not set, so that the sets of a base graph, which knows fewer
// permissions, serve the graphs above it as they are.
type bitset []uint64

func (b bitset) has(bit int) bool {
	word := bit / 64
	return word < len(b) && b[word]&(1<<(bit%64)) != 0
}

func (b *bitset) add(bit int) {
	for len(*b) <= bit/64 {
		*b = append(*b, 0)
	}
	(*b)[bit/64] |= 1 << (bit % 64)
}

func (b *bitset) addAll(other bitset) {
	for len(*b) < len(other) {
		*b = append(*b, 0)
	}
	for word := range other {
		(*b)[word] |= other[word]
	}
}

// and returns what is in both.
func (b bitset) and(other bitset) bitset {
	both := make(bitset, min(len(b), len(other)))
	for word := range both {
		both[word] = b[word] & other[word]
	}
	return both
}

// remove takes out what is in the other.
func (b bitset) remove(other bitset) {
	for word := range min(len(b), len(other)) {
		b[word] &^= other[word]
	}
}

func (b bitset) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for word, rest := range b {
			for ; rest != 0; rest &= rest - 1 {
				if !yield(word*64 + bits.TrailingZeros64(rest)) {
					return
				}
			}
		}
	}
}
