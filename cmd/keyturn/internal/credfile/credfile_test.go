package credfile

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/rotation"
	"github.com/google/go-cmp/cmp"
)

func prefix(p string) func(string) string {
	return func(s string) string {
		if strings.HasPrefix(s, "projects/") {
			return s
		}
		return p + s
	}
}

var names = Names{Project: "p", Secret: prefix("projects/p/secrets/"), Account: prefix("projects/p/serviceAccounts/"), APIKey: prefix("projects/p/locations/global/keys/")}

const example = `credentials:
  - secret: billing-key
    service-account: billing@p.iam.gserviceaccount.com
    policy: {period: 30d, overlap: 2d, key-mode: create, probe-url: https://example.com/ping}
  - secret: projects/p/secrets/gemini-key
    api-key: gemini
`

func hours(n int) rotation.Duration { return rotation.Duration(time.Duration(n) * time.Hour) }

func TestParse(t *testing.T) {
	got, err := Parse("credentials.yaml", []byte(example), names)
	if err != nil {
		t.Fatal(err)
	}
	billing := rotation.DefaultPolicy
	billing.Overlap, billing.KeyMode, billing.ProbeURL = hours(48), rotation.Create, "https://example.com/ping"
	want := []Credential{
		{Secret: "projects/p/secrets/billing-key", Kind: rotation.ServiceAccountKey, Target: "projects/p/serviceAccounts/billing@p.iam.gserviceaccount.com", Policy: billing},
		{Secret: "projects/p/secrets/gemini-key", Kind: rotation.APIKey, Target: "projects/p/locations/global/keys/gemini", Policy: Default(rotation.APIKey)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, err := Parse("f", []byte("credentials: []"), names); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

// TestEveryMistakeIsTold, all of them at once, each with its place.
func TestEveryMistakeIsTold(t *testing.T) {
	_, err := Parse("c.yaml", []byte(`credentials:
  - secret: a b
    service-account: nobody
  - service-account: x@p.iam.gserviceaccount.com
    policy: {period: month, colour: red}
  - secret: s
    api-key: ../x
    policy:
      key-mode: upload
  - secret: s
    service-account: x@p.iam.gserviceaccount.com
    api-key: y
  - secret: t
    api-key: y
    policy: {period: 2h, evidence: perhaps}
  - text
  - secret: t
    service-acount: x@p.iam.gserviceaccount.com
    policy: {period: 30x, colour: red, overlap: 90d, evidence: never, quarantine: 60d, straggler-limit: 1y}
  - secret: projects/642872260880/secrets/idle-key
    api-key: z
  - {colour: red}
colour: red
`), names)
	if err == nil {
		t.Fatal("nothing is wrong with it")
	}
	for _, want := range []string{
		"c.yaml:2:13: secret is not the name of a secret", "c.yaml:3:22: service-account is not an e-mail address",
		"c.yaml:4:5: a credential without secret", `c.yaml:5:29: unknown field "colour"`, "c.yaml:7:14: api-key is not",
		"c.yaml:9:17: key-mode is for service-account keys only", "c.yaml:10:13: secret s is there twice, first in line 6",
		"c.yaml:10:5: want either service-account or api-key", "c.yaml:15:14: policy: period", "c.yaml:15:14: policy: evidence \"perhaps\"",
		"c.yaml:16:5: a credential: want keys with values", `c.yaml:23:1: unknown field "colour"`,
		`c.yaml:5:22: want a duration`, `c.yaml:17:13: secret t is there twice, first in line 13`, `c.yaml:18:5: unknown field "service-acount"; did you mean service-account?`,
		`c.yaml:19:22: want a duration`, `c.yaml:19:27: unknown field "colour"`, `c.yaml:19:105: want a duration`, `c.yaml:19:14: policy: evidence "never"`,
		"c.yaml:20:13: secret idle-key is of project 642872260880, and apply looks after those of p (--project) alone; if that is its number, write only idle-key", `c.yaml:22:6: unknown field "colour"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
	if got := strings.Count(err.Error(), "\n") + 1; got != 21 {
		t.Errorf("%d mistakes are told:\n%v", got, err)
	}
	for _, text := range []string{"", "credentials:", "other: 1", "[]", "credentials: {}", "a: [", "credentials: []\n---\n"} {
		if got, err := Parse("f", []byte(text), names); err == nil || got != nil {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestDiff(t *testing.T) {
	wanted, err := Parse("f", []byte(example), names)
	if err != nil {
		t.Fatal(err)
	}
	registered := func(change func(*Credential)) []Credential {
		c := wanted[0]
		change(&c)
		return []Credential{c, wanted[1]}
	}
	for name, tt := range map[string]struct {
		registered []Credential
		prune      bool
		want       string
	}{
		"all as it should be":     {registered(func(*Credential) {}), true, ""},
		"defaults written out":    {registered(func(c *Credential) { c.Policy.Evidence, c.Policy.Propagation = rotation.EvidenceRequired, 0 }), false, ""},
		"nothing yet":             {nil, false, "adopt billing-key overlap=48h0m0s key-mode=create probe-url=https://example.com/ping; adopt gemini-key"},
		"another policy":          {registered(func(c *Credential) { c.Policy.Overlap, c.Policy.KeyMode = hours(24), "" }), false, "change billing-key overlap=48h0m0s key-mode=create"},
		"of another account":      {registered(func(c *Credential) { c.Target = "projects/p/serviceAccounts/x@y" }), false, "refuse billing-key"},
		"one more, left alone":    {append(registered(func(*Credential) {}), Credential{Secret: "projects/p/secrets/old"}), false, ""},
		"one more, to be removed": {append(registered(func(*Credential) {}), Credential{Secret: "projects/p/secrets/old"}), true, "release old"},
		"releases come last":      {[]Credential{{Secret: "projects/p/secrets/b"}, {Secret: "projects/p/secrets/a"}, wanted[1]}, true, "adopt billing-key overlap=48h0m0s key-mode=create probe-url=https://example.com/ping; release a; release b"},
	} {
		var got []string
		for _, d := range Diff(wanted, tt.registered, tt.prune) {
			line := string(d.Deed) + " " + d.Secret[strings.LastIndex(d.Secret, "/")+1:]
			for _, f := range d.Fields {
				line += fmt.Sprintf(" %s=%s", f.Name, f.To)
			}
			got = append(got, line)
		}
		if text := strings.Join(got, "; "); text != tt.want {
			t.Errorf("%s: %q, want %q", name, text, tt.want)
		}
	}
}

// FuzzParse holds that what is taken can be registered, and is taken whole or not at all.
func FuzzParse(f *testing.F) {
	for _, text := range []string{example, "credentials: []", "credentials:\n- secret: a\n  api-key: b\n  policy: {period: 1d}", "credentials: [{secret: a, service-account: a@b, policy: {quarantine: 0d}}]", "\ufeffcredentials: &a [*a]"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Parse("f", data, names)
		if err != nil {
			if got != nil {
				t.Errorf("an error and %v", got)
			}
			return
		}
		seen := map[string]bool{}
		for _, c := range got {
			if c.Secret == "" || c.Target == "" || c.Kind == "" || seen[c.Secret] || c.Policy.Validate() != nil {
				t.Errorf("took %+v", c)
			}
			seen[c.Secret] = true
		}
		if again := Diff(got, got, true); len(again) > 0 {
			t.Errorf("what is as wanted differs: %+v", again)
		}
	})
}
