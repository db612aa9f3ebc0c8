package posture

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"example.com/keyturn/shared/inventory"
	"example.com/keyturn/shared/rotation"
)

// held has a secret's journal name keys on their way out, besides its current one.
func held(s inventory.Secret, old ...rotation.Key) inventory.Secret {
	s.Credential.Journal.Retiring = append(s.Credential.Journal.Retiring, old...)
	return s
}

func TestFixes(t *testing.T) {
	key := func(n, age int) inventory.AccountKey { return inventory.AccountKey{ID: keyID(n), Created: ago(age)} }
	disabled := key(9, 200)
	disabled.Disabled = true
	old := func(n int, phase rotation.Phase) rotation.Key {
		return rotation.Key{ID: keyID(n), Version: fmt.Sprint(n), Phase: phase, Since: ago(1)}
	}
	current := managed("billing", rotation.Upload, 1, ago(1))
	bySide := func(s inventory.Secret, keys ...inventory.AccountKey) func(*inventory.Project, *Project) {
		return func(p *inventory.Project, m *Project) {
			p.Accounts[0].Keys = keys
			p.Secrets = []inventory.Secret{s}
			m.Secrets[s.Name] = read([]Binding(nil))
		}
	}
	const attach = "gcloud run services update SERVICE --service-account billing@acme.iam.gserviceaccount.com"
	const plan = "keyturn plan billing --project=acme"
	const advice = "keyturn inventory --adopt-plan --project=acme"
	gcloud := func(verb string, n int) string {
		return "gcloud iam service-accounts keys " + verb + " " + keyID(n) + " --iam-account=billing@acme.iam.gserviceaccount.com --project=acme"
	}
	for name, tt := range map[string]struct {
		check  string
		change func(*inventory.Project, *Project)
		want   []string // fixes
		says   string   // part of the first reason
	}{
		"a managed key":           {"cis-1.4", bySide(current, key(1, 1)), []string{attach}, "of which keyturn rotates 1"},
		"one in overlap besides":  {"cis-1.4", bySide(held(managed("billing", rotation.Upload, 1, ago(1)), old(2, rotation.Overlapping)), key(2, 40), key(1, 1)), []string{attach}, "rotates 2"},
		"nothing but an old one":  {"cis-1.4", bySide(held(managed("billing", rotation.Upload, 1, ago(1)), old(2, rotation.Overlapping)), key(2, 40)), []string{plan}, ""},
		"a disabled one besides":  {"cis-1.4", bySide(current, key(1, 1), disabled), []string{gcloud("delete", 9)}, ""},
		"a foreign one":           {"cis-1.4", bySide(current, key(3, 1)), []string{attach}, ""},
		"a managed key, too old":  {"cis-1.7", bySide(current, key(1, 100)), []string{"keyturn rotate billing --project=acme"}, ""},
		"one in overlap, too old": {"cis-1.7", bySide(held(managed("billing", rotation.Upload, 1, ago(1)), old(2, rotation.Overlapping)), key(2, 100)), []string{plan}, "keyturn disables it by itself from 2026-06-15 12:00Z on"},
		"one in quarantine":       {"cis-1.7", bySide(held(managed("billing", rotation.Upload, 1, ago(1)), old(2, rotation.Quarantined)), key(2, 100)), []string{plan}, "keyturn deletes it by itself, from 2026-06-21 12:00Z on"},
		"a foreign one, too old":  {"cis-1.7", bySide(current, key(3, 100)), []string{advice}, ""},
		"a disabled one, too old": {"cis-1.7", bySide(current, disabled), []string{gcloud("delete", 9)}, ""},
		"three, two of them old": {"too-many-keys", bySide(held(managed("billing", rotation.Upload, 1, ago(1)), old(2, rotation.Overlapping), old(3, rotation.Quarantined)), key(1, 1), key(2, 40), key(3, 80)),
			nil, "it has 3 user-managed keys, of which keyturn takes 2 away by itself"},
		"three foreign ones":     {"too-many-keys", bySide(current, key(3, 30), key(4, 20), key(5, 10)), []string{advice}, "the oldest is of 2026-05-16"},
		"a disabled one of four": {"too-many-keys", bySide(current, key(1, 1), key(3, 300), disabled), []string{gcloud("delete", 9)}, ""},
		"a key for ever":         {"key-without-expiry", bySide(current, key(1, 1)), []string{"keyturn rotate billing --project=acme"}, ""},
		"one that Google made": {"key-without-expiry", bySide(managed("billing", rotation.Create, 1, ago(1)), key(1, 1)),
			[]string{"keyturn adopt billing --project=acme --service-account=billing@acme.iam.gserviceaccount.com --key-mode=upload && keyturn rotate billing --project=acme"}, ""},
		"a browser's key": {"cis-1.12", func(p *inventory.Project, _ *Project) {
			p.APIKeys = []inventory.APIKey{apiKey("maps", 1, inventory.Restrictions{Referrers: []string{"acme.example"}})}
		}, []string{"next: nothing is known that could stand in for a key of browsers or apps: see to its restrictions, and exempt it"}, "whether it is used is not known"},
		"a key of keyturn's that no journal names": {"cis-1.12", func(p *inventory.Project, _ *Project) {
			p.APIKeys = []inventory.APIKey{apiKey("keyturn-0123456789abcdef", 100, inventory.Restrictions{})}
		}, []string{"gcloud beta services api-keys create --service-account ACCOUNT_EMAIL --project acme"}, "whether it is used is not known"},
		"a journal that cannot be read": {"cis-1.7", func(p *inventory.Project, m *Project) {
			bySide(current, key(1, 100), disabled)(p, m)
			p.Secrets[0].Credential, p.Secrets[0].Broken = nil, "journal of version 9"
		}, []string{advice, advice}, ""},
		"a program's key": {"cis-1.12", func(p *inventory.Project, _ *Project) {
			p.APIKeys = []inventory.APIKey{apiKey("maps", 1, inventory.Restrictions{})}
		}, []string{"gcloud beta services api-keys create --service-account ACCOUNT_EMAIL --project acme"}, ""},
	} {
		r, _ := Evaluate(edit(tt.change), Config{}, State{})
		var got []string
		reason := ""
		for _, result := range r.Results {
			switch {
			case result.Check != tt.check:
				continue
			case result.Status == Fail && result.Fix == "":
				got = append(got, "next: "+result.Next)
			case result.Status == Fail:
				got = append(got, result.Fix)
			}
			reason += result.Reason
		}
		if !slices.Equal(got, tt.want) || !strings.Contains(reason, tt.says) {
			t.Errorf("%s: %q, want %q; %s", name, got, tt.want, reason)
		}
	}
}

