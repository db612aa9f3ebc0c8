package deployment

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var here = Wanted{Site: Site{Project: "acme", Number: "123", Region: "us-central1"}, Filter: "F", Endpoint: ""}

// nothing is the observation of a project where keyturn was never set up.
func nothing() Observed {
	return Observed{
		Project: Part[Project]{Value: Project{Number: "123"}},
		APIs:    Part[map[string]bool]{Value: map[string]bool{}}, Accounts: Part[map[string]bool]{Value: map[string]bool{}}, Topics: Part[map[string]bool]{Value: map[string]bool{}},
	}
}

func checksOf(problems []Problem) []string {
	var all []string
	for _, p := range problems {
		if len(all) == 0 || all[len(all)-1] != p.Check {
			all = append(all, p.Check)
		}
	}
	return all
}

func TestNothingElseIsToldWhileNothingCanBeLookedAt(t *testing.T) {
	local, unnamed := here, here
	local.Endpoint, unnamed.Project = "127.0.0.1:1", ""
	for name, tt := range map[string]struct {
		w    Wanted
		o    Observed
		want Problem
	}{
		"no credentials": {here, Observed{Caller: Part[Caller]{Value: Caller{Lacks: "there are no credentials on this machine"}}},
			Problem{Check: "credentials", Kind: Broken, Fix: []string{"gcloud auth application-default login"}}},
		"no network":     {here, Observed{Caller: Part[Caller]{Value: Caller{Unreachable: true}}}, Problem{Check: "network", Kind: Broken}},
		"no local world": {local, Observed{Caller: Part[Caller]{Value: Caller{Unreachable: true}}}, Problem{Check: "network", Kind: Broken, Fix: []string{"keyturn local"}}},
		"no project":     {unnamed, nothing(), Problem{Check: "project", Kind: Broken}},
		"a wrong one":    {here, Observed{Project: Part[Project]{Value: Project{Gone: "it does not exist"}}}, Problem{Check: "project", Kind: Broken}},
		"an unread one":  {here, Observed{Project: Part[Project]{Unread: &Unread{Why: "timeout"}}}, Problem{Check: "unread", Kind: Unchecked}},
		"the API that tells of it is off": {here, Observed{Project: Part[Project]{Unread: &Unread{API: "cloudresourcemanager.googleapis.com"}}},
			Problem{Check: "api", Kind: Broken, Fix: []string{"gcloud services enable cloudresourcemanager.googleapis.com --project=acme"}}},
	} {
		got := Diagnose(tt.w, tt.o)
		if len(got) != 1 || got[0].Check != tt.want.Check || got[0].Kind != tt.want.Kind || tt.want.Fix != nil && !slices.Equal(got[0].Fix, tt.want.Fix) {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

// TestKeysOfKeyturnsOwn are told, those of whoever asks and those of functions.
func TestKeysOfKeyturnsOwn(t *testing.T) {
	o := nothing()
	o.Caller.Value.KeyFile = "/home/ada/key.json"
	o.Functions.Value = map[string]Deployed{here.Function("keyturn-audit"): {Environment: map[string]string{"KEYTURN_ALLOW_KEY_FILE": "true", "KEYTURN_PROJECT": "acme"}}}
	var told []string
	for _, p := range Diagnose(here, o) {
		if p.Check == "own-key" {
			told = append(told, string(p.Kind)+": "+p.Problem)
		}
	}
	if want := []string{"exposed: you call Google with the user-managed key in /home/ada/key.json", "exposed: function keyturn-audit has KEYTURN_ALLOW_KEY_FILE in its environment, and an account attached: it needs no key"}; !slices.Equal(told, want) {
		t.Errorf("told %q", told)
	}
}

func TestAProjectWithoutKeyturnIsToldInOrder(t *testing.T) {
	o := nothing()
	for _, a := range APIs {
		o.APIs.Value[a.Name] = false
	}
	got := Diagnose(here, o)
	if checks := checksOf(got); !slices.Equal(checks, []string{"api", "audit-log"}) {
		t.Errorf("without APIs: %v", checks)
	}
	var order []string
	for _, c := range Checks {
		order = append(order, c.Name)
	}
	o.APIs.Value = map[string]bool{}
	last := 0
	for _, p := range Diagnose(here, o) {
		at := slices.Index(order, p.Check)
		if at < last {
			t.Errorf("%s comes after %s", p.Check, order[last])
		}
		last = at
	}
}

func TestWhatFollowsStandsUnderItsCause(t *testing.T) {
	all := []Problem{
		{About: "topic"}, {About: "other"}, {About: "function"}, {About: "grant"},
	}
	all[0] = all[0].provides("t")
	all[2] = all[2].after("t").provides("f", "t")
	all[3] = all[3].after("", "f")
	got := fold(all)
	if len(got) != 2 || len(got[0].Follows) != 2 || got[0].Follows[1].About != "grant" || got[1].About != "other" {
		t.Errorf("%+v", got)
	}
	same := fold([]Problem{{Fix: []string{"a"}}, {Fix: []string{"b"}}, {Fix: []string{"a"}}, {}, {}})
	if len(same) != 4 || len(same[0].Follows) != 1 {
		t.Errorf("%+v", same)
	}
	if fold(nil) != nil {
		t.Error("nothing wrong is something")
	}
}

func TestWordsForAShell(t *testing.T) {
	for word, want := range map[string]string{
		"a-b_c.d/e:f@g,h%+=": "a-b_c.d/e:f@g,h%+=", "": "''", "a b": "'a b'", "--x=a b": "--x='a b'", "it's": `'it'\''s'`, "--y=it's": `--y='it'\''s'`, "$(x)": "'$(x)'", "--z=`x`": "--z='`x`'",
	} {
		if got := quoted(word); got != want {
			t.Errorf("%q is written %s, want %s", word, got, want)
		}
	}
}

func TestBindings(t *testing.T) {
	for on, want := range map[string]string{
		"projects/acme":                            "gcloud projects remove-iam-policy-binding acme --member=user:a --role=roles/x --all",
		"projects/acme/topics/t":                   "gcloud pubsub topics remove-iam-policy-binding t --member=user:a --role=roles/x --all --project=acme",
		"projects/acme/subscriptions/s":            "gcloud pubsub subscriptions remove-iam-policy-binding s --member=user:a --role=roles/x --all --project=acme",
		"projects/acme/secrets/s":                  "gcloud secrets remove-iam-policy-binding s --member=user:a --role=roles/x --all --project=acme",
		"projects/acme/serviceAccounts/e":          "gcloud iam service-accounts remove-iam-policy-binding e --member=user:a --role=roles/x --all --project=acme",
		"projects/acme/locations/here/services/fn": "gcloud run services remove-iam-policy-binding fn --member=user:a --role=roles/x --region=us-central1 --all --project=acme",
	} {
		if got := here.unbind("user:a", "roles/x", on, "a condition"); got != want {
			t.Errorf("%s:\n%s, want\n%s", on, got, want)
		}
	}
}

func TestVerdicts(t *testing.T) {
	const role, topic = "roles/r", "projects/acme/topics/t"
	roles := map[string]Part[RoleState]{role: {Value: RoleState{Permissions: []string{"p"}}}, "roles/unread": {Unread: &Unread{}}}
	bound := func(role, condition string, members ...string) Observed {
		return Observed{Roles: roles, Policies: map[string]Part[Policy]{topic: {Value: Policy{[]Binding{{role, members, condition}}}}}}
	}
	for name, tt := range map[string]struct {
		o    Observed
		want verdict
	}{
		"bound":                {bound(role, "", "user:a"), yes},
		"everybody":            {bound(role, "", "allUsers"), yes},
		"another":              {bound(role, "", "user:b"), no},
		"a group":              {bound(role, "", "group:g"), maybe},
		"a condition":          {bound(role, "c", "user:a"), maybe},
		"an unread role":       {bound("roles/unread", "", "user:a"), maybe},
		"a role without it":    {bound("roles/other", "", "user:a"), no},
		"an unread policy":     {Observed{Policies: map[string]Part[Policy]{topic: {Unread: &Unread{}}}}, maybe},
		"by the project":       {Observed{Roles: roles, Policies: map[string]Part[Policy]{"projects/acme": {Value: Policy{[]Binding{{role, []string{"user:a"}, ""}}}}}}, yes},
		"a resource not there": {Observed{}, no},
	} {
		if got := (examination{Wanted: here, Observed: tt.o}).holds("user:a", "p", topic); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

func TestWhatCouldNotBeReadIsNoFalseAlarm(t *testing.T) {
	u := &Unread{Why: "denied", Denied: true}
	o := nothing()
	o.Caller.Value.Name = "ada@example.com"
	o.APIs, o.Accounts, o.Topics = Part[map[string]bool]{Unread: u}, Part[map[string]bool]{Unread: u}, Part[map[string]bool]{Unread: u}
	o.Functions.Unread, o.Subscriptions.Unread, o.Sink.Unread, o.Jobs.Unread, o.Credentials.Unread, o.Exceeded.Unread, o.Skew.Unread = u, u, u, u, u, u, u
	o.Policies = map[string]Part[Policy]{"projects/acme": {Unread: u}}
	o.Roles = map[string]Part[RoleState]{"roles/x": {Unread: u}}
	o.Seals = map[string]Part[*Seal]{"projects/acme/secrets/keyturn-seal-commands": {Unread: u}, "projects/acme/secrets/keyturn-seal-findings": {Unread: u}}
	w := here
	w.Jobs = []Job{{Name: "projects/acme/locations/us-central1/jobs/j"}}
	got := Diagnose(w, o)
	if len(got) < 10 {
		t.Errorf("only %d problems", len(got))
	}
	for _, p := range got {
		if p.Kind != Unchecked || !strings.HasPrefix(p.Problem, "could not check ") {
			t.Errorf("%+v", p)
		}
		if len(p.Fix) > 0 && !strings.Contains(p.Fix[0], "--member=user:ada@example.com") {
			t.Errorf("fix %v", p.Fix)
		}
	}
	o.Caller.Value.Name = "ci@acme.iam.gserviceaccount.com"
	if fix := Diagnose(w, o)[1].Fix; len(fix) == 0 || !strings.Contains(fix[0], "serviceAccount:ci@acme") {
		t.Errorf("fix %v", fix)
	}
	o.Credentials = Part[[]Credential]{Value: []Credential{{Secret: "projects/acme/secrets/s", Unread: "timeout"}}}
	if got := checksOf(Diagnose(w, o)); !slices.Equal(got, []string{"unread"}) {
		t.Errorf("%v", got)
	}
}

func TestASinkFromAbove(t *testing.T) {
	o := nothing()
	topic := here.Topic(LogTopic)
	o.Topics.Value[topic] = true
	o.Policies = map[string]Part[Policy]{topic: {Value: Policy{[]Binding{{rolePublisher, []string{"serviceAccount:service-org-1@gcp-sa-logging.iam.gserviceaccount.com"}, ""}}}}}
	got := examination{Wanted: here, Observed: o}.sink()
	if len(got) != 1 || got[0].Kind != Unchecked {
		t.Errorf("%+v", got)
	}
}

func TestClocksMayDifferALittle(t *testing.T) {
	for skew, wrong := range map[time.Duration]bool{0: false, time.Minute: false, -time.Minute: false, 61 * time.Second: true, -time.Hour: true} {
		e := examination{Wanted: here, Observed: Observed{Skew: Part[time.Duration]{Value: skew}}}
		if got := e.clock(); (len(got) == 1) != wrong {
			t.Errorf("%v: %+v", skew, got)
		}
	}
}

// TestTheTableIsWhole: what is granted is on what a deployment has, by roles that
// exist or that the table defines, to accounts of the table or of Google's.
func TestTheTableIsWhole(t *testing.T) {
	if len(Grants) < 25 {
		t.Fatalf("only %d grants", len(Grants))
	}
	e := examination{Wanted: here}
	for _, g := range here.Granted("serviceAccount:w", []string{"projects/acme/subscriptions/s"}) {
		if strings.Contains(g.Member+g.Role+g.On, "$") || len(g.Permissions) == 0 {
			t.Errorf("%+v", g)
		}
		if !e.ours(g.Member) && !strings.HasPrefix(g.Member, "serviceAccount:service-123@gcp-sa-") && g.Member != "serviceAccount:w" {
			t.Errorf("nobody is %s", g.Member)
		}
		if _, custom := e.custom(g.Role); !custom && !strings.HasPrefix(g.Role, "roles/") {
			t.Errorf("there is no role %s", g.Role)
		}
		for _, p := range g.Permissions {
			if strings.Count(p.Name, ".") != 2 || p.Why == "" {
				t.Errorf("%s: %+v", g.Role, p)
			}
		}
	}
	for _, f := range Functions {
		if f.Topic != "" && f.without() == "messages of "+f.Topic+" are not handled" {
			t.Errorf("%s is started by %s, which is no topic", f.Name, f.Topic)
		}
	}
	if (Function{Topic: "x"}).without() == "" || some([]string{"a", "b", "c", "d"}) != "a, b, c and others" || here.Expand("${REGION}") != "us-central1" {
		t.Error("words are missing")
	}
}

// TestTheDocsListTheChecks in their order.
func TestTheDocsListTheChecks(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "doctor.md"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, c := range Checks {
		rows = append(rows, "| `"+c.Name+"` | "+c.Says+" |\n")
	}
	if !strings.Contains(string(page), "| --- | --- |\n"+strings.Join(rows, "")+"\n") {
		t.Errorf("docs/doctor.md does not have this table:\n%s", strings.Join(rows, ""))
	}
}

func TestCredentials(t *testing.T) {
	secret := "projects/acme/secrets/billing-key"
	for name, tt := range map[string]struct {
		c     Credential
		check string
		fix   string
	}{
		"one that is well":       {Credential{Secret: secret, Account: "projects/acme/serviceAccounts/a@acme.iam.gserviceaccount.com"}, "", ""},
		"an account is gone":     {Credential{Secret: secret, Account: "projects/acme/serviceAccounts/a@acme.iam.gserviceaccount.com", Gone: true}, checkOrphan, "keyturn release billing-key --leave --project=acme"},
		"its state is unknown":   {Credential{Secret: secret, Unread: "denied"}, checkUnread, ""},
		"it cannot be read":      {Credential{Secret: secret, Broken: "no kind"}, checkRegistration, "gcloud secrets describe billing-key --format='yaml(labels,annotations)' --project=acme"},
		"an API key, no account": {Credential{Secret: secret}, "", ""},
	} {
		o := Observed{Credentials: Part[[]Credential]{Value: []Credential{tt.c}}}
		e := examination{Wanted: here, Observed: o}
		got := append(e.credentials(), e.unread()...)
		switch {
		case tt.check == "" && len(got) == 0:
		case len(got) != 1 || got[0].Check != tt.check || strings.Join(got[0].Fix, "\n") != tt.fix:
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestWhatMayBeInherited lets nothing of the audit function's be granted in the project.
func TestWhatMayBeInherited(t *testing.T) {
	role := here.Expand(Roles[1].Name())
	var names []string
	for _, p := range Roles[1].Permissions {
		names = append(names, p.Name)
	}
	auditor := here.Expand(member(Audit))
	denied := &Unread{Why: "no", Denied: true}
	bound := Part[Policy]{Value: Policy{Bindings: []Binding{{Role: role, Members: []string{auditor}}}}}
	for name, tt := range map[string]struct {
		ancestors Part[[]string]
		folder    Part[Policy]
		want      string // first problem
		fix       string
	}{
		"granted above":         {Part[[]string]{Value: []string{"folders/1"}}, bound, "", ""},
		"granted nowhere":       {Part[[]string]{Value: []string{"folders/1"}}, Part[Policy]{}, "keyturn-audit lacks ", "gcloud projects add-iam-policy-binding "},
		"a folder not read":     {Part[[]string]{Value: []string{"folders/1"}}, Part[Policy]{Unread: denied}, "could not check what folder 1 grants", "gcloud resource-manager folders add-iam-policy-binding 1 --member=user:YOU --role=roles/iam.securityReviewer --condition=None"},
		"no ancestry":           {Part[[]string]{Unread: denied}, Part[Policy]{}, "could not check what is granted above project acme", ""},
		"an outage of a folder": {Part[[]string]{Value: []string{"folders/1"}}, Part[Policy]{Unread: &Unread{Why: "down"}}, "could not check what folder 1 grants: down", ""},
	} {
		o := nothing()
		o.Ancestors = tt.ancestors
		o.Policies = map[string]Part[Policy]{here.Resource(): {}, "folders/1": tt.folder}
		o.Roles = map[string]Part[RoleState]{role: {Value: RoleState{Permissions: names}}}
		e := examination{Wanted: here, Observed: o}
		for _, g := range here.Granted("", nil) {
			if g.Member == auditor && g.Role == role {
				e.grants = append(e.grants, g)
			}
		}
		got := fold(append(e.missing(), e.unread()...))
		switch {
		case tt.want == "" && len(got) == 0:
		case len(got) != 1 || !strings.HasPrefix(got[0].Problem, tt.want) || !strings.HasPrefix(strings.Join(got[0].Fix, ""), tt.fix):
			t.Errorf("%s: %+v", name, got)
		case got[0].Kind == Unchecked && (len(got[0].Follows) != 1 || !strings.Contains(got[0].Follows[0].Problem, "unless it inherits that")):
			t.Errorf("%s: with it %+v", name, got[0].Follows)
		}
	}
}

func TestGrantsOnEachSecretCount(t *testing.T) {
	const accessor = "roles/secretmanager.secretAccessor"
	grant := func(on bool) Part[Policy] {
		if !on {
			return Part[Policy]{}
		}
		return Part[Policy]{Value: Policy{Bindings: []Binding{{Role: accessor, Members: []string{"serviceAccount:a"}}}}}
	}
	for name, tt := range map[string]struct {
		first, second bool
		want          verdict
	}{"both": {true, true, yes}, "one": {true, false, no}, "none": {false, false, no}} {
		e := examination{Wanted: here, Observed: Observed{
			Credentials: Part[[]Credential]{Value: []Credential{{Secret: "projects/acme/secrets/1"}, {Secret: "projects/acme/secrets/2"}, {Secret: "projects/acme/secrets/not-looked-at"}}},
			Policies:    map[string]Part[Policy]{"projects/acme/secrets/1": grant(tt.first), "projects/acme/secrets/2": grant(tt.second)},
			Roles:       map[string]Part[RoleState]{accessor: {Value: RoleState{Permissions: []string{mayAccess, "secretmanager.secrets.list"}}}},
		}}
		if got := e.holds("serviceAccount:a", mayAccess, here.Resource()); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
		if got := e.holds("serviceAccount:a", "secretmanager.secrets.list", here.Resource()); got != no {
			t.Errorf("%s: a list is granted on secrets: %d", name, got)
		}
	}
}
