package posture

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/inventory"
	"example.com/keyturn/shared/rotation"
)

var now = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

func ago(days int) time.Time { return now.Add(-time.Duration(days) * day) }

func keyID(n int) string { return fmt.Sprintf("%040x", n) }

func read[T any](v T) Read[T] { return Read[T]{Value: v, At: now} }

func unread[T any](part inventory.Part, of string) Read[T] {
	return Read[T]{Gap: &inventory.Gap{Part: part, Of: of, Cause: inventory.NoPermission, Detail: "Permission denied.", Next: "ask the owner"}}
}

const account = "projects/acme/serviceAccounts/billing@acme.iam.gserviceaccount.com"

// healthy is a project that passes everything.
func healthy() Snapshot {
	s := Snapshot{
		Inventory: inventory.Snapshot{At: now, Scope: "projects/acme", Home: "acme", Projects: []inventory.Project{{ID: "acme", Number: "200", Accounts: []inventory.Account{{Email: "billing@acme.iam.gserviceaccount.com"}}}}},
		Projects: map[string]Project{"acme": {
			Policy: read([]Binding{{Role: "roles/owner", Members: []string{"user:o@acme.example"}}}),
			Roles:  map[string]Read[bool]{"roles/owner": read(true), "roles/secretmanager.secretAccessor": read(true)},
			Constraints: map[string]Read[Constraint]{
				keyCreation: read(Constraint{}), managedKeyCreation: read(Constraint{Enforced: true}),
				keyUpload: read(Constraint{Enforced: true}), managedKeyUpload: read(Constraint{}),
				exposureResponse: read(Constraint{Allowed: []string{"DISABLE_KEY"}}), boundAPIKeys: read(Constraint{Enforced: true}),
			},
			Secrets: map[string]Read[[]Binding]{},
		}},
	}
	return s
}

// edit changes a copy of a healthy project.
func edit(change func(p *inventory.Project, more *Project)) Snapshot {
	s := healthy()
	more := s.Projects["acme"]
	change(&s.Inventory.Projects[0], &more)
	s.Projects["acme"] = more
	return s
}

// of are the results of one check, as "status subject-or-resource".
func of(r Report, check string) (all []string) {
	for _, result := range r.Results {
		if result.Check == check {
			name := result.Subject
			if name == "" {
				name = result.Resource[strings.LastIndexByte(result.Resource, '/')+1:]
			}
			all = append(all, string(result.Status)+" "+name)
		}
	}
	return all
}

func TestHealthyProjectPassesEverything(t *testing.T) {
	r, next := Evaluate(healthy(), Config{RequireCMEK: true}, State{})
	for _, result := range r.Results {
		if result.Status != Pass {
			t.Errorf("%s of %s: %s: %s", result.Check, result.Resource, result.Status, result.Reason)
		}
		if len(result.Evidence) == 0 || result.Evidence[0].At.IsZero() || result.Evidence[0].Read == "" {
			t.Errorf("%s of %s passes without evidence: %+v", result.Check, result.Resource, result.Evidence)
		}
	}
	if r.Status != Pass || len(r.Checks) != len(Checks()) || len(next.Failures) != 0 {
		t.Errorf("status %s, %d checks, %d failures are kept", r.Status, len(r.Checks), len(next.Failures))
	}
}

func TestCMEKIsLookedAtOnlyWhereItIsWanted(t *testing.T) {
	r, _ := Evaluate(healthy(), Config{}, State{})
	if slices.ContainsFunc(r.Checks, func(s Summary) bool { return s.Check == "secret-without-cmek" }) {
		t.Error("it is in the report")
	}
}

// managed is a secret that keyturn rotates.
func managed(name string, mode rotation.KeyMode, key int, since time.Time) inventory.Secret {
	policy := rotation.DefaultPolicy
	policy.KeyMode = mode
	return inventory.Secret{Name: "projects/acme/secrets/" + name, Credential: &inventory.Credential{
		Kind: rotation.ServiceAccountKey, Target: account, Policy: policy,
		Journal: rotation.Journal{Current: &rotation.Key{ID: keyID(key), Version: "1", Phase: rotation.Active, Since: since}},
	}}
}