func TestUnusedCredentialOfKeyturnIsReleasedFirst(t *testing.T) {
	s := idleKey(now)
	s.Inventory.Projects[0].Secrets = []inventory.Secret{managed("billing", rotation.Upload, 1, ago(1))}
	s.Projects["acme"].Secrets["projects/acme/secrets/billing"] = read([]Binding(nil))
	r, _ := Evaluate(s, Config{Unused: 30 * day}, State{})
	i := slices.IndexFunc(r.Results, func(r Result) bool { return r.Check == "unused-credential" })
	if r.Results[i].Status != Fail || r.Results[i].Fix != "keyturn release billing --project=acme" {
		t.Errorf("%+v", r.Results[i])
	}
	s.Inventory.Projects[0].Secrets = nil
	r, _ = Evaluate(s, Config{Unused: 30 * day}, State{})
	i = slices.IndexFunc(r.Results, func(r Result) bool { return r.Check == "unused-credential" })
	if !strings.HasPrefix(r.Results[i].Fix, "gcloud iam service-accounts keys disable ") {
		t.Errorf("of a foreign one: %+v", r.Results[i])
	}
	retired := held(managed("billing", rotation.Upload, 2, ago(1)), rotation.Key{ID: keyID(1), Version: "1", Phase: rotation.Overlapping, Since: ago(1)})
	s.Inventory.Projects[0].Secrets = []inventory.Secret{retired}
	r, _ = Evaluate(s, Config{Unused: 30 * day}, State{})
	i = slices.IndexFunc(r.Results, func(r Result) bool { return r.Check == "unused-credential" })
	if r.Results[i].Status != Pass || !strings.Contains(r.Results[i].Reason, "by itself") {
		t.Errorf("of a superseded one: %+v", r.Results[i])
	}
}

