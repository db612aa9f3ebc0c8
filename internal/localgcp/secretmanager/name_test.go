package secretmanager

import (
	"strconv"
	"strings"
	"testing"
)

func FuzzNames(f *testing.F) {
	for _, s := range []string{name + "/versions/1", name + "/versions/latest", "projects/p/locations/l/secrets/s/versions/a", name, "projects//secrets/s", "x/versions/1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		secretName, id, err := parseVersion(s)
		if err != nil {
			if secretName != "" || id != "" {
				t.Errorf("%q gives %q and %q beside an error", s, secretName, id)
			}
			return
		}
		if secretName+"/versions/"+id != s {
			t.Errorf("%q falls into %q and %q", s, secretName, id)
		}
		parent, err := parseSecret(secretName)
		if err != nil || checkParent(parent) != nil || !strings.HasPrefix(parent, projectOf(s)) {
			t.Errorf("%q has the parent %q in %q, %v", s, parent, projectOf(s), err)
		}
		if n, ok := number(id); ok && strconv.FormatInt(n, 10) != id {
			t.Errorf("%q is read as %d", id, n)
		}
	})
}
