// Command braid is all of Braid in one binary: every service in one process, or any of them, and the tools to look
// after them. It alone knows what runs where; everything below it is the same in every form.
package main

import (
	"errors"
	"fmt"
	"os"
	_ "time/tzdata" // the zones of people, where the system has none
)

func main() {
	if err := newRoot().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "braid:", err)
		status := 1
		if ended := (received{}); errors.As(err, &ended) {
			status = ended.ExitCode()
		}
		os.Exit(status)
	}
}