func apiKey(name string, age int, r inventory.Restrictions) inventory.APIKey {
	return inventory.APIKey{Name: "projects/200/locations/global/keys/" + name, UID: "u-" + name, Created: ago(age), Restrictions: r}
}

func TestChecks(t *testing.T) {
	keys := func(all ...inventory.AccountKey) func(*inventory.Project, *Project) {
		return func(p *inventory.Project, _ *Project) { p.Accounts[0].Keys = all }
	}
	apiKeys := func(all ...inventory.APIKey) func(*inventory.Project, *Project) {
		return func(p *inventory.Project, _ *Project) { p.APIKeys = all }
	}
	secrets := func(policy []Binding, all ...inventory.Secret) func(*inventory.Project, *Project) {
		return func(p *inventory.Project, more *Project) {
			p.Secrets = all
			for _, s := range all {
				more.Secrets[s.Name] = read(policy)
			}
		}
	}
	gap := func(part inventory.Part, of string) func(*inventory.Project, *Project) {
		return func(p *inventory.Project, _ *Project) {
			p.Gaps = []inventory.Gap{{Part: part, Of: of, Cause: inventory.NoPermission, Detail: "no"}}
		}
	}
	accessor := func(members ...string) []Binding {
		return []Binding{{Role: "roles/secretmanager.secretAccessor", Members: members}}
	}
	fresh := managed("billing", rotation.Upload, 1, ago(1))
	for name, tt := range map[string]struct {
		check  string
		change func(*inventory.Project, *Project)
		want   []string
	}{
		"a key":                  {"cis-1.4", keys(inventory.AccountKey{ID: keyID(1), Created: ago(1)}), []string{"fail billing@acme.iam.gserviceaccount.com"}},
		"accounts unread":        {"cis-1.4", gap(inventory.Accounts, "projects/acme"), []string{"unknown service-accounts"}},
		"keys of one unread":     {"cis-1.4", gap(inventory.AccountKeys, account), []string{"unknown service-account-keys"}},
		"keys of all unread":     {"cis-1.7", gap(inventory.AccountKeys, "projects/acme"), []string{"unknown service-account-keys"}},
		"keys of another unread": {"cis-1.7", gap(inventory.AccountKeys, "projects/acme/serviceAccounts/x"), []string{"pass billing@acme.iam.gserviceaccount.com"}},
		"no accounts":            {"cis-1.4", func(p *inventory.Project, _ *Project) { p.Accounts = nil }, []string{"pass acme"}},
		"impersonation": {"cis-1.6", func(_ *inventory.Project, m *Project) {
			m.Policy.Value = append(m.Policy.Value, Binding{Role: "roles/iam.serviceAccountUser", Members: []string{"user:a", "group:b"}}, Binding{Role: "roles/iam.serviceAccountTokenCreator", Members: []string{"user:a"}, Condition: "x"})
		}, []string{"fail roles/iam.serviceAccountTokenCreator user:a if x", "fail roles/iam.serviceAccountUser group:b", "fail roles/iam.serviceAccountUser user:a"}},
		"impersonation of one": {"cis-1.6", func(_ *inventory.Project, m *Project) {
			m.Policy.Value = append(m.Policy.Value, Binding{Role: "roles/iam.serviceAccountOpenIdTokenCreator", Members: []string{"user:a"}})
		}, []string{"pass acme"}},
		"policy unread":                  {"cis-1.6", func(_ *inventory.Project, m *Project) { m.Policy = unread[[]Binding](ProjectPolicy, "projects/acme") }, []string{"unknown project-iam-policy"}},
		"policy not asked for":           {"cis-1.6", func(_ *inventory.Project, m *Project) { m.Policy = Read[[]Binding]{} }, []string{"unknown project-iam-policy"}},
		"90 days old":                    {"cis-1.7", keys(inventory.AccountKey{ID: keyID(1), Created: ago(90)}), []string{"pass " + keyID(1)}},
		"older":                          {"cis-1.7", keys(inventory.AccountKey{ID: keyID(1), Created: ago(90).Add(-time.Second)}), []string{"fail " + keyID(1)}},
		"older, disabled":                {"cis-1.7", keys(inventory.AccountKey{ID: keyID(1), Created: ago(91), Disabled: true}), []string{"fail " + keyID(1)}},
		"of no age":                      {"cis-1.7", keys(inventory.AccountKey{ID: keyID(1)}), []string{"unknown " + keyID(1)}},
		"an API key":                     {"cis-1.12", apiKeys(apiKey("maps", 1, inventory.Restrictions{})), []string{"fail maps"}},
		"a deleted API key":              {"cis-1.12", apiKeys(inventory.APIKey{Name: "k", Created: ago(9), Deleted: ago(1)}), []string{"pass acme"}},
		"API keys unread":                {"cis-1.12", gap(inventory.APIKeys, "projects/acme"), []string{"unknown api-keys"}},
		"unrestricted":                   {"cis-1.13", apiKeys(apiKey("maps", 1, inventory.Restrictions{})), []string{"fail maps"}},
		"unrestricted, taken away":       {"cis-1.13", apiKeys(inventory.APIKey{Name: "projects/200/locations/global/keys/maps", Blocked: true}), []string{"pass maps"}},
		"restricted to a site":           {"cis-1.13", apiKeys(apiKey("maps", 1, inventory.Restrictions{Referrers: []string{"https://*.acme.example/*"}})), []string{"pass maps"}},
		"restricted to apps":             {"cis-1.13", apiKeys(apiKey("a", 1, inventory.Restrictions{AndroidApps: []string{"com.a"}}), apiKey("i", 1, inventory.Restrictions{IOSApps: []string{"com.i"}})), []string{"pass a", "pass i"}},
		"restricted to all sites":        {"cis-1.13", apiKeys(apiKey("maps", 1, inventory.Restrictions{Referrers: []string{"acme.example", "*.com/*"}})), []string{"fail maps"}},
		"restricted to all addresses":    {"cis-1.13", apiKeys(apiKey("maps", 1, inventory.Restrictions{Addresses: []string{"0.0.0.0/0"}})), []string{"fail maps"}},
		"every API":                      {"cis-1.14", apiKeys(apiKey("maps", 1, inventory.Restrictions{})), []string{"fail maps"}},
		"one API":                        {"cis-1.14", apiKeys(apiKey("maps", 1, inventory.Restrictions{Targets: []inventory.APITarget{{Service: "maps.googleapis.com"}}})), []string{"pass maps"}},
		"all of Google Cloud's":          {"cis-1.14", apiKeys(apiKey("maps", 1, inventory.Restrictions{Targets: []inventory.APITarget{{Service: "cloudapis.googleapis.com"}}})), []string{"fail maps"}},
		"API key of 90 days":             {"cis-1.15", apiKeys(apiKey("maps", 90, inventory.Restrictions{})), []string{"pass maps"}},
		"API key of 91 days":             {"cis-1.15", apiKeys(apiKey("maps", 91, inventory.Restrictions{})), []string{"fail maps"}},
		"2 keys":                         {"too-many-keys", keys(inventory.AccountKey{ID: keyID(1)}, inventory.AccountKey{ID: keyID(2)}), []string{"pass billing@acme.iam.gserviceaccount.com"}},
		"3 keys":                         {"too-many-keys", keys(inventory.AccountKey{ID: keyID(1)}, inventory.AccountKey{ID: keyID(2)}, inventory.AccountKey{ID: keyID(3)}), []string{"fail billing@acme.iam.gserviceaccount.com"}},
		"never expires":                  {"key-without-expiry", keys(inventory.AccountKey{ID: keyID(1)}, inventory.AccountKey{ID: keyID(2), Expires: ago(-1)}, inventory.AccountKey{ID: keyID(3), Disabled: true}), []string{"fail " + keyID(1), "pass " + keyID(2), "pass " + keyID(3)}},
		"read by its consumer":           {"broad-secret-readers", secrets(accessor("serviceAccount:shop@acme.iam.gserviceaccount.com"), fresh), []string{"pass billing"}},
		"read by everybody":              {"broad-secret-readers", secrets(accessor("allUsers"), fresh), []string{"fail billing"}},
		"read by accounts":               {"broad-secret-readers", secrets(accessor("allAuthenticatedUsers"), fresh), []string{"fail billing"}},
		"read by a domain":               {"broad-secret-readers", secrets(accessor("domain:acme.example"), fresh), []string{"fail billing"}},
		"read by a default account":      {"broad-secret-readers", secrets(accessor("serviceAccount:200-compute@developer.gserviceaccount.com"), fresh), []string{"fail billing"}},
		"read by App Engine":             {"broad-secret-readers", secrets(accessor("serviceAccount:acme@appspot.gserviceaccount.com"), fresh), []string{"fail billing"}},
		"read by editors":                {"broad-secret-readers", secrets(accessor("projectEditor:acme"), fresh), []string{"fail billing"}},
		"read by a pool":                 {"broad-secret-readers", secrets(accessor("principalSet://iam.googleapis.com/projects/200/locations/global/workloadIdentityPools/ci/*"), fresh), []string{"fail billing"}},
		"read by one of a pool":          {"broad-secret-readers", secrets(accessor("principalSet://iam.googleapis.com/projects/200/locations/global/workloadIdentityPools/ci/attribute.repository/acme"), fresh), []string{"pass billing"}},
		"read by six":                    {"broad-secret-readers", secrets(accessor("user:a", "user:b", "user:c", "user:d", "user:e"), fresh), []string{"fail billing"}},
		"a secret that is not keyturn's": {"broad-secret-readers", secrets(accessor("allUsers"), inventory.Secret{Name: "projects/acme/secrets/x"}), []string{"pass acme"}},
		"read through the project": {"broad-secret-readers", func(p *inventory.Project, m *Project) {
			secrets(nil, fresh)(p, m)
			m.Policy.Value = append(m.Policy.Value, accessor("domain:acme.example")...)
		}, []string{"fail billing"}},
		"its policy unread": {"broad-secret-readers", func(p *inventory.Project, m *Project) {
			p.Secrets = []inventory.Secret{fresh}
			m.Secrets[fresh.Name] = unread[[]Binding](SecretPolicy, fresh.Name)
		}, []string{"unknown secret-iam-policy"}},
		"the project's policy unread": {"broad-secret-readers", func(p *inventory.Project, m *Project) {
			secrets(nil, fresh)(p, m)
			m.Policy = unread[[]Binding](ProjectPolicy, "projects/acme")
		}, []string{"unknown project-iam-policy"}},
		"broad, the project's unread": {"broad-secret-readers", func(p *inventory.Project, m *Project) {
			secrets(accessor("allUsers"), fresh)(p, m)
			m.Policy = unread[[]Binding](ProjectPolicy, "projects/acme")
		}, []string{"fail billing"}},
		"a role unread": {"broad-secret-readers", func(p *inventory.Project, m *Project) {
			secrets([]Binding{{Role: "projects/acme/roles/x", Members: []string{"allUsers"}}}, fresh)(p, m)
			m.Roles["projects/acme/roles/x"] = unread[bool](Roles, "projects/acme/roles/x")
		}, []string{"unknown billing"}},
		"a role that lets not": {"broad-secret-readers", func(p *inventory.Project, m *Project) {
			secrets([]Binding{{Role: "projects/acme/roles/x", Members: []string{"allUsers"}}}, fresh)(p, m)
			m.Roles["projects/acme/roles/x"] = read(false)
		}, []string{"pass billing"}},
		"Secret Manager disabled": {"broad-secret-readers", func(p *inventory.Project, _ *Project) {
			p.Gaps = []inventory.Gap{{Part: inventory.Secrets, Of: "projects/acme", Cause: inventory.APIDisabled, Detail: "disabled"}}
		}, []string{"pass acme"}},
		"secrets unread":      {"rotation-overdue", gap(inventory.Secrets, "projects/acme"), []string{"unknown secrets"}},
		"rotated":             {"rotation-overdue", secrets(nil, fresh, inventory.Secret{Name: "s-staging", Staging: true}), []string{"pass billing"}},
		"overdue":             {"rotation-overdue", secrets(nil, managed("billing", rotation.Upload, 1, ago(60))), []string{"fail billing"}},
		"registration broken": {"rotation-overdue", secrets(nil, inventory.Secret{Name: "projects/acme/secrets/b", Broken: "no policy"}), []string{"fail b"}},
		"no CMEK":             {"secret-without-cmek", secrets(nil, inventory.Secret{Name: "projects/acme/secrets/a"}, inventory.Secret{Name: "projects/acme/secrets/b", CMEK: []string{"k"}}), []string{"fail a", "pass b"}},
		"creation allowed":    {"org-policy-key-creation", func(_ *inventory.Project, m *Project) { m.Constraints[managedKeyCreation] = read(Constraint{}) }, []string{"fail " + managedKeyCreation}},
		"creation half unread": {"org-policy-key-creation", func(_ *inventory.Project, m *Project) {
			m.Constraints[managedKeyCreation] = unread[Constraint](OrgPolicies, "projects/acme/policies/"+managedKeyCreation)
		}, []string{"unknown org-policies"}},
		"upload, the other one unread": {"org-policy-key-upload", func(_ *inventory.Project, m *Project) {
			m.Constraints[managedKeyUpload] = unread[Constraint](OrgPolicies, "x")
		}, []string{"pass " + managedKeyUpload}},
		"not asked for": {"org-policy-key-upload", func(_ *inventory.Project, m *Project) { m.Constraints = nil }, []string{"unknown org-policies"}},
		"waits for abuse": {"org-policy-exposure-response", func(_ *inventory.Project, m *Project) {
			m.Constraints[exposureResponse] = read(Constraint{Allowed: []string{"WAIT_FOR_ABUSE"}})
		}, []string{"fail " + exposureResponse}},
		"no response at all": {"org-policy-exposure-response", func(_ *inventory.Project, m *Project) {
			m.Constraints[exposureResponse] = read(Constraint{DenyAll: true})
		}, []string{"fail " + exposureResponse}},
		"response unset": {"org-policy-exposure-response", func(_ *inventory.Project, m *Project) { m.Constraints[exposureResponse] = read(Constraint{}) }, []string{"pass " + exposureResponse}},
		"response unread": {"org-policy-exposure-response", func(_ *inventory.Project, m *Project) {
			m.Constraints[exposureResponse] = unread[Constraint](OrgPolicies, "x")
		}, []string{"unknown org-policies"}},
		"bound keys allowed": {"org-policy-bound-api-keys", func(_ *inventory.Project, m *Project) { m.Constraints[boundAPIKeys] = read(Constraint{}) }, []string{"fail " + boundAPIKeys}},
	} {
		r, _ := Evaluate(edit(tt.change), Config{RequireCMEK: true}, State{})
		if got := of(r, tt.check); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
		for _, result := range r.Results {
			if result.Status == Fail && (result.Fix == "") == (result.Next == "") || result.Status != Fail && result.Fix != "" {
				t.Errorf("%s: %s of %s has the fix %q, and next %q", name, result.Status, result.Resource, result.Fix, result.Next)
			}
		}
	}
}

