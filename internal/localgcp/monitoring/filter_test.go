package monitoring

import (
	"strings"
	"testing"
)

var sample = &labels{
	metricType: "iam.googleapis.com/x", resourceType: "iam_service_account",
	metric: map[string]string{"key_id": "abc", "odd key": `q"`}, resource: map[string]string{"project_id": "local", "unique_id": "1"},
}

func TestFilter(t *testing.T) {
	for filter, want := range map[string]bool{
		``:                                     true,
		`metric.type = "iam.googleapis.com/x"`: true,
		`metric.type="iam.googleapis.com/y"`:   false,
		`resource.type = "iam_service_account" AND metric.labels.key_id = "abc"`: true,
		"resource.type=\"iam_service_account\"\n metric.label.key_id=\"abd\"":    false,
		`metric.labels."odd key" = "q\""`:                                        true,
		`project = "local"`:                                                      true,
		`project != "local"`:                                                     false,
		`resource.labels.unique_id != "2"`:                                       true,
		`resource.labels.absent = ""`:                                            false,
		`resource.labels.absent != "x"`:                                          true,
		`metric.labels.key_id = one_of("x", "abc")`:                              true,
		`metric.labels.key_id = one_of("x","y")`:                                 false,
		`metric.type = starts_with("iam.")`:                                      true,
		`metric.type = ends_with( "/y" )`:                                        false,
		`metric.labels.key_id = has_substring("b")`:                              true,
		`metric.labels.key_id != has_substring("b")`:                             false,
	} {
		f, err := parseFilter(filter)
		if err != nil {
			t.Errorf("%s: %v", filter, err)
		} else if got := f.match(sample); got != want {
			t.Errorf("%s: %v, want %v", filter, got, want)
		}
	}
}

func TestFilterErrors(t *testing.T) {
	for filter, want := range map[string]string{
		`severity = "x"`:                     "at column 1",
		`metric.type`:                        "expected = or != at column 12",
		` metric.type > "x"`:                 "expected = or != at column 13",
		`metric.type = x`:                    "at column 15",
		`metric.type = "x`:                   "at column 15",
		`metric.type = "\q"`:                 "expected a quoted string",
		`metric.labels."\q" = "x"`:           "expected a label",
		`metric.type = one_of("x"`:           `expected ")" at column 25`,
		`metric.type = "x"AND project = "y"`: "expected AND at column 18",
		`metric.type = "x" OR project = "y"`: "at column 19",
	} {
		if f, err := parseFilter(filter); f != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v; want %q", filter, f, err, want)
		}
	}
}

func FuzzParseFilter(f *testing.F) {
	for _, seed := range []string{``, `metric.type = "x"`, `metric.labels."a b" != one_of("a", "b") AND project="p"`, `metric.type="` + "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		parsed, err := parseFilter(s)
		if err != nil {
			if parsed != nil {
				t.Fatalf("a filter besides the error %v", err)
			}
			return
		}
		twice, err := parseFilter(s + " AND " + s)
		if strings.TrimSpace(s) == "" {
			return
		}
		if err != nil || twice.match(sample) != parsed.match(sample) {
			t.Fatalf("%q joined with itself differs: %v, %v", s, twice, err)
		}
	})
}
