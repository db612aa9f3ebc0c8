package inventory

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/rotation"
)

var now = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

const (
	sa     = "billing@acme.iam.gserviceaccount.com"
	target = "projects/acme/serviceAccounts/" + sa
)

func id(n int) string { return fmt.Sprintf("%040x", n) }

func ago(days int) time.Time { return now.Add(-time.Duration(days) * 24 * time.Hour) }

// key is a key of Google's making.
func key(n, age int) AccountKey { return AccountKey{ID: id(n), Created: ago(age)} }

// world has one account with one key of every sort.
func world() Snapshot {
	policy := rotation.DefaultPolicy
	exposed := key(2, 30)
	exposed.Exposed = true
	orphan := AccountKey{ID: id(3), Uploaded: true, Created: ago(3), Expires: ago(3).Add(policy.KeyLifetime() + 2*time.Minute)}
	disabled := key(5, 50)
	disabled.Disabled, disabled.Reason = true, "USER_INITIATED"
	expired := key(6, 60)
	expired.Expires = ago(1)
	managed := Secret{Name: "projects/home/secrets/billing", Credential: &Credential{
		Kind: rotation.ServiceAccountKey, Target: target, Policy: policy,
		Journal: rotation.Journal{
			Current:  &rotation.Key{ID: id(1), Version: "7", Phase: rotation.Active, Since: ago(10)},
			Incoming: &rotation.Key{ID: id(7), Staged: "2", Phase: rotation.Published, Since: ago(0)},
			Retiring: []rotation.Key{{ID: id(8), Version: "6", Copies: []string{"3"}, Phase: rotation.Quarantined, Since: ago(2)}},
		},
	}}
	gemini := Secret{Name: "projects/home/secrets/gemini", Credential: &Credential{
		Kind: rotation.APIKey, Target: "projects/acme/locations/global/keys/gemini", Policy: policy,
		Journal: rotation.Journal{Current: &rotation.Key{ID: "projects/acme/locations/global/keys/gemini", Version: "1", Phase: rotation.Active, Since: ago(1)}},
	}}
	quarantined := key(8, 40)
	quarantined.Disabled = true
	return Snapshot{At: now, Scope: "organizations/1", Home: "home", Projects: []Project{
		{ID: "home", Number: "100", Outside: true, Secrets: []Secret{managed, gemini}},
		{
			ID: "acme", Number: "200",
			Accounts: []Account{{Email: sa, UniqueID: "42", Keys: []AccountKey{key(1, 10), exposed, orphan, key(4, 400), disabled, expired, key(7, 0), quarantined, key(9, 100)}}},
			APIKeys: []APIKey{
				{Name: "projects/200/locations/global/keys/gemini", UID: "u-1", Created: ago(1)},
				{Name: "projects/200/locations/global/keys/keyturn-0123456789abcdef", UID: "u-2", Created: ago(2)},
				{Name: "projects/200/locations/global/keys/maps", UID: "u-3", DisplayName: "Maps", Created: ago(3), Restrictions: Restrictions{Referrers: []string{"https://acme.example/*"}}},
				{Name: "projects/200/locations/global/keys/gone", UID: "u-4", Created: ago(9), Deleted: ago(1)},
				{Name: "projects/200/locations/global/keys/bound", UID: "u-5", Created: ago(5), Account: sa},
			},
			HMACKeys:     []HMACKey{{AccessID: "GOOG1A", Account: sa, State: "ACTIVE", Created: ago(70)}, {AccessID: "GOOG1B", Account: sa, State: "DELETED", Created: ago(80)}, {AccessID: "GOOG1C", Account: sa, State: "INACTIVE", Created: ago(90)}},
			OAuthClients: []OAuthClient{{Name: "projects/acme/locations/global/oauthClients/web", Credentials: []OAuthCredential{{Name: "projects/acme/locations/global/oauthClients/web/credentials/one"}}}},
			Uses: map[Kind]Record{
				AccountKeyKind: {From: ago(42), Through: ago(1), Last: map[string]time.Time{id(1): ago(0), id(4): ago(20)}},
				APIKeyKind:     {From: ago(42)},
			},
			Gaps: []Gap{{Part: Uses, Of: "projects/acme", Kind: HMACKeyKind, Cause: NoPermission, Detail: "Permission denied."}},
		},
	}}
}

