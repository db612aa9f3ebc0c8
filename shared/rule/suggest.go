package rule

import (
	"reflect"
	"strings"

	"example.com/keyturn/shared/yamlfile"
)

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
		reason += yamlfile.Meant(name, names())
	}
	return reason + "; the fields are " + strings.Join(names(), ", ")
}
