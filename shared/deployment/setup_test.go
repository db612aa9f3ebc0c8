package deployment

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"google.golang.org/api/accesscontextmanager/v1"
)

// siteToSetUp is one, with everything that can be asked for.
func siteToSetUp(t *testing.T) Setup {
	t.Helper()
	r, err := ParseRepository("github:acme/keyturn", "main")
	if err != nil {
		t.Fatal(err)
	}
	return Setup{
		Site: Site{Project: "acme", Region: "us-central1"}, Filter: `log_id("a") OR log_id('b')`, Database: "nam5", Alerts: "alerts-yaml",
		Key: "projects/keys/locations/global/keyRings/r/cryptoKeys/k", Repository: r,
	}
}

// commandsIn are those of all steps, in order.
func commandsIn(groups []Group) []string {
	var all []string
	for _, g := range groups {
		for _, s := range g.Steps {
			all = append(all, s.Commands...)
		}
	}
	return all
}

// TestSetupMakesWhatTheTablesHave: each thing and each grant by exactly one command, or
// all APIs by one.
func TestSetupMakesWhatTheTablesHave(t *testing.T) {
	s := siteToSetUp(t)
	commands := commandsIn(s.Make())
	once := func(parts ...string) {
		t.Helper()
		n := 0
		for _, c := range commands {
			if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(c+" ", part) }) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d commands have %q", n, parts)
		}
	}
	for _, a := range APIs {
		once("services enable ", " "+a.Name+" ")
	}
	for _, a := range Accounts {
		once("service-accounts create " + a.ID + " ")
	}
	for _, r := range Roles {
		names, _ := explain(r.Permissions)
		once("roles create "+r.ID+" ", "--permissions="+strings.Join(names, ",")+" ")
		once("roles update " + r.ID + " ")
		once("roles undelete " + r.ID + " ")
	}
	for _, topic := range Topics {
		once("topics create " + topic.ID + " ")
	}
	for _, id := range Seals {
		once("secrets create "+id+" ", "--kms-key-name="+s.Key)
		once("head -c 32 /dev/urandom | gcloud secrets versions add " + id + " --data-file=- ")
	}
	for _, c := range Collections {
		once("ttls update "+c.Expires+" ", "--collection-group="+c.ID+" ")
		once("indexes fields update "+c.Unindexed+" ", "--collection-group="+c.ID+" ")
	}
	for _, l := range AuditLogs {
		once("set-iam-policy", `{service:"`+l.Service+`",`)
	}
	once("subscriptions create " + DeadLetters + " ")
	once("sinks create "+SinkName+" ", quoted("--log-filter="+s.Filter))
	once("buckets create gs://acme-keyturn-builds ")
	s.Number = shellVariable(NumberRead)
	var subscriptions []string
	for _, f := range Functions {
		if f.Topic != "" {
			subscriptions = append(subscriptions, s.Resource()+"/subscriptions/"+shellVariable(strings.ReplaceAll(f.Name, "-", "_")))
			once("subscriptions update ", strings.ReplaceAll(f.Name, "-", "_")+"}", "--dead-letter-topic=")
		}
	}
	for _, g := range slices.Concat(s.Granted(shellVariable(writerRead), subscriptions), s.Federated(), []Grant{s.alertsGrant(s.Secret(s.Alerts)), s.Repository.grant(s.Site)}) {
		once(s.bind(g.Member, g.Role, g.On) + " ")
	}
}

// TestSetupTakesNothingAway, and replaces one policy only, which it has read.
func TestSetupTakesNothingAway(t *testing.T) {
	for _, c := range commandsIn(siteToSetUp(t).Make()) {
		for _, never := range []string{" delete ", " remove-", " disable ", "rm ", "clear-"} {
			if strings.Contains(c, never) {
				t.Errorf("it runs %s", c)
			}
		}
		if strings.Contains(c, "set-iam-policy") && !strings.HasPrefix(c, "policy=$(gcloud projects get-iam-policy acme --format=json | jq -n 'input ") {
			t.Errorf("it writes a policy that it has not read: %s", c)
		}
	}
}

