package yamlfile

import (
	"strings"

	"example.com/keyturn/shared/lazyregexp"
)

// quoted is what a message of the YAML library repeats of the file: more than one
// character of it.
var quoted = lazyregexp.New(`"(?:[^"\\]|\\.)*"`)

// complaint is a message of the YAML library as it is told: without what it repeats
// of the file, which may be a secret. Only a key that is there twice is named, if it
// is a word.
func complaint(message string) string {
	if strings.Contains(message, "\t") || strings.HasPrefix(message, "tab character") {
		return "a tab stands where YAML wants spaces: indent with spaces alone"
	}
	twice := strings.HasPrefix(message, "mapping key ")
	return quoted.ReplaceAllStringFunc(message, func(text string) string {
		if twice && tellable(text[1:len(text)-1]) {
			return text
		}
		return "…"
	})
}
