package detect

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// inOverlap is the ledger of the rotation when the old key still works.
func inOverlap() *Ledger {
	l := managed()
	l.At = start.Add(rotated + 8*time.Hour)
	l.Keys = append(l.Keys, LedgerKey{ID: oldKey, Secret: billing, State: "overlapping", Since: start.Add(rotated), Given: start.Add(-oneDay), Until: start.Add(rotated + oneDay), Versions: []string{"1"}})
	l.Retired = nil
	return l
}

// toldOf runs entries through an engine and returns the first finding of a detector.
func toldOf(t *testing.T, detector string, l *Ledger, entries []Entry) Finding {
	t.Helper()
	found := known(l, entries)
	for _, f := range found {
		if f.Detector == detector {
			return f
		}
	}
	t.Fatalf("found %v, want %s", ids(found), detector)
	return Finding{}
}

func TestBlastRadius(t *testing.T) {
	at := func(d time.Duration) time.Time { return start.Add(d) }
	moved, another := "203.0.113.9", "192.0.2.77"
	stolen := usingFrom(oldKey, moved, "curl/8", rotated+5*time.Hour, 5)
	stragglers := usingFrom(oldKey, homeIP, homeAgent, rotated+2*time.Hour, 9)
	drifted := usingFrom(newKey, moved, "curl/8", rotated+20*time.Hour, 5)
	since := managed() // what the ledger knows by now is newer than the finding
	since.Keys[0].State, since.Keys[0].Superseded = "overlapping", start.Add(rotated+22*time.Hour)
	read := managed()
	read.Secrets[0].Readers = []string{consumer, "backup@p.iam.gserviceaccount.com"}
	for name, c := range map[string]struct {
		detector string
		ledger   *Ledger
		log      []Entry
		want     Radius
		says     []string
	}{
		"current, stolen": {KeyDrift, managed(), inOrder(everydayUse(), drifted),
			Radius{Since: at(rotated + 20*time.Hour - 7*oneDay), Watched: true, Consumers: 1, Strangers: 1, Used: at(rotated + 20*time.Hour), Read: at(rotated + 12*time.Hour + 30*time.Minute)},
			[]string{"consumers are given this key: 'keyturn revoke' gives them another one first", "within 7d others were seen to use it from 1 network of its consumers, last about 2026-03-12T08:00:30Z", "; the finding came from 1 other network", "; its secret was last read at 2026-03-12T00:30:30Z"}},
		"current, with a consumer that is new, too": {KeyDrift, read, inOrder(everydayUse(), usingFrom(newKey, another, homeAgent, rotated+18*time.Hour, 3), drifted),
			Radius{Since: at(rotated + 18*time.Hour - 7*oneDay), Watched: true, Consumers: 1, Strangers: 1, Used: at(rotated + 18*time.Hour), Read: at(rotated + 12*time.Hour + 30*time.Minute), Readers: 2},
			[]string{"; its secret, which has 2 known readers, was last read at"}},
		"stolen, and superseded after that": {KeyDrift, since, inOrder(everydayUse(), drifted),
			Radius{Since: at(rotated + 20*time.Hour - 7*oneDay), Watched: true, Consumers: 1, Strangers: 1, Used: at(rotated + 20*time.Hour)},
			[]string{"consumers are given another key by now", "within 7d others"}},
		"previous, stolen": {StolenOldKey, inOverlap(), inOrder(everydayUse(), stolen),
			Radius{Since: at(rotated), Watched: true, Consumers: 1, Strangers: 1, Used: at(rotated + time.Hour)},
			[]string{"consumers are given another key by now", "within 5h others were seen to use it from 1 network of its consumers, last about 2026-03-11T13:00:30Z; the finding came from 1 other network"}},
		"previous, with stragglers": {StolenOldKey, inOverlap(), inOrder(everydayUse(), stragglers, stolen),
			Radius{Since: at(rotated), Watched: true, Consumers: 1, Strangers: 1, Used: at(rotated + 2*time.Hour + 56*time.Minute)}, nil},
		"previous, of a straggler": {OldKeyInUse, inOverlap(), inOrder(everydayUse(), usingFrom(oldKey, homeIP, homeAgent, rotated+5*time.Hour, 2)),
			Radius{Since: at(rotated), Watched: true, Consumers: 1, Shared: 1},
			[]string{"in the calls logged within 5h nobody else was seen to use it; the finding came from 1 network of its consumers"}},
		"quarantined or deleted": {StolenOldKey, managed(), inOrder(everydayUse(), stolen), Radius{}, []string{"this key was taken away already: only whoever gets past that fails"}},
		"foreign, and used": {ForeignKey, managed(), inOrder(everydayUse(), []Entry{makingKey(rotator, otherKey, rotated), using(otherKey, moved, "curl/8", rotated+2*time.Minute)}),
			Radius{Since: at(rotated + 2*time.Minute - 7*oneDay), Strangers: 1},
			[]string{"keyturn does not manage this key and gives nobody another: whoever uses it fails; in the calls logged within 7d nobody else was seen to use it; the finding came from 1 other network"}},
		"unmanaged, stolen": {KeyDrift, nil, inOrder(usingFrom(oldKey, homeIP, homeAgent, 0, 5*200), usingFrom(oldKey, moved, "curl/8", 4*oneDay, 2)),
			Radius{Since: at(0), Watched: true, Consumers: 1, Strangers: 1, Used: at(4*oneDay - 4*time.Minute)},
			[]string{"keyturn has no ledger to tell whether it manages this key: whoever uses it may fail; within 4d others were seen to use it from 1 network of its consumers"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := toldOf(t, c.detector, c.ledger, c.log)
			got := f.Radius
			if d := got.Used.Sub(c.want.Used).Abs(); got.Used.IsZero() == c.want.Used.IsZero() && d < 80*time.Minute {
				got.Used = c.want.Used // the many uses that are like the last one are not all noted
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("radius\n got %+v\nwant %+v", f.Radius, c.want)
			}
			text := f.BlastRadius()
			for _, says := range c.says {
				if !strings.Contains(text, says) {
					t.Errorf("it says %q, and not %q", text, says)
				}
			}
			if len(text) > 480 { // of what channels show
				t.Errorf("%d bytes: %s", len(text), text)
			}
		})
	}
}

