package abuse

import (
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/detect"
)

// A ledger is read each hour, and when a key is used that the last one does not
// know, as soon as a newer one can.
func TestLedgersAreReadWhenTheyAreDueOrWanted(t *testing.T) {
	const account = "a@p.iam.gserviceaccount.com"
	unknown := detect.Entry{LogName: "l", Principal: account, KeyName: keyName(account, strings.Repeat("a", 40)), CallerIP: "192.0.2.1"}
	for name, c := range map[string]struct {
		events []*Event
		want   []time.Duration // when ledgers are read
	}{
		"each hour":   {[]*Event{at(0, 0, detect.Entry{}), at(600, 0, detect.Entry{}), at(3600, 0, detect.Entry{}), at(7000, 0, detect.Entry{})}, []time.Duration{0, time.Hour}},
		"wanted":      {[]*Event{at(0, 0, detect.Entry{}), at(600, 0, unknown), at(660, 0, detect.Entry{}), at(725, 0, detect.Entry{})}, []time.Duration{0, 725 * time.Second}},
		"and no more": {[]*Event{at(0, 0, unknown), at(125, 0, unknown), at(130, 0, detect.Entry{})}, []time.Duration{0, 125 * time.Second}},
	} {
		var read []time.Duration
		k := Keyturn(handMade()).(*keyturn)
		k.ledger = func(at time.Time) *detect.Ledger {
			read = append(read, at.Sub(Start))
			return &detect.Ledger{At: at, Secrets: []detect.LedgerSecret{{Name: "projects/p/secrets/s", Target: "//iam.googleapis.com/projects/p/serviceAccounts/" + account}}}
		}
		for _, e := range c.events {
			k.Observe(e, nil)
		}
		if !slices.Equal(read, c.want) {
			t.Errorf("%s: ledgers are read at %v, want %v", name, read, c.want)
		}
	}
}
