package rule

import (
	"testing"

	"example.com/keyturn/shared/yamlfile"
)

func TestMeant(t *testing.T) {
	for name, want := range map[string]string{
		"wehn": "when", "Window": "window", "treshold": "threshold", "groupby": "group_by", "group": "group_by", "severityLevel": "severity",
		"x": "", "": "", "nm": "", "colour": "", "descr": "",
	} {
		if want != "" {
			want = "; did you mean " + want + "?"
		}
		if got := yamlfile.Meant(name, keys(spec{})); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