// TestNoFixTakesAManagedKeyAway judges projects at random.
func TestNoFixTakesAManagedKeyAway(t *testing.T) {
	phases := []rotation.Phase{"", rotation.Active, rotation.Overlapping, rotation.Quarantined, rotation.Published}
	for seed := range uint64(500) {
		draw := rand.New(rand.NewPCG(seed, 1))
		either := func() bool { return draw.IntN(2) == 0 }
		s := managed("billing", []rotation.KeyMode{rotation.Upload, rotation.Create}[draw.IntN(2)], 0, ago(1))
		s.Credential.Journal.Current = nil
		var keys []inventory.AccountKey
		ours := map[string]bool{}
		for n := range 1 + draw.IntN(6) {
			k := inventory.AccountKey{
				ID: keyID(n + 1), Created: ago(draw.IntN(400)), Disabled: either(), Exposed: either(),
			}
			if either() {
				k.Expires = ago(draw.IntN(110) - 100)
			}
			keys = append(keys, k)
			j, phase := &s.Credential.Journal, phases[draw.IntN(len(phases))]
			named := rotation.Key{ID: k.ID, Version: fmt.Sprint(n + 1), Phase: phase, Since: k.Created}
			switch ours[k.ID] = phase != ""; {
			case phase == "":
			case phase == rotation.Active && j.Current == nil:
				j.Current = &named
			case phase == rotation.Published && j.Incoming == nil:
				j.Incoming = &named
			default:
				j.Retiring = append(j.Retiring, named)
			}
		}
		apis := []inventory.APIKey{apiKey("theirs", 100, inventory.Restrictions{}), apiKey("ours", 100, inventory.Restrictions{})}
		ours["ours"] = true
		maps := inventory.Secret{Name: "projects/acme/secrets/maps", Credential: &inventory.Credential{
			Kind: rotation.APIKey, Target: "projects/acme/locations/global/keys/ours", Policy: rotation.DefaultPolicy,
			Journal: rotation.Journal{Current: &rotation.Key{ID: "projects/acme/locations/global/keys/ours", Version: "1", Phase: rotation.Active, Since: ago(100)}},
		}}
		unused := either()
		r, _ := Evaluate(edit(func(p *inventory.Project, m *Project) {
			p.Accounts[0].Keys, p.Secrets, p.APIKeys = keys, []inventory.Secret{s, maps}, apis
			m.Secrets[s.Name], m.Secrets[maps.Name] = read([]Binding(nil)), read([]Binding(nil))
			m.Constraints = map[string]Read[Constraint]{}
			for _, c := range Constraints() {
				m.Constraints[c] = read(Constraint{})
			}
			if unused {
				p.Uses = map[inventory.Kind]inventory.Record{}
				for kind := range recorded {
					p.Uses[kind] = inventory.Record{From: ago(42), Through: now}
				}
			}
		}), Config{Unused: 10 * day}, State{})
		closed := 0
		for _, result := range r.Results {
			takes := strings.Contains(result.Fix, " delete ") || strings.Contains(result.Fix, " disable ") || strings.Contains(result.Fix, "-deactivate")
			for id := range ours {
				if ours[id] && takes && slices.Contains(strings.Fields(result.Fix), id) {
					t.Errorf("seed %d: %s of %s takes a key away that keyturn rotates: %s", seed, result.Check, result.Resource, result.Fix)
				}
			}
			if (result.Check == "org-policy-key-creation" || result.Check == "org-policy-key-upload") && result.Fix != "" {
				closed++
			}
		}
		if closed > 1 {
			t.Errorf("seed %d: both ways of making keys are closed", seed)
		}
	}
}