func TestUnknownNamesWhatItTakes(t *testing.T) {
	r, _ := Evaluate(edit(func(p *inventory.Project, m *Project) {
		p.Gaps = []inventory.Gap{{Part: inventory.APIKeys, Of: "projects/acme", Cause: inventory.NoPermission, Detail: "no"}, {Part: inventory.Accounts, Of: "projects/acme", Cause: inventory.APIDisabled, Detail: "disabled", Next: "enable it"}}
		m.Policy = unread[[]Binding](ProjectPolicy, "projects/acme")
		m.Constraints[exposureResponse] = unread[Constraint](OrgPolicies, "x")
	}), Config{}, State{})
	want := map[string]string{
		"cis-1.12": "apikeys.keys.list", "cis-1.6": "resourcemanager.projects.getIamPolicy",
		"org-policy-exposure-response": "orgpolicy.policy.get", "cis-1.4": "",
	}
	for _, result := range r.Results {
		if permission, ok := want[result.Check]; ok && (result.Permission != permission || result.Status != Unknown || result.Reason == "") {
			t.Errorf("%s: %s by %q: %s", result.Check, result.Status, result.Permission, result.Reason)
		}
	}
	if r.Status != Unknown {
		t.Errorf("the report is %s", r.Status)
	}
}

func TestGapOfTheScopeMakesEverythingUnknown(t *testing.T) {
	s := healthy()
	s.Inventory.Scope = "folders/1"
	s.Inventory.Gaps = []inventory.Gap{{Part: inventory.Folders, Of: "folders/2", Cause: inventory.NoPermission, Detail: "no"}}
	r, _ := Evaluate(s, Config{}, State{})
	for _, c := range r.Checks {
		if c.Status != Unknown || c.Unknown != 1 {
			t.Errorf("%s is %s, with %d unknown", c.Check, c.Status, c.Unknown)
		}
	}
	s.Inventory.Projects, s.Inventory.Gaps = nil, nil
	if r, _ = Evaluate(s, Config{}, State{}); r.Status != Unknown {
		t.Errorf("a scope without projects is %s", r.Status)
	}
}

