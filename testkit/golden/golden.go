// Package golden compares what a test got with what a file of the repository holds. It is for tests only.
//
// Run `go test ./that/package -update` to write what was got into the files, then read the difference before it is
// committed: a golden file is worth as much as the eyes that went over it.
package golden

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write golden files instead of comparing with them")

// Assert fails the test when the file at path, relative to the test's package (usually below testdata), does not hold
// got. The difference is shown line by line.
func Assert(t testing.TB, path, got string) {
	t.Helper()
	if *update {
		write(t, path, got)
		return
	}
	if difference := compare(t, path, got); difference != "" {
		t.Errorf("%s (run with -update to accept what was got):\n%s", path, difference)
	}
}

func write(t testing.TB, path, got string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatalf("write golden file: %v", err)
	}
	if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
		t.Fatalf("write golden file: %v", err)
	}
}

// compare returns what is different, or "".
func compare(t testing.TB, path, got string) string {
	t.Helper()
	wanted, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "the file does not exist; got:\n" + got
	}
	if err != nil {
		t.Fatalf("read golden file: %v", err)
	}
	if string(wanted) == got {
		return ""
	}
	// Lines, because one long string would be shown whole. Carriage returns and a missing last line end are lines'
	// content here, so the difference can't come out empty.
	difference := cmp.Diff(strings.SplitAfter(string(wanted), "\n"), strings.SplitAfter(got, "\n"))
	return "difference (-wanted +got):\n" + difference
}
