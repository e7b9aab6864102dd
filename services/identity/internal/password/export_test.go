package password

// Occupy takes one of the turns until the returned function is called.
func (h *Hasher) Occupy() (leave func()) {
	h.slots <- struct{}{}
	return func() { <-h.slots }
}