// TestUndoIsTheReverse of what is not left on purpose, and touches nothing that setup
// does not make.
func TestUndoIsTheReverse(t *testing.T) {
	s := siteToSetUp(t)
	commands := commandsIn(s.Undo())
	for _, c := range commands {
		deletes := strings.Contains(c, " delete ") && strings.Contains(c, "keyturn")
		if !deletes && !strings.Contains(c, " remove-iam-policy-binding ") {
			t.Errorf("it runs %s", c)
		}
	}
	all := strings.Join(commands, "\n")
	for _, kept := range []string{"firestore", "services disable", "buckets delete", "storage rm", "set-iam-policy", "functions delete"} {
		if strings.Contains(all, kept) {
			t.Errorf("it takes away what is %s", kept)
		}
	}
	gone := len(Topics) + 1 + len(Seals) + len(Roles) + len(Accounts) + 2 // the dead letters, the sink and the pool
	if n := strings.Count(all, " delete "); n != gone {
		t.Errorf("%d things are deleted, want %d", n, gone)
	}
	for _, g := range append(s.Granted("", nil), s.Federated()...) {
		if g.On == s.Resource() && !strings.Contains(all, s.unbind(g.Member, g.Role, g.On, "")) {
			t.Errorf("%s keeps %s", g.Member, g.Role)
		}
	}
}

// shellRuns has a shell run a script, and returns what it prints.
func shellRuns(t *testing.T, script string) string {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh")
	}
	cmd := exec.CommandContext(t.Context(), sh)
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, script)
	}
	return string(out)
}

// TestAScriptDoesWhatIsNeeded: what a shell makes of steps is what Needed says of them.
func TestAScriptDoesWhatIsNeeded(t *testing.T) {
	says := func(what string) []string { return []string{"echo " + what} }
	g := Group{
		Title: "things", Readings: []Reading{{"number", "echo 42"}, {"there", `printf 'one\ntwo %s\nit'"'"'s "$5"\n' "$number"`}},
		Steps: []Step{
			{Makes: "one", There: absent("one"), Commands: says("one")},
			{Makes: "on", There: absent("on"), Commands: says("on")},
			{Makes: "number", There: absent("two ${number}"), Commands: says("number")},
			{Makes: "quotes", There: absent(`it's "$5"`), Commands: says("quotes")},
			{Makes: "any", There: absent("no", "one"), Commands: says("any")},
			{Makes: "all", There: [][]string{{"one"}, {"no", "two 42"}}, Commands: says("all")},
			{Makes: "not all", There: [][]string{{"one"}, {"no", "nor"}}, Commands: append(says("not"), says("all")...)},
			{Makes: "only", Only: "one", Commands: says("only")},
			{Makes: "only what is not there", Only: "three", Commands: says("three")},
		},
	}
	found := Found{"number": "42", "there": "one\ntwo 42\nit's \"$5\""}
	var want []string
	for _, s := range g.Steps {
		if s.Needed(g, found) {
			for _, c := range s.Commands {
				want = append(want, strings.TrimPrefix(c, "echo "))
			}
		}
	}
	if !slices.Equal(want, []string{"on", "not", "all", "only"}) {
		t.Errorf("needed are %v", want)
	}
	waiting := Group{Title: "later", If: "nothing", Wait: "it's not there", Readings: g.Readings, Steps: g.Steps}
	empty := Group{Title: "nothing", Readings: []Reading{{"nothing", "true"}}}
	full := waiting
	full.If = "number"
	got := strings.Fields(shellRuns(t, Script("t", []Group{g, empty, waiting, full})))
	if !slices.Equal(got, append(want, want...)) {
		t.Errorf("the shell makes %v, want %v twice", got, want)
	}
}

// TestScriptsAreAShells parses them.
func TestScriptsAreAShells(t *testing.T) {
	s := siteToSetUp(t)
	for name, groups := range map[string][]Group{"make": s.Make(), "undo": s.Undo()} {
		script := Script("t", groups)
		shellRuns(t, "set -n\n"+script)
		if strings.Contains(script, "${PROJECT") {
			t.Errorf("%s: a variable was left in", name)
		}
	}
}

func TestWordsKeepTheirVariables(t *testing.T) {
	for word, want := range map[string]string{"a-${number}@b": "a-42@b", `"` + "`x`" + ` ${number}\`: `"` + "`x`" + ` 42\`, "$number": "$number", "--f=it's": "--f=it's", "": ""} {
		if got := shellRuns(t, "number=42\nprintf %s "+quoted(word)); got != want {
			t.Errorf("%s becomes %s, want %s", word, got, want)
		}
	}
}

