package detect

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// measuredHours are samples of a credential, one each hour.
func measuredHours(name string, refused ...int64) []Sample {
	var samples []Sample
	for i, n := range refused {
		from := start.Add(time.Duration(i) * time.Hour)
		samples = append(samples, Sample{Credential: name, From: from, To: from.Add(time.Hour), Refused: n, All: max(n, 30)})
	}
	return samples
}

func TestMeasured(t *testing.T) {
	quiet := make([]int64, 30)
	noisy := slices.Repeat([]int64{25}, 30)
	tried := func(after time.Duration, n int64) []Sample {
		return []Sample{{Key: oldKey, From: start.Add(after), To: start.Add(after + 10*time.Minute), Refused: n, All: n}}
	}
	api := "projects/p/locations/global/keys/gemini"
	withAPI := managed()
	withAPI.Keys = append(withAPI.Keys, LedgerKey{ID: api, Secret: billing, State: "active", Given: start})
	rejected := measuredHours("", append(slices.Clone(quiet), 500)...)
	for i := range rejected {
		rejected[i].Key = api
	}
	for name, c := range map[string]struct {
		samples []Sample
		subject string // "" is that nothing is found
		count   int
		advice  string
	}{
		"nothing":                        {nil, "", 0, ""},
		"never refused":                  {measuredHours("apikey:1", quiet...), "", 0, ""},
		"refused at once":                {measuredHours("apikey:1", append(slices.Clone(quiet), 500)...), "apikey:1", 500, "ask the credential's owner"},
		"a managed key, refused at once": {rejected, consumer, 500, "keyturn rollback " + billing},
		"a few":                          {measuredHours("apikey:1", append(slices.Clone(quiet), 19)...), "", 0, ""},
		"always refused":                 {measuredHours("apikey:1", append(slices.Clone(noisy), 60)...), "", 0, ""},
		"far more than always":           {measuredHours("apikey:1", append(slices.Clone(noisy), 75)...), "apikey:1", 75, ""},
		"not known for long":             {measuredHours("apikey:1", 0, 0, 500), "", 0, ""},
		"a retired key":                  {tried(rotated+5*oneDay, 7), consumer, 7, "find the consumer that still has key " + oldKey},
		"the last token of one":          {tried(rotated+2*oneDay, 7), "", 0, ""},
		"a retired key at rest":          {tried(rotated+5*oneDay, 0), "", 0, ""},
		"of no plausible time":           {[]Sample{{Key: oldKey, Refused: 9, All: 9}}, "", 0, ""},
		"of no plausible numbers":        {[]Sample{{Key: oldKey, From: start.Add(99 * oneDay), To: start.Add(99 * oneDay), Refused: 9, All: 3}}, "", 0, ""},
		"of nobody":                      {measuredHours("", append(slices.Clone(quiet), 500)...), "", 0, ""},
		"of somebody hostile":            {measuredHours("\x1b[31m$(evil)", append(slices.Clone(quiet), 500)...), `\x1b[31m$(evil)`, 500, "ask"},
	} {
		g := New(Config{Ledger: withAPI})
		found := g.Measured(c.samples, nil)
		if c.subject == "" {
			if len(found) != 0 {
				t.Errorf("%s: found %+v", name, found)
			}
			continue
		}
		if len(found) != 1 {
			t.Errorf("%s: found %+v", name, found)
			continue
		}
		f := found[0]
		if f.Subject != c.subject || f.Count != c.count || f.Detector != RefusedCredential || f.Severity != Warning || f.Score < 1 || !strings.HasPrefix(f.Advice, c.advice) || strings.ContainsRune(f.Reason, 0x1b) || strings.Contains(f.Advice, "evil") {
			t.Errorf("%s: finding = %+v", name, f)
		}
		slices.Reverse(c.samples)
		twice := slices.Concat(c.samples, c.samples)
		if again := New(Config{Ledger: withAPI}).Measured(twice, nil); !reflect.DeepEqual(again, found) {
			t.Errorf("%s: in another order, twice: %+v", name, again)
		}
		if again := g.Measured(twice, nil); len(again) != 0 {
			t.Errorf("%s: told again: %+v", name, again)
		}
	}
}
