package yamlfile

import "strings"

// maxNesting is of brackets, braces, parentheses and dashes: the parser's memory
// grows with its square.
const maxNesting = 64

// deep is where something in the file is nested deeper than any file, if so. It
// looks at no more than the characters, and so counts what is quoted, too.
func deep(data []byte) (Position, bool) {
	depth, number := 0, 1
	for line := range strings.Lines(string(data)) {
		if dashes := strings.Count(line[:len(line)-len(strings.TrimLeft(line, " -?"))], "- "); dashes > maxNesting {
			return Position{number, 1}, true
		}
		for i := range len(line) {
			switch line[i] {
			case '[', '{', '(':
				depth++
			case ']', '}', ')':
				depth = max(depth-1, 0)
			}
			if depth > maxNesting {
				return Position{number, i + 1}, true
			}
		}
		number++
	}
	return Position{}, false
}