// Who is new is counted apart, and before anybody is known nobody is taken for a consumer.
func TestBlastRadiusOfWhatIsNew(t *testing.T) {
	probe := func(i int, at time.Duration) Entry {
		e := denied(fmt.Sprintf("s.things%d.setIamPolicy", i), at)
		e.Principal, e.KeyName, e.CallerIP, e.UserAgent = consumer, keyNamed(oldKey), homeIP, homeAgent
		return e
	}
	l := inOverlap()
	l.Keys = []LedgerKey{{ID: oldKey, Secret: billing, State: "active", Since: start, Given: start}}
	for name, c := range map[string]struct {
		watched time.Duration
		want    Radius
		says    string
	}{
		"nobody is known": {5 * time.Hour, Radius{Others: 2, Strangers: 1}, "within 6h9m others were seen to use it from 2 networks, too little watched to tell its consumers, last about"},
		"they are known":  {4 * oneDay, Radius{Watched: true, Consumers: 2, Shared: 1, Others: 1}, "from 1 network of its consumers and 1 network that may be anybody's, last about"},
		"for a fortnight": {14 * oneDay, Radius{Watched: true, Consumers: 2, Shared: 1, Others: 1}, "; the finding came from 1 network of its consumers"},
	} {
		hours := int(c.watched / time.Hour)
		log := inOrder(
			each(hours, 0, time.Hour, func(_ int, at time.Duration) Entry { return using(oldKey, homeIP, homeAgent, at) }),
			each(hours, 5*time.Minute, time.Hour, func(_ int, at time.Duration) Entry { return using(oldKey, "192.0.2.77", homeAgent, at) }),
			usingFrom(oldKey, "203.0.113.9", homeAgent, c.watched, 2),
			each(20, c.watched+time.Hour, 3*time.Minute, probe))
		f := toldOf(t, PermissionProbing, l, log)
		got := f.Radius
		got.Since, got.Used = time.Time{}, time.Time{}
		if !reflect.DeepEqual(got, c.want) || !strings.Contains(f.BlastRadius(), c.says) {
			t.Errorf("%s: %+v, want %+v: %s", name, got, c.want, f.BlastRadius())
		}
	}
}

func TestBlastRadiusInWords(t *testing.T) {
	full := Radius{Since: start, Watched: true, Consumers: 64, Shared: 12, Others: 51, Strangers: 50, Used: start, Read: start, Readers: 1000}
	for state := range effects {
		f := Finding{Key: "k", LastSeen: start.Add(6*oneDay + 59*time.Minute + 59*time.Second), Standing: Standing{State: state}, Radius: full}
		if text := f.BlastRadius(); text == "" || len(text) > 480 || strings.Contains(text, "0001-") {
			t.Errorf("%q, %d bytes: %s", state, len(text), text)
		}
	}
	for name, f := range map[string]Finding{"no key": {Standing: Standing{State: "current"}}, "a state that there is not": {Key: "k", Standing: Standing{State: "\x1b[2J"}}} {
		if got := f.BlastRadius(); got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
	text, err := json.Marshal(Finding{})
	if err != nil || strings.Contains(string(text), "blast_radius") || strings.Contains(string(text), "standing") {
		t.Errorf("a finding about no key is %s, %v", text, err)
	}
}
