package rule

import "strings"

const (
	maxRules    = 1000 // in a file: each costs every entry
	maxNesting  = 64   // of brackets, braces, parentheses and dashes; the parser's memory grows with its square
	maxProblems = 20   // after which nobody reads on
)

// deep is where something in the file is nested deeper than any rule, if so. It
// looks at no more than the characters, and so counts what is quoted, too.
func deep(data []byte) (position, bool) {
	depth, number := 0, 1
	for line := range strings.Lines(string(data)) {
		if dashes := strings.Count(line[:len(line)-len(strings.TrimLeft(line, " -?"))], "- "); dashes > maxNesting {
			return position{number, 1}, true
		}
		for i := range len(line) {
			switch line[i] {
			case '[', '{', '(':
				depth++
			case ']', '}', ')':
				depth = max(depth-1, 0)
			}
			if depth > maxNesting {
				return position{number, i + 1}, true
			}
		}
		number++
	}
	return position{}, false
}
