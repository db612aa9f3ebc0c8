package rule

import "testing"

func TestMeant(t *testing.T) {
	for name, want := range map[string]string{
		"wehn": "when", "Window": "window", "treshold": "threshold", "groupby": "group_by", "group": "group_by", "severityLevel": "severity",
		"x": "", "": "", "nm": "", "colour": "", "descr": "",
	} {
		if want != "" {
			want = "; did you mean " + want + "?"
		}
		if got := meant(name, keys(spec{})); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
