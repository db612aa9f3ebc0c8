package apikeys

import (
	"strings"
	"testing"
)

func FuzzNames(f *testing.F) {
	for _, seed := range []string{"projects/local/locations/global/keys/k", "projects/1/locations/eu/keys/k", "projects//locations/global/keys/", "x"} {
		f.Add(seed)
	}
	s := New(Config{})
	f.Fuzz(func(t *testing.T, name string) {
		project, canonical, err := s.parseName(name)
		if err != nil {
			return
		}
		again, same, err := s.parseName(canonical)
		if err != nil || again != project || same != canonical || !strings.HasPrefix(canonical, "projects/"+project+"/") {
			t.Errorf("%q is %q of %q, which is %q of %q: %v", name, canonical, project, same, again, err)
		}
	})
}

func FuzzPageToken(f *testing.F) {
	for _, seed := range []string{"", "1", "-1", "x", "99999999999999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if after, err := parsePageToken(token); err == nil && after < 0 || err != nil && after != 0 {
			t.Errorf("%q = %d, %v", token, after, err)
		}
	})
}
