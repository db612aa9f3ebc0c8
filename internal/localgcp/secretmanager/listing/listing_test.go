package listing

import (
	"slices"
	"strings"
	"testing"
)

var item = map[string][]string{
	"name":          {"projects/p/secrets/db-Password"},
	"state":         {"ENABLED"},
	"labels":        {"team", "env"},
	"labels.team":   {"sec"},
	"labels.env":    {"prod-1"},
	"labels.my key": {"x y"},
	"create_time":   {"2030-06-01T12:00:00.5Z"},
}

func fields(path string) []string { return item[path] }

var known = []string{"name", "state", "labels", "create_time", "expire_time"}

func TestFilter(t *testing.T) {
	for expr, want := range map[string]bool{
		"":                                    true,
		"  ":                                  true,
		"labels.team=sec":                     true,
		"labels.team=SEC":                     false,
		"labels.team = sec":                   true,
		"labels.team=se":                      false,
		"labels.team:se":                      true,
		"labels.team:*":                       true,
		"labels.absent:*":                     false,
		`labels.team:"*"`:                     false,
		"labels:env":                          true,
		`labels."my key"="x y"`:               true,
		"name:PASSWORD":                       true,
		"name:db labels.team=sec":             true,
		"name:db AND labels.team=ops":         false,
		"name:nope OR labels.team=sec":        true,
		"name:nope OR name:db state:DISABLED": false,
		"state:DISABLED name:nope OR name:db": false,
		"state:DISABLED OR (name:db state=ENABLED)": true,
		"NOT state:ENABLED":                         false,
		"-state:ENABLED":                            false,
		"NOT -state:ENABLED":                        true,
		"state!=DISABLED":                           true,
		"state!=ENABLED":                            false,
		"labels.env=prod-1":                         true,
		"create_time>2030-01-01":                    true,
		"createTime < 2030-06-01T12:00:00Z":         false,
		"create_time>=2030-06-01T12:00:00.500Z":     true,
		"create_time<=2030-06-01T14:00:00.5+02:00":  true,
		"create_time=2030-06-01T12:00:00.50Z":       true,
		"expire_time>2030-01-01":                    false,
		"state>=ENABLE":                             true,
		`name:"db\-Pass"`:                           true,
	} {
		f, err := ParseFilter(expr, known...)
		if err != nil {
			t.Errorf("%q: %v", expr, err)
		} else if got := f(fields); got != want {
			t.Errorf("%q matches: %v, want %v", expr, got, want)
		}
	}
}

func TestFilterErrors(t *testing.T) {
	for _, expr := range []string{
		"prod", "labels.team=", "=sec", "labels.team sec", "unknown:x", `name:"open`, "(name:a", "name:a)", "()", "name:a AND", "AND name:a",
		"name:a OR", "NOT", "name:(a)", "-", "name:" + strings.Repeat("a", maxFilter), "name:a OR (unknown:x)", "name:a unknown:x",
	} {
		if _, err := ParseFilter(expr, known...); err == nil {
			t.Errorf("%q was accepted", expr)
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{"", "labels.team=sec", `(a:"b\"c" OR NOT b!=c) -d<=e`, "name:*", "((((", "a=\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		filter, err := ParseFilter(expr, known...)
		if err != nil {
			if filter != nil {
				t.Error("a filter beside an error")
			}
			return
		}
		negated, err := ParseFilter("NOT ("+expr+")", known...)
		if strings.TrimSpace(expr) == "" || len(expr) > maxFilter-6 {
			return
		}
		if err != nil {
			t.Fatalf("%q parses, its negation does not: %v", expr, err)
		}
		if filter(fields) == negated(fields) {
			t.Errorf("%q and its negation agree", expr)
		}
	})
}

func TestPagesShowEveryItemOnce(t *testing.T) {
	items := []int64{9, 7, 4, 3, 1}
	key := func(i int64) int64 { return i }
	var seen []int64
	token := ""
	for {
		page, next, err := Page(items, key, 2, token)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, page...)
		if token = next; token == "" {
			break
		}
		items = append([]int64{items[0] + 1}, items...) // newer ones appear meanwhile
	}
	if want := []int64{9, 7, 4, 3, 1}; !slices.Equal(seen, want) {
		t.Errorf("pages showed %v, want %v", seen, want)
	}
}

func TestPageSizes(t *testing.T) {
	items := make([]int64, maxPage+1)
	for i := range items {
		items[i] = int64(len(items) - i)
	}
	for size, want := range map[int32]int{0: maxPage, 1: 1, maxPage + 1: maxPage} {
		page, next, err := Page(items, func(i int64) int64 { return i }, size, "")
		if err != nil || len(page) != want || next == "" {
			t.Errorf("size %d gave %d items, next %q, error %v; want %d and a next page", size, len(page), next, err, want)
		}
	}
}

func FuzzPageToken(f *testing.F) {
	for _, s := range []string{"YWZ0ZXI6Mw", "!", "YWZ0ZXI6", "YWZ0ZXI6M3g"} {
		f.Add(s, int32(1))
	}
	f.Add("", int32(-1))
	f.Fuzz(func(t *testing.T, token string, size int32) {
		page, next, err := Page([]int64{3, 2, 1}, func(i int64) int64 { return i }, size, token)
		if err != nil && (page != nil || next != "") {
			t.Errorf("page %v, next %q beside error %v", page, next, err)
		}
		if size < 0 && err == nil {
			t.Error("a negative size was accepted")
		}
		if key, err := decode(token); err == nil && encode(key) != token {
			t.Errorf("token %q was not made here", token)
		}
	})
}
