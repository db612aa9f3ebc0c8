package detect

import (
	"slices"
	"testing"
	"time"
)

// A log that goes on for days after its ledger accuses no key that may be newer,
// and those before it as ever.
func TestAFinalLedgerJudgesNoNewerKey(t *testing.T) {
	old := &Ledger{
		At:       start.Add(rotated - 10*time.Hour),
		Rotators: []string{rotator},
		Secrets:  managed().Secrets,
		Keys:     []LedgerKey{{ID: oldKey, Secret: billing, State: "active", Since: start.Add(-oneDay), Given: start.Add(-oneDay)}, {ID: newKey, Secret: billing, State: "verified", Since: start.Add(rotated - 11*time.Hour)}},
	}
	with := func(misuse ...Entry) []Entry { return inOrder(everydayUse(), misuse) }
	for name, c := range map[string]struct {
		log  []Entry
		want []string
		asks bool
	}{
		"everyday use":                        {with(), nil, true},
		"keys by anybody after it":            {with(makingKey(rotator, otherKey, rotated), makingKey("eve@example.com", "dddddddddddddddddddddddddddddddddddddddd", rotated)), nil, true},
		"a key made before it":                {[]Entry{makingKey("eve@example.com", otherKey, rotated-11*time.Hour)}, []string{ForeignKey}, false},
		"made before it by keyturn":           {[]Entry{makingKey(rotator, otherKey, rotated-11*time.Hour)}, []string{ForeignKey}, false},
		"made before it, and used after it":   {[]Entry{makingKey("eve@example.com", otherKey, rotated-11*time.Hour), using(otherKey, homeIP, "curl/8", rotated)}, []string{ForeignKey, ForeignKey}, true},
		"a key not given, used after it":      {usingFrom(newKey, homeIP, homeAgent, rotated, 3), nil, true},
		"a key not given, used before it":     {usingFrom(newKey, homeIP, homeAgent, rotated-11*time.Hour, 1), []string{UnreadKeyUsed}, false},
		"an unknown key used only after it":   {usingFrom(otherKey, homeIP, homeAgent, rotated, 3), nil, true},
		"an unknown key first used before it": {usingFrom(otherKey, homeIP, homeAgent, rotated-11*time.Hour, 1), []string{ForeignKey}, false},
	} {
		g := New(Config{Ledger: old, Final: true})
		var found []Finding
		for i := range c.log {
			found = g.Observe(&c.log[i], found)
		}
		var names []string
		for _, f := range g.Flush(found) {
			names = append(names, f.Detector)
		}
		if !slices.Equal(names, c.want) || g.Wants().IsZero() == c.asks {
			t.Errorf("%s: found %v, want %v; wants a ledger of %v", name, names, c.want, g.Wants())
		}
	}
}

func TestLedgerValidate(t *testing.T) {
	for _, state := range phases {
		l := Ledger{At: start, Keys: []LedgerKey{{ID: "k", State: state}}}
		if err := l.Validate(); err != nil {
			t.Errorf("state %s: %v", state, err)
		}
	}
	for _, l := range []Ledger{{}, {Keys: managed().Keys}, {At: start, Keys: []LedgerKey{{ID: "k"}}}, {At: start, Keys: []LedgerKey{{ID: "k", State: "bogus"}}}} {
		if err := l.Validate(); err == nil {
			t.Errorf("%+v passes", l)
		}
	}
}
