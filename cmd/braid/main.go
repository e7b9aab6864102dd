// Command braid is all of Braid in one binary: every service in one process, or any of them, and the tools to look
// after them. It alone knows what runs where; everything below it is the same in every form.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := newRoot().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "braid:", err)
		os.Exit(1)
	}
}