func TestAnywhere(t *testing.T) {
	for value, want := range map[string]bool{
		"*": true, "*.com": true, "*.com/*": true, "https://*.com/*": true, "http://*/*": true, "*:8080/*": true, "*.*.com": true,
		"0.0.0.0": true, "0.0.0.0/0": true, "::0": true, "::/0": true, "::": true,
		"*.acme.example": false, "https://acme.example/*": false, "acme.com": false, "*.acme.example/*": false, "10.0.0.0/8": false, "::1": false, "192.0.2.1": false, "": false,
	} {
		if anywhere(value) != want {
			t.Errorf("%q: %t", value, !want)
		}
	}
}

func TestUnused(t *testing.T) {
	item := func(u inventory.Use, age int) inventory.Item {
		return inventory.Item{Kind: inventory.AccountKeyKind, Name: "k", Created: ago(age), Use: u}
	}
	for name, tt := range map[string]struct {
		item inventory.Item
		want Status
	}{
		"used":                 {item(inventory.Use{Verdict: rotation.Used, Last: ago(89)}, 400), Pass},
		"used long ago":        {item(inventory.Use{Verdict: rotation.Used, Last: ago(91)}, 400), Fail},
		"unused":               {item(inventory.Use{Verdict: rotation.Unused, Since: ago(91)}, 400), Fail},
		"unused for long":      {item(inventory.Use{Verdict: rotation.Unused, Since: ago(95), Last: ago(95)}, 400), Fail},
		"unused of late":       {item(inventory.Use{Verdict: rotation.Unused, Since: ago(60), Last: ago(60)}, 400), Pass},
		"known to be used":     {item(inventory.Use{Verdict: rotation.Unknown, Last: ago(60)}, 400), Pass},
		"unused, short record": {item(inventory.Use{Verdict: rotation.Unused, Since: ago(42)}, 400), Unknown},
		"new":                  {item(inventory.Use{Verdict: rotation.Unused, Since: ago(42)}, 42), Pass},
		"new and unknown":      {item(inventory.Use{Verdict: rotation.Unknown}, 2), Pass},
		"unknown":              {item(inventory.Use{Verdict: rotation.Unknown, Reason: "no"}, 400), Unknown},
	} {
		j := judge{check: &Check{}, now: now, gaps: map[string]bool{}}
		p := project{Project: &inventory.Project{ID: "acme", Gaps: []inventory.Gap{{Part: inventory.Uses, Of: "projects/acme", Cause: inventory.NoPermission, Next: "grant it"}}}, at: now}
		got := j.use(&p, tt.item)
		if got.Status != tt.want {
			t.Errorf("%s: %s, want %s: %s", name, got.Status, tt.want, got.Reason)
		}
		if name == "unknown" && (got.Permission != "monitoring.timeSeries.list" || got.Next != "grant it") {
			t.Errorf("%s takes %q, %q", name, got.Permission, got.Next)
		}
	}
}