// by finds items by their short ids.
func by(t *testing.T, s Snapshot) map[string]Item {
	t.Helper()
	items := map[string]Item{}
	for _, i := range Classify(s) {
		items[i.ID] = i
	}
	return items
}

func TestClassifySaysWhoseACredentialIs(t *testing.T) {
	items := by(t, world())
	for short, want := range map[string]struct {
		state State
		use   rotation.Use
		place Place
	}{
		id(1):                      {Managed, rotation.Used, Place{InVersion, "projects/home/secrets/billing", []string{"7"}}},
		id(2):                      {Exposed, rotation.Unused, Place{Where: Nowhere}},
		id(3):                      {Orphan, rotation.Unused, Place{Where: Nowhere}},
		id(4):                      {Unmanaged, rotation.Used, Place{Where: Nowhere}},
		id(5):                      {Disabled, rotation.Unused, Place{Where: Nowhere}},
		id(6):                      {Expired, rotation.Unused, Place{Where: Nowhere}},
		id(7):                      {Managed, rotation.Unknown, Place{InStaging, "projects/home/secrets/billing-keyturn-staging", []string{"2"}}},
		id(8):                      {Managed, rotation.Unused, Place{InVersion, "projects/home/secrets/billing", []string{"3", "6"}}},
		id(9):                      {Unmanaged, rotation.Unused, Place{Where: Nowhere}},
		"gemini":                   {Managed, rotation.Unknown, Place{InVersion, "projects/home/secrets/gemini", []string{"1"}}},
		"keyturn-0123456789abcdef": {Orphan, rotation.Unknown, Place{Where: AtGoogle}},
		"maps":                     {Unmanaged, rotation.Unknown, Place{Where: AtGoogle}},
		"bound":                    {Unmanaged, rotation.Unknown, Place{Where: AtGoogle}},
		"GOOG1A":                   {Unmanaged, rotation.Unknown, Place{Where: Nowhere}},
		"GOOG1C":                   {Disabled, rotation.Unknown, Place{Where: Nowhere}},
		"web/one":                  {Unmanaged, rotation.Unknown, Place{Where: AtGoogle}},
	} {
		i, ok := items[short]
		if !ok {
			t.Errorf("%s is not in the inventory", short)
			continue
		}
		if i.State != want.state || i.Use.Verdict != want.use || !reflect.DeepEqual(i.Private, want.place) {
			t.Errorf("%s: %s (%s), %s (%s), %+v; want %+v", short, i.State, i.Why, i.Use.Verdict, i.Use.Reason, i.Private, want)
		}
		delete(items, short)
	}
	if len(items) > 0 {
		t.Errorf("left over: %v", items)
	}
}