func TestRepositories(t *testing.T) {
	for text, ok := range map[string]bool{
		"github:acme/keyturn": true, "github:acme/key.turn_2": true, "gitlab:acme/keyturn": true, "gitlab:acme/sub/keyturn": true,
		"github:acme": false, "github:acme/sub/keyturn": false, "github:-acme/keyturn": false, "gitlab:acme": false, "bitbucket:acme/keyturn": false, "acme/keyturn": false, "": false,
		"github:acme/keyturn'||true||'": false, "github:acme/key turn": false, "gitlab:acme//keyturn": false, "github:acme/*": false,
	} {
		if r, err := ParseRepository(text, "main"); (err == nil) != ok || ok && text != r.Host+":"+r.Path {
			t.Errorf("%s: %v, %v", text, r, err)
		}
	}
	for branch, ok := range map[string]bool{"main": true, "release/1.x": true, "": false, "a'b": false, "*": false} {
		if _, err := ParseRepository("github:acme/keyturn", branch); (err == nil) != ok {
			t.Errorf("branch %q: %v", branch, err)
		}
	}
}

// TestFederationIsOfOneRepository and branch, in the condition and in the binding, and
// what CI has to write down is YAML that names both.
func TestFederationIsOfOneRepository(t *testing.T) {
	for text, want := range map[string]struct{ condition, member string }{
		"github:acme/keyturn":     {"assertion.repository=='acme/keyturn' && assertion.ref=='refs/heads/main'", "/attribute.repository/acme/keyturn"},
		"gitlab:acme/sub/keyturn": {"assertion.project_path=='acme/sub/keyturn' && assertion.ref_type=='branch' && assertion.ref=='main'", "/attribute.project_path/acme/sub/keyturn"},
	} {
		r, err := ParseRepository(text, "main")
		if err != nil {
			t.Fatal(err)
		}
		site := Site{Project: "acme", Number: "42", Region: "us-central1"}
		g := r.grant(site)
		if r.condition() != want.condition || g.Member != "principalSet://iam.googleapis.com/projects/42/locations/global/workloadIdentityPools/keyturn"+want.member || g.Role != "roles/iam.workloadIdentityUser" {
			t.Errorf("%s: %s, %+v", text, r.condition(), g)
		}
		var snippet any
		ci := r.CI(site)
		if err := yaml.Unmarshal([]byte(ci), &snippet); err != nil || !strings.Contains(ci, r.provider(site)) || !strings.Contains(ci, site.Email(Deploy)) {
			t.Errorf("%s: %v in\n%s", text, err, ci)
		}
	}
}

// TestWhatFederationGrantsIsNotTooMuch to Diagnose, and nobody has to have it.
func TestWhatFederationGrantsIsNotTooMuch(t *testing.T) {
	o := nothing()
	name := here.Email(Deploy)
	o.Accounts.Value[name] = false
	o.Policies, o.Roles = map[string]Part[Policy]{}, map[string]Part[RoleState]{}
	problems := func() (all []string) {
		for _, p := range Diagnose(here, o) {
			if p.Check == checkSuperfluous || strings.Contains(p.Problem, "cloudbuild") {
				all = append(all, p.Problem)
			}
		}
		return all
	}
	without := problems()
	for _, g := range here.Federated() {
		p := o.Policies[g.On]
		p.Value.Bindings = append(p.Value.Bindings, Binding{Role: g.Role, Members: []string{g.Member}})
		o.Policies[g.On] = p
		o.Roles[g.Role] = Part[RoleState]{Value: RoleState{Permissions: []string{g.Permissions[0].Name, "and.more"}}}
	}
	if with := problems(); len(without)+len(with) > 0 {
		t.Errorf("without it: %v; with it: %v", without, with)
	}
}

// TestAdviceIsOfTheAPIs: rules decode into what they are for.
func TestAdviceIsOfTheAPIs(t *testing.T) {
	s := siteToSetUp(t)
	strict := func(text string, into any) {
		t.Helper()
		encoded, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		dec := json.NewDecoder(bytes.NewReader(encoded))
		dec.DisallowUnknownFields()
		if err := dec.Decode(into); err != nil {
			t.Errorf("%v in\n%s", err, text)
		}
	}
	var in []*accesscontextmanager.IngressPolicy
	var out []*accesscontextmanager.EgressPolicy
	strict(s.Ingress(), &in)
	strict(s.Egress(), &out)
	if len(in) != 2 || len(out) != 1 || len(in[0].IngressTo.Operations) != 6 || len(out[0].EgressFrom.Identities) != 2 {
		t.Errorf("rules %+v, %+v", in, out)
	}
	if advice := s.Advice(); !strings.Contains(advice, "org-policies allow iam.workloadIdentityPoolProviders https://token.actions.githubusercontent.com --project=acme") {
		t.Error(advice)
	}
}