// What the shorter record leaves open, Policy Analyzer could tell.
func TestUnusedTakesPolicyAnalyzer(t *testing.T) {
	j := judge{check: &Check{}, now: now, gaps: map[string]bool{}}
	gap := inventory.Gap{Part: inventory.Activities, Kind: inventory.AccountKeyKind, Of: "projects/acme", Cause: inventory.NoPermission, Next: "grant it"}
	p := project{Project: &inventory.Project{ID: "acme", Gaps: []inventory.Gap{gap}}, at: now}
	for kind, want := range map[inventory.Kind]string{inventory.AccountKeyKind: accesses[inventory.Activities].permission, inventory.APIKeyKind: ""} {
		got := j.use(&p, inventory.Item{Kind: kind, Name: "k", Created: ago(400), Use: inventory.Use{Verdict: rotation.Unused, Since: ago(42)}})
		if got.Status != Unknown || got.Permission != want || (got.Next == "grant it") != (want != "") {
			t.Errorf("%s: %+v", kind, got)
		}
	}
}

// idleKey has an account with one key that nobody uses, of a record of 42 days.
func idleKey(at time.Time) Snapshot {
	s := edit(func(p *inventory.Project, _ *Project) {
		p.Accounts[0].Keys = []inventory.AccountKey{{ID: keyID(1), Created: ago(400), Expires: ago(-400)}}
		p.Uses = map[inventory.Kind]inventory.Record{inventory.AccountKeyKind: {From: at.Add(-42 * day), Through: at.Add(-time.Hour)}}
	})
	s.Inventory.At = at
	return s
}

