package rule

import (
	"reflect"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// meant is a question for whoever wrote name, which is none of known: whether
// they meant the one that is most like it; "" when none is.
func meant(name string, known []string) string {
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

// keys are what the YAML mapping of a struct may hold.
func keys(of any) []string {
	var names []string
	for f := range reflect.TypeOf(of).Fields() {
		names = append(names, f.Tag.Get("yaml"))
	}
	return names
}

// names are those of all fields.
func names() []string {
	var all []string
	for _, f := range fields {
		all = append(all, f.Name)
	}
	return all
}

// undeclared adds to the reason of a flaw, that CEL knows no such name, the field
// that may have been meant, unless CEL itself has an idea, and all fields.
func undeclared(reason string) string {
	_, quoted, _ := strings.Cut(reason, "'")
	name, rest, _ := strings.Cut(quoted, "'")
	if rest == "" {
		reason += meant(name, names())
	}
	return reason + "; the fields are " + strings.Join(names(), ", ")
}