func TestClassifyPutsTheWorstFirst(t *testing.T) {
	var got []string
	for _, i := range Classify(world()) {
		got = append(got, fmt.Sprintf("%s %s %d", i.State, i.Use.Verdict, i.AgeDays))
	}
	want := []string{
		"exposed unused 30", "orphan unknown 2", "orphan unused 3", "unmanaged used 400",
		"unmanaged unknown 70", "unmanaged unknown 5", "unmanaged unknown 3", "unmanaged unknown -1", "unmanaged unused 100",
		"managed used 10", "managed unknown 1", "managed unknown 0", "managed unused 40",
		"disabled unknown 90", "disabled unused 50", "expired unused 60",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// What could not be read is never taken for not being there.
func TestSecretsThatCannotBeReadLeaveTheOwnerUnknown(t *testing.T) {
	for name, tt := range map[string]struct {
		project string
		cause   Cause
		want    State
	}{
		"home":              {"home", NoPermission, Unclear},
		"its own project":   {"acme", Failed, Unclear},
		"no Secret Manager": {"acme", APIDisabled, Unmanaged},
	} {
		s := world()
		for i := range s.Projects {
			if p := &s.Projects[i]; p.ID == tt.project {
				p.Gaps = append(p.Gaps, Gap{Part: Secrets, Of: "projects/" + p.ID, Cause: tt.cause})
			}
		}
		items := by(t, s)
		if got := items[id(4)].State; got != tt.want {
			t.Errorf("%s: a key that no journal names is %s, want %s", name, got, tt.want)
		}
		if got := items[id(1)].State; got != Managed {
			t.Errorf("%s: a key that a journal names is %s", name, got)
		}
		if got := items["GOOG1A"].State; got != Unmanaged {
			t.Errorf("%s: a key that keyturn never rotates is %s", name, got)
		}
	}
}

func TestADisabledAccountDisablesItsKeys(t *testing.T) {
	s := world()
	s.Projects[1].Accounts[0].Disabled = true
	if i := by(t, s)[id(4)]; i.State != Disabled || !i.Disabled {
		t.Errorf("state %s, disabled %v", i.State, i.Disabled)
	}
}

func TestUseIsUnknownUnlessTheRecordSaysOtherwise(t *testing.T) {
	for name, tt := range map[string]struct {
		record  *Record
		gaps    []Gap
		created time.Time
		want    rotation.Use
		reason  string
	}{
		"used":                 {&Record{From: ago(42), Through: ago(1), Last: map[string]time.Time{"k": ago(3)}}, nil, ago(99), rotation.Used, "until 2026-06-12"},
		"used, old record":     {&Record{From: ago(42), Through: ago(9), Last: map[string]time.Time{"k": ago(9)}}, nil, ago(99), rotation.Used, "until 2026-06-06"},
		"unused":               {&Record{From: ago(42), Through: ago(1)}, nil, ago(99), rotation.Unused, "from 2026-05-04 to 2026-06-14"},
		"unused, young":        {&Record{From: ago(42), Through: ago(1)}, nil, ago(5), rotation.Unused, "from 2026-06-10 to 2026-06-14"},
		"too young":            {&Record{From: ago(42), Through: ago(1)}, nil, ago(0), rotation.Unknown, "was made at 2026-06-15"},
		"record that ended":    {&Record{From: ago(42), Through: ago(3)}, nil, ago(99), rotation.Unknown, "reaches to 2026-06-12 only"},
		"empty record":         {&Record{From: ago(42)}, nil, ago(99), rotation.Unknown, "recorded no use"},
		"record not readable":  {nil, []Gap{{Part: Uses, Kind: APIKeyKind, Detail: "denied"}}, ago(99), rotation.Unknown, "could not be read: denied"},
		"record not asked for": {nil, []Gap{{Part: Uses, Kind: HMACKeyKind, Detail: "denied"}}, ago(99), rotation.Unknown, "not asked"},
	} {
		p := Project{Gaps: tt.gaps}
		if tt.record != nil {
			p.Uses = map[Kind]Record{APIKeyKind: *tt.record}
		}
		got := p.use(now, APIKeyKind, "k", tt.created)
		if got.Verdict != tt.want || !strings.Contains(got.Reason, tt.reason) {
			t.Errorf("%s: %s (%s), want %s (%s)", name, got.Verdict, got.Reason, tt.want, tt.reason)
		}
		if got.Last.IsZero() == (got.Verdict == rotation.Used) || got.Since.IsZero() == (got.Verdict == rotation.Unused) {
			t.Errorf("%s: times do not fit: %+v", name, got)
		}
	}
}

func TestPolicyAnalyzerAddsToTheRecord(t *testing.T) {
	counted := func(through int, last ...int) *Record {
		r := &Record{From: ago(42), Through: ago(through)}
		for _, days := range last {
			r.Last = map[string]time.Time{"k": ago(days)}
		}
		return r
	}
	never := Activity{From: ago(300), Through: ago(3)}
	used := func(days int) Activity { return Activity{From: ago(300), Through: ago(3), Last: ago(days)} }
	for name, tt := range map[string]struct {
		record      *Record
		activity    Activity
		want        rotation.Use
		last, since int // days ago; 0 is no time
		reason      string
	}{
		"both know a use, this one a later": {counted(1, 9), used(5), rotation.Used, 5, 0, "Policy Analyzer saw it used until 2026-06-10"},
		"both know a use, that one a later": {counted(1, 2), used(5), rotation.Used, 2, 0, "Cloud Monitoring counted uses"},
		"used, says one":                    {counted(1, 2), never, rotation.Used, 2, 0, "Cloud Monitoring counted uses"},
		"used, says the other":              {counted(1), used(5), rotation.Used, 5, 0, "until 2026-06-10"},
		"used, and nothing counted":         {&Record{From: ago(42)}, used(5), rotation.Used, 5, 0, "until 2026-06-10"},
		"used, and nothing read":            {nil, used(5), rotation.Used, 5, 0, "until 2026-06-10"},
		"unused, say both":                  {counted(1), never, rotation.Unused, 0, 300, "counted no use from 2026-05-04 to 2026-06-14; Policy Analyzer saw no use from 2025-08-19 to 2026-06-12"},
		"unused since the last use":         {counted(1), used(100), rotation.Unused, 100, 100, "last use on 2026-03-07, and none until 2026-06-12"},
		"a gap between the two":             {counted(1), Activity{From: ago(300), Through: ago(60), Last: ago(100)}, rotation.Unused, 100, 42, "counted no use from 2026-05-04"},
		"unused, and nothing counted":       {&Record{From: ago(42)}, never, rotation.Unused, 0, 300, "Cloud Monitoring counted no use; Policy Analyzer saw no use"},
		"unused, and an old record":         {counted(9), used(100), rotation.Unused, 100, 100, "Cloud Monitoring counted no use; Policy Analyzer saw its last use"},
		"unused, and nothing read":          {nil, never, rotation.Unknown, 0, 0, "not asked; Policy Analyzer saw no use from 2025-08-19 to 2026-06-12, which is not enough"},
		"used long ago, and nothing read":   {nil, used(100), rotation.Unknown, 100, 0, "which is not enough"},
		"behind, and nothing counted":       {&Record{From: ago(42)}, Activity{From: ago(300), Through: ago(8)}, rotation.Unknown, 0, 0, "which is not enough"},
	} {
		p := Project{Activities: map[string]Activity{"k": tt.activity}}
		if tt.record != nil {
			p.Uses = map[Kind]Record{AccountKeyKind: *tt.record, APIKeyKind: *tt.record}
		}
		want := Use{Verdict: tt.want}
		if tt.last > 0 {
			want.Last = ago(tt.last)
		}
		if tt.since > 0 {
			want.Since = ago(tt.since)
		}
		got := p.use(now, AccountKeyKind, "k", ago(300))
		if got.Verdict != want.Verdict || !got.Last.Equal(want.Last) || !got.Since.Equal(want.Since) || !strings.Contains(got.Reason, tt.reason) {
			t.Errorf("%s: %+v, want %+v and %q", name, got, want, tt.reason)
		}
		if got := p.use(now, AccountKeyKind, "k", ago(299)); !want.Since.IsZero() && got.Since.Before(ago(299)) {
			t.Errorf("%s: unused before it was made: %+v", name, got)
		}
		if got := p.use(now, APIKeyKind, "k", ago(300)); strings.Contains(got.Reason, "Policy Analyzer") {
			t.Errorf("%s: an API key of the same id: %+v", name, got)
		}
	}
}

func TestASecretIsRegisteredByItsLabelAndAnnotations(t *testing.T) {
	c := rotation.Credential{Kind: rotation.ServiceAccountKey, Target: target, Policy: rotation.DefaultPolicy}
	annotations, err := c.Annotations()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		labels  map[string]string
		notes   map[string]string
		managed bool
		broken  bool
		staging bool
	}{
		"of somebody else": {map[string]string{"team": "sec"}, nil, false, false, false},
		"managed":          {map[string]string{"keyturn": "managed"}, annotations, true, false, false},
		"broken":           {map[string]string{"keyturn": "managed"}, nil, false, true, false},
		"staging":          {map[string]string{"keyturn": "staging"}, nil, false, false, true},
	} {
		s := Secret{Name: "projects/acme/secrets/s"}
		s.Register(tt.labels, tt.notes)
		if (s.Credential != nil) != tt.managed || (s.Broken != "") != tt.broken || s.Staging != tt.staging {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestPlans(t *testing.T) {
	items := by(t, world())
	alone := world()
	alone.Projects[0].Secrets = nil
	crowded := world()
	crowded.Projects[0].Secrets = nil
	for n := range 3 {
		a := &crowded.Projects[1].Accounts[0]
		a.Keys = append(a.Keys, key(20+n, 1))
	}
	rotated := world()
	rotated.Projects[0].Secrets[1].Credential.Journal.Current.ID = "projects/acme/locations/global/keys/keyturn-fedcba9876543210"
	idle := world()
	idle.Projects[1].Gaps = nil
	for _, kind := range []Kind{APIKeyKind, HMACKeyKind} {
		idle.Projects[1].Uses[kind] = Record{From: ago(42), Through: ago(1)}
	}
	for name, tt := range map[string]struct {
		item Item
		want []string // what the commands and texts hold, in order; none is no plan
	}{
		"managed":            {items[id(1)], nil},
		"exposed":            {items[id(2)], []string{"at once", "keys disable " + id(2), "have its users read"}},
		"exposed, unused":    {old(items[id(2)]), []string{"keys disable " + id(2), "keys delete"}},
		"young orphan":       {items[id(3)], []string{"have its users read version current", "run the inventory again"}},
		"orphan":             {old(items[id(3)]), []string{"keys disable", "a week later", "keys delete"}},
		"used, a twin":       {items[id(4)], []string{"have its users read version current of projects/home/secrets/billing", "run the inventory again"}},
		"disabled":           {items[id(5)], []string{"delete it", "keys delete " + id(5) + " --iam-account " + sa + " --project acme"}},
		"unused":             {items[id(9)], []string{"keys disable", "keys delete"}},
		"used, alone":        {by(t, alone)[id(4)], []string{"gcloud secrets create acme-billing-key --replication-policy automatic --project home", "versions add acme-billing-key --project home --data-file KEY_FILE", "keyturn adopt acme-billing-key --service-account " + sa + " --project home", "read version current"}},
		"no room":            {by(t, crowded)[id(4)], []string{"secrets create", "12 keys", "keyturn adopt"}},
		"API key":            {items["maps"], []string{"secrets create acme-maps-key", "get-key-string maps --project acme --format 'value(keyString)' | gcloud secrets versions add acme-maps-key --project home --data-file -", "keyturn adopt acme-maps-key --api-key projects/acme/locations/global/keys/maps --project home"}},
		"an API key's model": {by(t, rotated)["gemini"], []string{"which holds keys that keyturn makes as this one is", "read version current of projects/home/secrets/gemini"}},
		"orphaned API key":   {items["keyturn-0123456789abcdef"], []string{"leave this out", "keyturn adopt acme-keyturn-0123456789abcdef-key"}},
		"unused API key":     {old(by(t, idle)["maps"]), []string{"delete it", "api-keys delete maps --project acme"}},
		"expired":            {items[id(6)], []string{"delete it", "keys delete " + id(6)}},
		"unused HMAC":        {by(t, idle)["GOOG1A"], []string{"hmac update GOOG1A --deactivate", "a week later", "hmac delete GOOG1A"}},
		"disabled HMAC":      {items["GOOG1C"], []string{"find out whether it may go", "ask those who used it"}},
		"HMAC":               {items["GOOG1A"], []string{"hmac create " + sa, "take the new one", "run the inventory again"}},
		"OAuth":              {items["web/one"], []string{"credentials create NEW_ID --oauth-client web", "take the new one"}},
	} {
		plan, ok := tt.item.Plan("home")
		if ok != (tt.want != nil) {
			t.Errorf("%s: plan %v: %+v", name, ok, plan)
			continue
		}
		if rest := after(told(plan), tt.want); rest != "" {
			t.Errorf("%s: the plan does not say %q:\n%s", name, rest, told(plan))
		}
	}
}

func TestAnExposedKeyInUseIsReplacedAfterItIsDisabled(t *testing.T) {
	s := world()
	s.Projects[1].Accounts[0].Keys[3].Exposed = true // in use, and nobody rotates it
	s.Projects[1].Accounts[0].Keys[0].Exposed = true // keyturn rotates it
	items := by(t, s)
	managed, _ := items[id(1)].Plan("home")
	if rest := after(told(managed), []string{"keyturn revoke billing --key " + id(1) + " --project home"}); rest != "" {
		t.Errorf("%q is missing:\n%s", rest, told(managed))
	}
	moved, _ := items[id(4)].Plan("home")
	if rest := after(told(moved), []string{"which its users notice at once", "keys disable", "have its users read version current"}); rest != "" {
		t.Errorf("%q is missing:\n%s", rest, told(moved))
	}
	s.Projects[0].Secrets = nil
	adopted, _ := by(t, s)[id(4)].Plan("home")
	if rest := after(told(adopted), []string{"keys disable", "secrets create", "keyturn adopt"}); rest != "" {
		t.Errorf("%q is missing:\n%s", rest, told(adopted))
	}
}

// old is the item with an age of which uses are recorded no further back.
func old(i Item) Item {
	i.AgeDays = 100
	return i
}

func TestWhatIsSpare(t *testing.T) {
	unused := Use{Verdict: rotation.Unused}
	for name, tt := range map[string]struct {
		item Item
		want bool
	}{
		"unused":             {Item{State: Unmanaged, Use: unused, AgeDays: 42}, true},
		"unused orphan":      {Item{State: Orphan, Use: unused, AgeDays: 42}, true},
		"unused and exposed": {Item{State: Exposed, Use: unused, AgeDays: 42}, true},
		"expired":            {Item{State: Expired, Use: Use{Verdict: rotation.Used}}, true},
		"too young":          {Item{State: Unmanaged, Use: unused, AgeDays: 41}, false},
		"of unknown age":     {Item{State: Unmanaged, Use: unused, AgeDays: -1}, false},
		"used orphan":        {Item{State: Orphan, Use: Use{Verdict: rotation.Used}, AgeDays: 42}, false},
		"disabled, unknown":  {Item{State: Disabled, Use: Use{Verdict: rotation.Unknown}, AgeDays: 42}, false},
		"managed":            {Item{State: Managed, Use: unused, AgeDays: 42}, false},
		"managed, exposed":   {Item{State: Exposed, Secret: "projects/p/secrets/s", Use: unused, AgeDays: 42}, false},
		"unknown whose":      {Item{State: Unclear, Use: unused, AgeDays: 42}, false},
	} {
		if got := tt.item.Spare(); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func told(p Plan) string {
	var b strings.Builder
	b.WriteString(p.Goal + "\n")
	for _, s := range p.Steps {
		b.WriteString(s.Do + "\n  " + s.Command + "\n")
	}
	return b.String()
}

// after is the first of the texts that does not come after the one before; empty
// if all do.
func after(text string, texts []string) string {
	for _, want := range texts {
		_, rest, ok := strings.Cut(text, want)
		if !ok {
			return want
		}
		text = rest
	}
	return ""
}

func TestWaysWithoutACredential(t *testing.T) {
	items := by(t, world())
	for short, want := range map[string][]Way{
		id(4):     {AttachedAccount, Federation},
		"bound":   {AttachedAccount, Federation},
		"gemini":  {BoundAPIKey, AttachedAccount, Federation},
		"maps":    {}, // in every visitor's browser
		"GOOG1A":  {AttachedAccount, Federation},
		"web/one": {},
	} {
		i := items[short]
		if !slices.Equal(i.Keyless, want) || i.Keyless == nil {
			t.Errorf("%s: %v, want %v", short, i.Keyless, want)
		}
		for _, w := range i.Keyless {
			if steps := i.Steps(w); w.For() == "" || len(steps) == 0 || steps[0].Command == "" {
				t.Errorf("%s: way %s is for %q, by %v", short, w, w.For(), steps)
			}
		}
	}
	if steps := (Item{}).Steps("prayer"); steps != nil || Way("prayer").For() != "" {
		t.Errorf("unknown way: %v", steps)
	}
}

func TestCommandsKeepWordsTogether(t *testing.T) {
	for word, want := range map[string]string{
		"a-b_c@d.e": "a-b_c@d.e", "": "''", "two words": "'two words'", "$(rm)": "'$(rm)'", "it's": `'it'\''s'`,
	} {
		if got := Command("x", word); got != "x "+want {
			t.Errorf("%q: %s, want x %s", word, got, want)
		}
	}
}

func TestSummarise(t *testing.T) {
	s := world()
	items := Classify(s)
	s.Gaps = []Gap{{Part: Folders}}
	got := Summarise(s, items)
	want := Summary{
		Projects: 1, Accounts: 1, Credentials: 16, Unused: 6, UseUnknown: 8, Gaps: 2,
		States: map[State]int{Exposed: 1, Orphan: 2, Unmanaged: 6, Managed: 4, Disabled: 2, Expired: 1},
		Kinds:  map[Kind]int{AccountKeyKind: 9, APIKeyKind: 4, HMACKeyKind: 2, OAuthSecretKind: 1},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// A snapshot is what an interrupted inventory goes on with.
func TestSnapshotsSurviveJSON(t *testing.T) {
	s := world()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back Snapshot
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if got, want := Classify(back), Classify(s); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
