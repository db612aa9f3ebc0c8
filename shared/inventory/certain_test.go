package inventory

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/rotation"
)

// anyWorld is a world of which all was read, in which anything may be so or
// otherwise: what is used, exposed, disabled, and in a journal.
func anyWorld(r *rand.Rand) Snapshot {
	s := world()
	p := &s.Projects[1]
	p.Gaps = nil
	coin := func() bool { return r.IntN(2) == 0 }
	keys := p.Accounts[0].Keys
	for i := range keys {
		keys[i].Exposed = r.IntN(4) == 0
		keys[i].Disabled = r.IntN(3) == 0
	}
	p.Accounts[0].Disabled = r.IntN(5) == 0
	for _, kind := range []Kind{AccountKeyKind, APIKeyKind, HMACKeyKind} {
		record := Record{From: ago(42), Through: ago(r.IntN(4)), Last: map[string]time.Time{}}
		ids := []string{"u-1", "u-2", "u-3", "u-5", "GOOG1A", "GOOG1C"}
		for n := range 9 {
			ids = append(ids, id(n+1))
		}
		for _, one := range ids {
			if coin() {
				record.Last[one] = ago(r.IntN(42))
			}
		}
		p.Uses[kind] = record
	}
	journal := func(n int) *rotation.Journal { return &s.Projects[0].Secrets[n].Credential.Journal }
	for n := range journal(0).Retiring {
		journal(0).Retiring[n].ID = id(1 + r.IntN(9))
	}
	if name := "projects/200/locations/global/keys/keyturn-0123456789abcdef"; coin() {
		journal(1).Current.ID = name
	}
	if coin() { // keyturn's secrets lie in the project of the keys
		p.Secrets, s.Projects[0].Secrets = s.Projects[0].Secrets, nil
	}
	return s
}

// losses each keep something of a snapshot from being read, and have it say so.
var losses = map[string]func(r *rand.Rand, s *Snapshot){
	"secrets": func(r *rand.Rand, s *Snapshot) {
		p := &s.Projects[r.IntN(len(s.Projects))]
		if len(p.Secrets) > 0 {
			p.Secrets = p.Secrets[:r.IntN(len(p.Secrets))]
		}
		p.Gaps = append(p.Gaps, Gap{Part: Secrets, Of: "projects/" + p.ID, Cause: anyCause(r)})
	},
	"a journal": func(r *rand.Rand, s *Snapshot) {
		p := &s.Projects[r.IntN(len(s.Projects))]
		if len(p.Secrets) == 0 {
			return
		}
		secret := &p.Secrets[r.IntN(len(p.Secrets))]
		if c := secret.Credential; c != nil && r.IntN(2) == 0 {
			secret.Target = c.Target
		}
		secret.Credential, secret.Broken = nil, "journal of version 9"
	},
	"the records of use": func(r *rand.Rand, s *Snapshot) {
		p := &s.Projects[1]
		gap := Gap{Part: Uses, Of: "projects/acme", Cause: anyCause(r)}
		if r.IntN(2) == 0 {
			gap.Kind = []Kind{AccountKeyKind, APIKeyKind, HMACKeyKind}[r.IntN(3)]
		}
		for kind, record := range p.Uses {
			if gap.Kind != "" && gap.Kind != kind {
				continue
			}
			for one := range record.Last {
				if r.IntN(2) == 0 {
					delete(record.Last, one)
				}
			}
			if r.IntN(2) == 0 {
				delete(p.Uses, kind)
			}
		}
		p.Gaps = append(p.Gaps, gap)
	},
	"keyturn's project": func(r *rand.Rand, s *Snapshot) {
		s.Projects = s.Projects[1:]
		if r.IntN(2) == 0 {
			s.Gaps = append(s.Gaps, Gap{Part: []Part{Folders, Projects}[r.IntN(2)], Of: s.Scope, Cause: APIDisabled})
			s.Home = "acme"
		}
	},
	"a project's number": func(r *rand.Rand, s *Snapshot) {
		p := &s.Projects[len(s.Projects)-1]
		p.Number = ""
		p.Gaps = append(p.Gaps, Gap{Part: Projects, Of: "projects/acme", Cause: anyCause(r)})
	},
}

func anyCause(r *rand.Rand) Cause { return []Cause{NoPermission, Failed}[r.IntN(2)] }

// TestNothingInUseIsTakenAway holds that no plan disables or deletes what is not
// proven to be unused, but for what was stolen, which is disabled at most, and that
// what could not be read never makes something certain that is not so.
func TestNothingInUseIsTakenAway(t *testing.T) {
	names := make([]string, 0, len(losses))
	for name := range losses {
		names = append(names, name)
	}
	slices.Sort(names)
	for seed := range uint64(1000) {
		whole := anyWorld(rand.New(rand.NewPCG(seed, 1)))
		part := anyWorld(rand.New(rand.NewPCG(seed, 1)))
		r := rand.New(rand.NewPCG(seed, 2))
		var lost []string
		for _, n := range r.Perm(len(names))[:r.IntN(3)] {
			lost = append(lost, names[n])
			if len(part.Projects) == 2 {
				losses[names[n]](r, &part)
			}
		}
		truth := by(t, whole)
		for _, i := range Classify(part) {
			if wrong := untrue(i, truth[i.ID]); wrong != "" {
				t.Fatalf("seed %d, without %v: %s: %s (%s), %s (%s): %s", seed, lost, i.ID, i.State, i.Why, i.Use.Verdict, i.Use.Reason, wrong)
			}
		}
	}
}