func TestRecordsOfReportsAddUp(t *testing.T) {
	check := func(r Report) string { return strings.Join(of(r, "unused-credential"), ",") }
	r, state := Evaluate(idleKey(now), Config{}, State{})
	if got := check(r); got != "unknown "+keyID(1) {
		t.Fatal(got)
	}
	for i := range 2 {
		r, state = Evaluate(idleKey(now.Add(time.Duration(i+1)*30*day)), Config{}, state)
	}
	if got := check(r); got != "fail "+keyID(1) {
		t.Errorf("after three reports in 60 days: %s", got)
	}
	_, state = Evaluate(idleKey(now), Config{}, State{})
	if r, _ = Evaluate(idleKey(now.Add(60*day)), Config{}, state); check(r) != "unknown "+keyID(1) {
		t.Errorf("after a gap: %s", check(r))
	}
}

func TestDrift(t *testing.T) {
	two := edit(func(p *inventory.Project, _ *Project) {
		p.APIKeys = []inventory.APIKey{apiKey("a", 1, inventory.Restrictions{}), apiKey("b", 1, inventory.Restrictions{})}
	})
	first, state := Evaluate(two, Config{}, State{})
	if first.Results[0].Change != "" || !first.Since.IsZero() {
		t.Errorf("the first report tells of a change: %+v", first.Results[0])
	}
	data, err := state.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if state, err = ParseState(data); err != nil {
		t.Fatal(err)
	}

	later := two
	later.Inventory.At = now.Add(day)
	later.Inventory.Projects = slices.Clone(two.Inventory.Projects)
	later.Inventory.Projects[0].APIKeys = []inventory.APIKey{apiKey("b", 1, inventory.Restrictions{}), apiKey("c", 0, inventory.Restrictions{})}
	second, next := Evaluate(later, Config{}, state)
	got := map[string]Change{}
	for _, r := range second.Results {
		if r.Check == "cis-1.14" {
			got[r.Resource[len(r.Resource)-1:]] = r.Change
		}
	}
	if got["b"] != StillFailing || got["c"] != NewlyFailing || !second.Since.Equal(now) {
		t.Errorf("%v since %s", got, second.Since)
	}
	if n := len(second.Fixed); n != 3 || !strings.HasSuffix(second.Fixed[0].Resource, "/a") {
		t.Errorf("%d are fixed: %+v", n, second.Fixed)
	}
	for _, f := range next.Failures {
		if strings.HasSuffix(f.Resource, "/b") && !f.Since.Equal(now) {
			t.Errorf("%s of b fails since %s", f.Check, f.Since)
		}
	}

	blind := edit(func(p *inventory.Project, _ *Project) {
		p.Gaps = []inventory.Gap{{Part: inventory.APIKeys, Of: "projects/acme", Cause: inventory.Failed, Detail: "no"}}
	})
	blind.Inventory.At = now.Add(2 * day)
	third, kept := Evaluate(blind, Config{}, next)
	if len(third.Fixed) != 0 || len(kept.Failures) != len(next.Failures) {
		t.Errorf("what could not be read is fixed: %+v; %d failures are kept of %d", third.Fixed, len(kept.Failures), len(next.Failures))
	}

	well := edit(func(p *inventory.Project, _ *Project) {
		p.APIKeys = []inventory.APIKey{apiKey("b", 1, inventory.Restrictions{Targets: []inventory.APITarget{{Service: "maps.googleapis.com"}}})}
	})
	well.Inventory.At = now.Add(2 * day)
	mended, _ := Evaluate(well, Config{}, next)
	for _, r := range mended.Results {
		if r.Check == "cis-1.14" && r.Change != NewlyPassing {
			t.Errorf("what is mended is %q", r.Change)
		}
	}
}

