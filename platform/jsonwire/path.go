package jsonwire

import "strings"

// Path turns "task.due_time" into "task.dueTime". Map keys in quotes stay as they are; the contract has none.
func Path(path string) string {
	var out strings.Builder
	upper := false
	for _, char := range path {
		switch {
		case char == '_':
			upper = true
		case upper && 'a' <= char && char <= 'z':
			out.WriteRune(char - 'a' + 'A')
			upper = false
		default:
			out.WriteRune(char)
			upper = false
		}
	}
	return out.String()
}
