// Command breached packs a list of breached passwords, the most frequent first, for identity: of the passwords worth
// refusing the first 40 bits of a hash, sorted. It reads the list from its first argument and writes to the second.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	// prefixLength bytes of a hash are kept: of ten million good passwords one is taken for a breached one.
	prefixLength = 5
	// The most frequent passwords are kept whatever their length, the others when they are long enough to be taken.
	frequent  = 100_000
	minLength = 12
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: breached <list> <packed>")
		os.Exit(2)
	}
	if err := pack(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "pack breached passwords:", err)
		os.Exit(1)
	}
}

func pack(from, to string) error {
	list, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = list.Close() }()
	var prefixes [][]byte
	lines := bufio.NewScanner(list)
	for number := 0; lines.Scan(); number++ {
		password := strings.ToLower(norm.NFC.String(strings.TrimRight(lines.Text(), "\r")))
		if password == "" || number >= frequent && utf8.RuneCountInString(password) < minLength {
			continue
		}
		hash := sha256.Sum256([]byte(password))
		prefixes = append(prefixes, hash[:prefixLength])
	}
	if err := lines.Err(); err != nil {
		return err
	}
	slices.SortFunc(prefixes, bytes.Compare)
	return os.WriteFile(to, bytes.Join(slices.CompactFunc(prefixes, bytes.Equal), nil), 0o644)
}
