package rule

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"cel.dev/cel-go/common/types"
	"example.com/keyturn/shared/detect"
	"github.com/google/go-cmp/cmp"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// whole has every field of an entry.
var whole = detect.Entry{
	Audit: true, LogName: "projects/p/logs/l", InsertID: "i", Time: start, Project: "p",
	Service: "iam.googleapis.com", Method: "google.iam.admin.v1.SetIamPolicy", Resource: "projects/p", Account: "a@p", Born: "b",
	Principal: "user@example.com", PrincipalSubject: "user:user@example.com", KeyName: "//iam/keys/k", Delegation: []string{"d@p"},
	OAuthClient: "o", CallerIP: "192.0.2.7", UserAgent: "curl/8", Code: 7, Message: "no", Violation: "v",
	Permissions: []detect.Permission{{Name: "x.y.get", Granted: true}, {}, {Name: "x.y.setIamPolicy"}},
	Tested:      []string{"t"}, Grants: []detect.Grant{{Role: "roles/owner", Member: "user:m"}},
}

// must parses a file of one rule.
func must(t testing.TB, lines ...string) *Set {
	t.Helper()
	s, err := Parse("test.yaml", []byte(rules(append([]string{"name: test"}, lines...)...)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestFieldsAreWhatCELMakesOfThem compares with cel's own adapter.
func TestFieldsAreWhatCELMakesOfThem(t *testing.T) {
	for _, e := range []detect.Entry{whole, {}} {
		for _, f := range fields {
			want := types.DefaultTypeAdapter.NativeToValue(f.Value(&e))
			if got := f.value(&e); reflect.TypeOf(got) != reflect.TypeOf(want) || got.Equal(want) != types.True {
				t.Errorf("%s is %T %v, want %T %v", f.Name, got, got, want, want)
			}
		}
	}
	if v := celValue(1.5); !types.IsError(v) {
		t.Errorf("a value that no field has is %v", v)
	}
}

func TestExpressionsSeeEveryField(t *testing.T) {
	for name, want := range map[string]string{
		"audit": "true", "denied": "true", "code": "7", "service": "'iam.googleapis.com'", "method": "'google.iam.admin.v1.SetIamPolicy'",
		"subject": "'user@example.com'", "principal": "'user@example.com'", "principal_subject": "'user:user@example.com'", "key": "'//iam/keys/k'",
		"delegation": "['d@p']", "oauth_client": "'o'", "caller_ip": "'192.0.2.7'", "user_agent": "'curl/8'",
		"permissions": "['x.y.get', 'x.y.setIamPolicy']", "ungranted": "['x.y.setIamPolicy']", "tested": "['t']", "grants": "['roles/owner user:m']",
		"message": "'no'", "violation": "'v'", "resource": "'projects/p'", "account": "'a@p'", "born": "'b'", "project": "'p'",
		"log_name": "'projects/p/logs/l'", "insert_id": "'i'", "time": "timestamp('2026-03-01T12:00:00Z')",
	} {
		if fieldNamed(name) == nil {
			t.Errorf("there is no field %s", name)
			continue
		}
		if hits := must(t, "when: "+name+" == "+want).Match(&whole, nil); len(hits) != 1 {
			t.Errorf("%s is not %s", name, want)
		}
	}
	for _, f := range Fields() {
		s := must(t, fmt.Sprintf("when: %s == %s", f.Name, f.Name))
		if len(s.Match(&whole, nil)) != 1 || len(s.Match(&detect.Entry{}, nil)) != 1 {
			t.Errorf("%s does not equal itself: %v", f.Name, s.Failures())
		}
	}
}

func TestHits(t *testing.T) {
	other := whole
	other.Code, other.Permissions = 0, nil
	nobody := detect.Entry{Audit: true, Code: 7}
	for _, tt := range []struct {
		name  string
		lines []string
		entry detect.Entry
		want  []detect.Hit
	}{
		{"no match", nil, other, nil},
		{"match", nil, whole, []detect.Hit{{}}},
		{"by subject", []string{"group_by: subject"}, whole, []detect.Hit{{}}},
		{"by one field", []string{"group_by: caller_ip"}, whole, []detect.Hit{{Group: "caller_ip 192.0.2.7"}}},
		{"by several", []string{"group_by: [subject, permissions, code, time]"}, whole, []detect.Hit{
			{Group: "subject user@example.com, permissions x.y.get x.y.setIamPolicy, code 7, time 2026-03-01T12:00:00Z"}}},
		{"by a field that is empty", []string{"group_by: [caller_ip, user_agent]"}, nobody, []detect.Hit{{}}},
		{"by one of two", []string{"group_by: [caller_ip, project]"}, detect.Entry{Audit: true, Code: 7, Project: "q"}, []detect.Hit{
			{Group: "caller_ip , project q"}}},
		{"distinct values", []string{"distinct: method"}, whole, []detect.Hit{{Item: whole.Method}}},
		{"distinct elements", []string{"distinct: permissions"}, whole, []detect.Hit{{Item: "x.y.get"}, {Item: "x.y.setIamPolicy"}}},
		{"distinct of nothing", []string{"distinct: permissions"}, nobody, nil},
	} {
		s := must(t, append(tt.lines, "when: denied")...)
		for i := range tt.want {
			tt.want[i].Rule = &s.rules[0].Rule
		}
		if diff := cmp.Diff(tt.want, s.Match(&tt.entry, nil)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	var none *Set
	if hits := none.Match(&whole, nil); hits != nil || none.Failures() != nil {
		t.Errorf("no set: %v", hits)
	}
}

func TestHitsAreAppended(t *testing.T) {
	s, err := Parse("r", []byte("rules:\n- {name: a, when: denied}\n- {name: b, when: 'false'}\n- {name: c, when: code == 7}\n"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, h := range s.Match(&whole, []detect.Hit{{Rule: &detect.Rule{Name: "before"}}}) {
		names = append(names, h.Rule.Name)
	}
	if want := []string{"before", "a", "c"}; !slices.Equal(names, want) {
		t.Errorf("rules %q, want %q", names, want)
	}
}

// An expression that cannot be evaluated matches nothing, stops nothing, and is
// told once, whatever the entry holds.
func TestRulesAreFoundByName(t *testing.T) {
	s, err := Load("testdata/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range s.rules {
		if r := s.Rule(c.Name); r != &c.Rule {
			t.Errorf("rule %q is %+v", c.Name, r)
		}
	}
	if r := s.Rule("no such rule"); r != nil {
		t.Errorf("found %+v", r)
	}
	if r := (*Set)(nil).Rule("any"); r != nil {
		t.Errorf("a set of none has %+v", r)
	}
}

func TestFailuresAreTold(t *testing.T) {
	hostile := detect.Entry{UserAgent: "\x1b[2J\u202e" + strings.Repeat("x", 1000), Permissions: make([]detect.Permission, 5000)}
	for i := range hostile.Permissions {
		hostile.Permissions[i].Name = strings.Repeat("a", 4000)
	}
	for _, tt := range []struct{ when, want string }{
		{"permissions[100000] == 'x'", "index out of bounds"},
		{"timestamp(user_agent) > time", `\x1b[2J`},
		{"1 / code > 3", "division by zero"},
		{"dyn(code) + dyn(method) == 3", "no such overload"},
		{"time.getHours('Nowhere/Atlantis') == 3", "Atlantis"},
		{"permissions.exists(p, p.matches('(b|a)*z'))", "cost limit exceeded"},
	} {
		s := must(t, "when: "+tt.when)
		for range 3 {
			if hits := s.Match(&hostile, nil); hits != nil {
				t.Errorf("%s matches", tt.when)
			}
		}
		failures := s.Failures()
		if len(failures) != 1 || !strings.Contains(failures[0].Error(), tt.want) || !strings.Contains(failures[0].Error(), "for 3 of the entries") {
			t.Errorf("%s: failures %v, want %s", tt.when, failures, tt.want)
			continue
		}
		if text := failures[0].Error(); len(text) > 1000 || strings.ContainsAny(text, "\x1b\u202e\n") {
			t.Errorf("%s: what the entry holds is told as it is: %q", tt.when, text)
		}
	}
}

// matching are n entries, one each step, of which no two are the same.
func matching(n int, step time.Duration) []detect.Entry {
	entries := make([]detect.Entry, n)
	for i := range entries {
		entries[i] = whole
		entries[i].InsertID, entries[i].Time = fmt.Sprint("id", i), start.Add(time.Duration(i)*step)
	}
	return entries
}

// found runs entries through an engine that has s alone to tell of.
func found(s *Set, entries []detect.Entry) []detect.Finding {
	g := detect.New(detect.Config{Rules: s})
	var all []detect.Finding
	for i := range entries {
		all = g.Observe(&entries[i], all)
	}
	all = g.Flush(all)
	return slices.DeleteFunc(all, func(f detect.Finding) bool { return f.Detector != "test" })
}

func TestEngineCountsHits(t *testing.T) {
	const when = "when: method.endsWith('SetIamPolicy')"
	twice := matching(19, time.Second)
	for _, tt := range []struct {
		name    string
		lines   []string
		entries []detect.Entry
		subject string // of the only finding; "" is none
	}{
		{"one is enough", nil, matching(1, 0), "user@example.com"},
		{"fewer than the threshold", []string{"threshold: 20"}, matching(19, time.Second), ""},
		{"duplicates", []string{"threshold: 20"}, slices.Concat(twice, twice, twice), ""},
		{"the threshold", []string{"threshold: 20"}, matching(20, time.Second), "user@example.com"},
		{"spread beyond the window", []string{"threshold: 20", "window: 10m"}, matching(20, time.Minute), ""},
		{"spread within a longer one", []string{"threshold: 20", "window: 20m"}, matching(20, time.Minute), "user@example.com"},
		{"the same permission again and again", []string{"threshold: 3", "distinct: permissions"}, matching(100, time.Second), ""},
		{"two permissions", []string{"threshold: 2", "distinct: permissions"}, matching(1, 0), "user@example.com"},
		{"by address", []string{"threshold: 20", "group_by: caller_ip"}, matching(20, time.Second), "caller_ip 192.0.2.7"},
		{"by what differs", []string{"threshold: 2", "group_by: insert_id"}, matching(20, time.Second), ""},
	} {
		findings := found(must(t, append(tt.lines, when)...), tt.entries)
		switch {
		case tt.subject == "" && len(findings) > 0:
			t.Errorf("%s: findings %+v", tt.name, findings)
		case tt.subject != "" && (len(findings) != 1 || findings[0].Subject != tt.subject || findings[0].Severity != detect.Warning):
			t.Errorf("%s: findings %+v, want one of %s", tt.name, findings, tt.subject)
		}
	}
}

func TestOrderHardlyMatters(t *testing.T) {
	entries := matching(60, 20*time.Second)
	want := ids(found(must(t, "when: denied", "threshold: 10", "window: 5m"), entries))
	if len(want) == 0 {
		t.Fatal("nothing found")
	}
	for seed := range uint64(20) {
		shuffled := disordered(entries, rand.New(rand.NewPCG(seed, 0)))
		if got := ids(found(must(t, "when: denied", "threshold: 10", "window: 5m"), shuffled)); !slices.Equal(got, want) {
			t.Fatalf("seed %d: findings %v, want %v", seed, got, want)
		}
	}
}

// disordered has entries come up to three minutes late, and some twice.
func disordered(entries []detect.Entry, r *rand.Rand) []detect.Entry {
	type arrival struct {
		entry detect.Entry
		at    time.Time
	}
	var arrivals []arrival
	for _, e := range entries {
		for range 1 + r.IntN(2) {
			arrivals = append(arrivals, arrival{e, e.Time.Add(time.Duration(r.Int64N(int64(3 * time.Minute))))})
		}
	}
	slices.SortFunc(arrivals, func(a, b arrival) int { return a.at.Compare(b.at) })
	late := make([]detect.Entry, len(arrivals))
	for i, a := range arrivals {
		late[i] = a.entry
	}
	return late
}

func ids(findings []detect.Finding) []string {
	var ids []string
	for _, f := range findings {
		ids = append(ids, f.ID)
	}
	slices.Sort(ids)
	return ids
}

func BenchmarkMatch(b *testing.B) {
	s, err := Load("testdata/example.yaml")
	if err != nil {
		b.Fatal(err)
	}
	e := whole
	e.Code = 0
	b.ReportAllocs()
	for b.Loop() {
		if hits := s.Match(&e, nil); hits != nil {
			b.Fatal(hits)
		}
	}
}