func TestDriftIsOfOneScopeAndWorld(t *testing.T) {
	bad := edit(func(p *inventory.Project, _ *Project) {
		p.APIKeys = []inventory.APIKey{apiKey("a", 1, inventory.Restrictions{})}
	})
	_, last := Evaluate(bad, Config{}, State{})
	for name, tt := range map[string]struct {
		change   func(*Snapshot)
		compared bool
	}{
		"the same":                 {func(s *Snapshot) { s.Inventory.At = now.Add(day) }, true},
		"another scope":            {func(s *Snapshot) { s.Inventory.Scope = "folders/1" }, false},
		"another world":            {func(s *Snapshot) { s.World = "127.0.0.1:9010" }, false},
		"a world that began later": {func(s *Snapshot) { s.Inventory.At = now.Add(-day) }, false},
	} {
		s := bad
		tt.change(&s)
		r, next := Evaluate(s, Config{}, last)
		if compared := !r.Since.IsZero() && r.Results[0].Change == StillFailing; compared != tt.compared || next.World != s.World {
			t.Errorf("%s: since %s, %q, and next of %q", name, r.Since, r.Results[0].Change, next.World)
		}
	}
}

func TestFindingsAreToldOnceForAsLongAsTheyLast(t *testing.T) {
	bad := edit(func(p *inventory.Project, _ *Project) {
		p.APIKeys = []inventory.APIKey{apiKey("maps", 100, inventory.Restrictions{Targets: []inventory.APITarget{{Service: "maps"}}, Referrers: []string{"a.example"}})}
	})
	shown := func(text string, limit int) string { return text[:min(limit, len(text))] }
	first, state := Evaluate(bad, Config{}, State{})
	found := first.Findings(shown)
	if len(found) != 2 {
		t.Fatalf("%d findings", len(found))
	}
	f := found[1]
	if f.Detector != "posture-cis-1.15" || f.Severity != detect.Warning || f.Project != "acme" || f.Advice != "keyturn inventory --adopt-plan --project=acme" || f.ID == found[0].ID {
		t.Errorf("%+v", f)
	}
	bad.Inventory.At = now.Add(day)
	second, state := Evaluate(bad, Config{}, state)
	if again := second.Findings(shown); len(again) != 0 {
		t.Errorf("told again: %+v", again)
	}
	_, state = Evaluate(healthy(), Config{}, state)
	bad.Inventory.At = now.Add(2 * day)
	back, _ := Evaluate(bad, Config{}, state)
	if again := back.Findings(shown); len(again) != 2 || again[1].ID == f.ID {
		t.Errorf("what fails again after it was mended is told as %+v", again)
	}
}