// untrue says what is wrong with an item, if all was known; empty if nothing is.
func untrue(i, truth Item) string {
	if i.Use.Verdict == rotation.Unused && truth.Use.Verdict != rotation.Unused {
		return "it is used, or may be"
	}
	if truth.State == Managed && !slices.Contains([]State{Managed, Unclear}, i.State) {
		return "keyturn rotates it"
	}
	plan, _ := i.Plan("home")
	for _, s := range plan.Steps {
		removes, disables := strings.Contains(s.Command, " delete "), strings.Contains(s.Command, " disable ") || strings.Contains(s.Command, "--deactivate")
		switch {
		case !removes && !disables, i.State == Expired, i.State == Exposed && disables:
		case truth.State == Managed:
			return "the plan takes away what keyturn rotates: " + s.Command
		case truth.Use.Verdict != rotation.Unused:
			return fmt.Sprintf("the plan takes away what is %s: %s", truth.Use.Verdict, s.Command)
		}
	}
	return ""
}

// The ways in which a key in use of keyturn's once passed for nobody's.
func TestAKeyOfKeyturnsInUseIsNobodysToDelete(t *testing.T) {
	const own = "keyturn-0123456789abcdef"
	for name, tt := range map[string]struct {
		change func(s *Snapshot)
		want   State
	}{
		"released": {func(*Snapshot) {}, Orphan},
		"its journal cannot be read": {func(s *Snapshot) {
			gemini := &s.Projects[0].Secrets[1]
			gemini.Target, gemini.Credential, gemini.Broken = gemini.Credential.Target, nil, "journal of version 5"
		}, Unclear},
		"secrets may not be listed": {func(s *Snapshot) {
			s.Projects[0].Gaps = []Gap{{Part: Secrets, Of: "projects/home", Cause: NoPermission}}
		}, Unclear},
		"its secret is elsewhere": {func(s *Snapshot) { s.Home, s.Projects = "acme", s.Projects[1:] }, Orphan},
	} {
		s := world()
		s.Projects[1].Uses[APIKeyKind] = Record{From: ago(42), Through: ago(0), Last: map[string]time.Time{"u-2": ago(0)}}
		tt.change(&s)
		i := by(t, s)[own]
		plan, _ := i.Plan("home")
		if i.State != tt.want || strings.Contains(told(plan), "api-keys delete") || strings.Contains(told(plan), "private half") {
			t.Errorf("%s: %s (%s), want %s:\n%s", name, i.State, i.Why, tt.want, told(plan))
		}
	}
}

// A registration that cannot be read leaves unknown whose keys it names, and no more.
func TestARegistrationThatCannotBeReadIsAGap(t *testing.T) {
	for name, tt := range map[string]struct {
		secret     int
		target     bool
		sure, open []string // ids of keys
	}{
		"an account's":       {0, true, []string{"maps", "gemini"}, []string{id(1), id(4)}},
		"an API key's":       {1, true, []string{id(1), id(4)}, []string{"maps", "gemini", "bound"}},
		"nobody knows whose": {1, false, []string{id(1)}, []string{id(4), "maps", "gemini"}},
	} {
		s := world()
		secret := &s.Projects[0].Secrets[tt.secret]
		annotations, err := rotation.Credential{Kind: secret.Credential.Kind, Target: secret.Credential.Target, Policy: rotation.DefaultPolicy}.Annotations()
		if err != nil {
			t.Fatal(err)
		}
		annotations[rotation.AnnotationJourn] = `{"v":9}`
		if !tt.target {
			annotations[rotation.AnnotationTarget] = "?"
		}
		secret.Credential = nil
		secret.Register(map[string]string{rotation.Label: rotation.Managed}, annotations)
		items := by(t, s)
		for _, one := range tt.open {
			if i := items[one]; i.State != Unclear || !strings.Contains(i.Why, secret.Name) || i.Spare() {
				t.Errorf("%s: %s is %s (%s)", name, one, i.State, i.Why)
			}
		}
		for _, one := range tt.sure {
			if i := items[one]; i.State == Unclear {
				t.Errorf("%s: %s is %s (%s)", name, one, i.State, i.Why)
			}
		}
		gaps := s.Unread()
		last := gaps[slices.IndexFunc(gaps, func(g Gap) bool { return g.Part == Secrets })]
		if last.Of != secret.Name || last.Detail != secret.Broken || !strings.Contains(last.Next, "keyturn status ") || Summarise(s, nil).Gaps != len(gaps) {
			t.Errorf("%s: %+v", name, gaps)
		}
	}
}
