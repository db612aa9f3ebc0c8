package coldstart

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Init is what a package does before main.
type Init struct {
	Package string  `json:"package"`
	Ms      float64 `json:"ms"` // the least of all traces: what it takes by itself
}

var traced = regexp.MustCompile(`(?m)^init (\S+) @[0-9.]+ ms, ([0-9.]+) ms clock`)

// initsOf reads what GODEBUG=inittrace=1 wrote, keeps the least of each package in least,
// and returns the sum of this trace.
func initsOf(log []byte, least map[string]float64) (sum float64) {
	for _, m := range traced.FindAllStringSubmatch(string(log), -1) {
		ms, _ := strconv.ParseFloat(m[2], 64) // which it is made of
		sum += ms
		if before, known := least[m[1]]; !known || ms < before {
			least[m[1]] = ms
		}
	}
	return sum
}

// sorted are inits, the longest first.
func sorted(least map[string]float64, which func(pkg string) bool) []Init {
	all := []Init{}
	for pkg, ms := range least {
		if which(pkg) {
			all = append(all, Init{pkg, ms})
		}
	}
	slices.SortFunc(all, func(a, b Init) int {
		return cmp.Or(cmp.Compare(b.Ms, a.Ms), cmp.Compare(a.Package, b.Package))
	})
	return all
}

// own reports whether a package is keyturn's.
func own(pkg string) bool { return pkg == module || strings.HasPrefix(pkg, module+"/") }