func TestChecksAreComplete(t *testing.T) {
	ids := map[string]bool{}
	for _, c := range Checks() {
		if ids[c.ID] || c.Title == "" || c.Why == "" || c.How == "" || c.Fix == "" || c.Blind == "" || c.run == nil || c.Severity == "" {
			t.Errorf("%s is told twice, or not in full", c.ID)
		}
		ids[c.ID] = true
		if found, ok := Find(c.ID); !ok || found.Title != c.Title {
			t.Errorf("%s is not found", c.ID)
		}
	}
	if _, ok := Find("x"); ok {
		t.Error("x is found")
	}
	for part, permission := range Permissions() {
		if strings.Count(permission, ".") < 2 {
			t.Errorf("%s takes %q", part, permission)
		}
	}
}

func FuzzParseState(f *testing.F) {
	f.Add([]byte(`{"at":"2026-06-15T12:00:00Z","scope":"projects/p","failures":[{"id":"x"}]}`))
	f.Add([]byte("{}"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseState(data)
		if err != nil {
			return
		}
		again, err := s.Encode()
		if err != nil && s.At.Year() < 10000 {
			t.Fatal(err)
		}
		if back, err := ParseState(again); err == nil && len(back.Failures) != len(s.Failures) {
			t.Errorf("%d failures of %d", len(back.Failures), len(s.Failures))
		}
		Evaluate(healthy(), Config{}, s)
	})
}
