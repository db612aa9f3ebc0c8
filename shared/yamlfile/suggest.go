package yamlfile

import (
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"example.com/keyturn/shared/lazyregexp"
)

// Meant is a question for whoever wrote name, which is none of known: whether
// they meant the one that is most like it; "" when none is.
func Meant(name string, known []string) string {
	best, least := "", min(2, len(name)/2)+1
	for _, k := range known {
		d := levenshtein.ComputeDistance(strings.ToLower(name), k)
		if d < least {
			best, least = k, d
		}
	}
	if best == "" {
		best = extended(name, known)
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// extended is the one of known that name begins with, or that begins with name.
func extended(name string, known []string) string {
	const enough = 4 // letters
	name = strings.ToLower(name)
	i := slices.IndexFunc(known, func(k string) bool {
		return len(k) >= enough && strings.HasPrefix(name, k) || len(name) >= enough && strings.HasPrefix(k, name)
	})
	if i < 0 {
		return ""
	}
	return known[i]
}

var word = lazyregexp.New(`^[A-Za-z][A-Za-z_-]{0,30}$`)

// tellable reports whether a key may be repeated in a message: it is a word, and
// not what somebody has pasted, or joined with its value by leaving a space out.
func tellable(key string) bool { return word.MatchString(key) }
