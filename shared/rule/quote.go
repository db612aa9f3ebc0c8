package rule

import (
	"strings"
	"unicode/utf8"

	"example.com/keyturn/shared/lazyregexp"
	"example.com/keyturn/shared/yamlfile"
)

// What expressions have in them that means something else in YAML, unless quoted.
const (
	quoteTag   = "quote it: ! begins a YAML tag; as in when: '!denied'"
	quoteColon = `quote the whole: a colon with a space after it begins a YAML mapping; as in when: 'user_agent == "a: b"'`
)

// tagged is a condition that begins like a YAML tag.
var tagged = lazyregexp.New(`(?:^|[\s{,])when:\s+!`)

// quoting is what is wrong, and where, if YAML's complaint comes from an expression
// that is not quoted; otherwise the complaint as it is.
func (src source) quoting(p yamlfile.Position, complaint string) (yamlfile.Position, string) {
	i := src.index(yamlfile.Position{Line: p.Line, Column: 1})
	line := strings.TrimRight(string(src[i:src.nextLine(i)]), "\n")
	if m := tagged.FindStringIndex(line); m != nil {
		return yamlfile.Position{Line: p.Line, Column: utf8.RuneCountInString(line[:m[1]])}, quoteTag
	}
	if strings.HasPrefix(complaint, "mapping value is not allowed") {
		return p, quoteColon
	}
	return p, complaint
}
