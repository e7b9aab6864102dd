package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Problem is one thing wrong with the configuration.
type Problem struct {
	// Source is where it stands: "braid.yaml:4", "BRAID_LISTEN", "--listen", "default".
	Source string
	// Key is the full key, "workflow.statement_timeout"; the name as written when nothing is known by it.
	Key string
	// Reason says what is wrong and, where it can, what would be right. It never holds a secret.
	Reason string
}

// String returns the problem on one line.
func (p Problem) String() string {
	if p.Key == "" || p.Key == p.Source {
		return p.Source + ": " + p.Reason
	}
	return p.Source + ": " + p.Key + ": " + p.Reason
}

// Problems is the error that Load returns: all problems, sorted by source and key.
type Problems []Problem

// Error implements error, one problem a line.
func (p Problems) Error() string {
	lines := make([]string, 0, len(p)+1)
	if len(p) == 1 {
		lines = append(lines, "the configuration has a problem:")
	} else {
		lines = append(lines, fmt.Sprintf("the configuration has %d problems:", len(p)))
	}
	for _, problem := range p {
		lines = append(lines, "  "+problem.String())
	}
	return strings.Join(lines, "\n")
}

// sorted orders problems and drops doubles: a struct that embeds another one inherits its Validate, so that the same
// rule is checked for both.
func (p Problems) sorted() Problems {
	slices.SortStableFunc(p, func(a, b Problem) int {
		fileA, lineA := cutLine(a.Source)
		fileB, lineB := cutLine(b.Source)
		return cmp.Or(cmp.Compare(fileA, fileB), cmp.Compare(lineA, lineB), cmp.Compare(a.Key, b.Key),
			cmp.Compare(a.Reason, b.Reason))
	})
	return slices.Compact(p)
}

// cutLine takes the line number off a source that has one, so that line 10 comes after line 9.
func cutLine(source string) (file string, line int) {
	if at := strings.LastIndexByte(source, ':'); at >= 0 {
		if line, err := strconv.Atoi(source[at+1:]); err == nil {
			return source[:at], line
		}
	}
	return source, 0
}

// nearest returns the candidate with the smallest edit distance to name, or "" when there is none within a third of the
// name's length: what is farther away is another word, not a misspelled one.
func nearest(name string, candidates []string) string {
	best, bestDistance := "", max(1, len(strings.TrimPrefix(name, environmentPrefix))/3)+1
	for _, candidate := range candidates {
		if distance := editDistance(name, candidate); distance < bestDistance {
			best, bestDistance = candidate, distance
		}
	}
	return best
}

// editDistance is the Levenshtein distance in bytes: how many insertions, deletions and replacements lie between.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			row[j+1] = min(replaced, above+1, row[j]+1)
			diagonal = above
		}
	}
	return row[len(b)]
}

// suggest ends a sentence about an unknown name.
func suggest(name string, candidates []string) string {
	if best := nearest(name, candidates); best != "" {
		return "is not known; the nearest known name is " + best
	}
	return "is not known"
}