func TestPoliciesThatKeyturnCannotDoWith(t *testing.T) {
	fellBack := managed("billing", rotation.Upload, 1, ago(1))
	fellBack.Credential.Journal.Current.Denied = keyUpload
	bound := inventory.Secret{Name: "projects/acme/secrets/maps", Credential: &inventory.Credential{
		Kind: rotation.APIKey, Target: "projects/200/locations/global/keys/ours", Policy: rotation.DefaultPolicy,
		Journal: rotation.Journal{Current: &rotation.Key{ID: "projects/200/locations/global/keys/ours", Version: "1", Phase: rotation.Active, Since: ago(1)}},
	}}
	elsewhere := managed("billing", rotation.Upload, 1, ago(1))
	elsewhere.Credential.Target = "projects/other/serviceAccounts/x@other.iam.gserviceaccount.com"
	off, on := read(Constraint{}), read(Constraint{Enforced: true})
	const creation, upload, binding = "org-policy-key-creation", "org-policy-key-upload", "org-policy-bound-api-keys"
	for name, tt := range map[string]struct {
		secrets        []inventory.Secret
		creates, loads Read[Constraint]
		gap            bool
		fixed          []string // checks whose fix is a command
	}{
		"nothing is rotated":         {nil, off, off, false, []string{creation, upload, binding}},
		"keys are uploaded":          {[]inventory.Secret{managed("a", rotation.Upload, 1, now)}, off, off, false, []string{creation, binding}},
		"keys are created":           {[]inventory.Secret{managed("a", rotation.Create, 1, now)}, off, off, false, []string{upload, binding}},
		"both":                       {[]inventory.Secret{managed("a", rotation.Create, 1, now), managed("b", rotation.Upload, 2, now)}, off, off, false, []string{binding}},
		"uploading is denied":        {[]inventory.Secret{managed("a", rotation.Upload, 1, now)}, off, on, false, []string{binding}},
		"uploading was denied":       {[]inventory.Secret{fellBack}, off, off, false, []string{upload, binding}},
		"creating is denied":         {[]inventory.Secret{managed("a", rotation.Create, 1, now)}, on, off, false, []string{binding}},
		"a bound API key":            {[]inventory.Secret{bound}, off, off, false, []string{creation, upload}},
		"of an account elsewhere":    {[]inventory.Secret{elsewhere}, off, off, false, []string{creation, upload, binding}},
		"secrets that are not known": {nil, off, off, true, nil},
	} {
		r, _ := Evaluate(edit(func(p *inventory.Project, m *Project) {
			p.Secrets = tt.secrets
			p.APIKeys = []inventory.APIKey{{Name: "projects/200/locations/global/keys/ours", UID: "u", Created: now, Account: "x@acme.iam.gserviceaccount.com"}}
			for _, s := range tt.secrets {
				m.Secrets[s.Name] = read([]Binding(nil))
			}
			if tt.gap {
				p.Gaps = []inventory.Gap{{Part: inventory.Secrets, Of: "projects/acme", Cause: inventory.NoPermission, Detail: "no"}}
			}
			m.Constraints = map[string]Read[Constraint]{managedKeyCreation: tt.creates, keyCreation: off, managedKeyUpload: tt.loads, keyUpload: off, boundAPIKeys: off, exposureResponse: off}
		}), Config{}, State{})
		var fixed []string
		for _, result := range r.Results {
			if strings.HasPrefix(result.Check, "org-policy-") && result.Status == Fail {
				if result.Fix == "" && result.Next == "" {
					t.Errorf("%s: %s says nothing of what to do", name, result.Check)
				}
				if result.Fix != "" {
					fixed = append(fixed, result.Check)
				}
			}
		}
		slices.Sort(fixed)
		slices.Sort(tt.fixed)
		if !slices.Equal(fixed, tt.fixed) {
			t.Errorf("%s: %q have commands, want %q", name, fixed, tt.fixed)
		}
	}
}
