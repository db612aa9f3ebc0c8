package abuse

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/keyturn/internal/raced"
	"example.com/keyturn/shared/detect"
)

// sample is world 1 and some of what happens in it.
var sample = sync.OnceValue(func() (s struct {
	*World
	some     []*Event   // all entries of episodes, and one in 200 of everyday work
	episodes [][]*Event // own entries, by episode, in order of time, once each
}) {
	s.World = NewWorld(1)
	s.episodes = make([][]*Event, len(s.Episodes))
	n := 0
	for e := range s.Events() {
		if n++; e.Episode != 0 || n%200 == 0 {
			s.some = append(s.some, e)
		}
		if e.Episode != 0 && !e.Again {
			s.episodes[e.Episode] = append(s.episodes[e.Episode], e)
		}
	}
	for _, events := range s.episodes {
		slices.SortStableFunc(events, func(a, b *Event) int { return a.Entry.Time.Compare(b.Entry.Time) })
	}
	return s
})

// digest tells worlds apart by all that the episodes do, and by the ids, which are
// drawn last, of the first days' everyday work.
func digest(w *World) string {
	h := fnv.New128a()
	for _, events := range w.scripted {
		for _, e := range events {
			fmt.Fprintln(h, e.Arrival, e.Episode, e.Again, e.Entry)
		}
	}
	for e := range w.Events() {
		if e.Arrival.Sub(Start) > 3*day {
			break
		}
		fmt.Fprintln(h, e.Arrival.UnixNano(), e.Entry.InsertID, e.Entry.Principal, e.Entry.Method)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func TestTheSameSeedMakesTheSameWorld(t *testing.T) {
	raced.SkipPure(t)
	first := digest(NewWorld(3))
	if again := digest(NewWorld(3)); again != first {
		t.Error("seed 3 made two different worlds")
	}
	if other := digest(NewWorld(4)); other == first {
		t.Error("seeds 3 and 4 made the same world")
	}
}

func TestWorldIsOfTheSizeThatIsPromised(t *testing.T) {
	raced.SkipPure(t)
	s := sample()
	if n := len(s.Principals); n < 200 {
		t.Errorf("%d principals, want 200 and more", n)
	}
	var n, again, disordered int
	var last *Event
	seen := make(map[string]bool)
	for e := range s.Events() {
		n++
		id := e.Entry.InsertID
		switch lag := e.Arrival.Sub(e.Entry.Time); {
		case last == nil && e.Arrival.Sub(Start) > time.Hour:
			t.Errorf("the first entry arrives at %v", e.Arrival)
		case last != nil && e.Arrival.Before(last.Arrival):
			t.Fatalf("entry %d arrives before the one before it", n)
		case lag <= 0 || lag > 130*time.Minute:
			t.Fatalf("entry %d arrives %v after its time", n, lag)
		case !e.Again && seen[id]:
			t.Fatalf("two entries have the insertId %q", id)
		}
		if last != nil && e.Entry.Time.Before(last.Entry.Time) {
			disordered++
		}
		if e.Again {
			again++
		}
		last, seen[id] = e, true
	}
	if last.Arrival.Sub(Start) < (Days-1)*day {
		t.Errorf("the last entry arrives at %v, want %d days from %v on", last.Arrival, Days, Start)
	}
	if share := float64(again) / float64(n); share < 0.001 || share > 0.02 || disordered == 0 {
		t.Errorf("%.4f of the entries come twice, %d out of order", share, disordered)
	}
}

// People work by day and on weekdays, controllers always.
func TestWorkIsDiurnal(t *testing.T) {
	s := sample()
	count := make(map[Role][4]int) // calls by day and by night, on weekdays and at weekends
	roles := make(map[string]Role)
	for _, p := range s.Principals {
		roles[p.Email] = p.Role
	}
	for e := range s.Events() {
		role, known := roles[e.Entry.Principal]
		if e.Episode != 0 || !known {
			continue
		}
		weekday := e.Entry.Time.Weekday()
		n := count[role]
		n[index(e.Entry.Time.Hour() < 4)]++
		n[2+index(weekday == time.Saturday || weekday == time.Sunday)]++
		count[role] = n
	}
	people, controllers := count[Person], count[Controller]
	if day, night := people[0]/20, people[1]/4; day < 2*night {
		t.Errorf("people make %d calls an hour from 4 on and %d before", day, night)
	}
	if week, end := people[2]/5, people[3]/2; week < 4*end {
		t.Errorf("people make %d calls a weekday and %d at weekends", week, end)
	}
	if week, end := controllers[2]/5, controllers[3]/2; week > end*11/10 || end > week*11/10 {
		t.Errorf("controllers make %d calls a weekday and %d at weekends", week, end)
	}
}

// index is 1 for true.
func index(is bool) int {
	if is {
		return 1
	}
	return 0
}

// A consumer reads the version of a key before it uses the key.
func TestConsumersReadAKeyBeforeTheyUseIt(t *testing.T) {
	s := sample()
	for _, c := range s.Credentials {
		for day := range Days * 24 {
			at := Start.Add(time.Duration(day) * time.Hour)
			key, _ := c.inUse(at)
			if read := c.lastRead(at); key.Promoted.After(read) {
				t.Fatalf("%s: at %v the consumer uses the key of %v, and it read last at %v", c.Secret, at, key.Promoted, read)
			}
		}
	}
}

func TestLedgerFollowsTheKeys(t *testing.T) {
	s := sample()
	c := s.Credentials[0]
	i := slices.IndexFunc(c.Keys, func(k Key) bool { return !k.Superseded.IsZero() })
	k := c.Keys[i]
	for _, tt := range []struct {
		at   time.Time
		want string
	}{
		{k.made().Add(-time.Second), ""}, {k.made(), "published"}, {k.Promoted, "active"}, {k.Superseded, "overlapping"}, {k.Disabled, "quarantined"}, {k.Deleted, "deleted"},
	} {
		ledger := s.Ledger(tt.at)
		got := ""
		for _, known := range ledger.Keys {
			if known.ID == k.ID {
				got = known.State
			}
		}
		if slices.ContainsFunc(ledger.Retired, func(r detect.RetiredKey) bool { return r.ID == k.ID && r.Deleted.Equal(k.Deleted) }) {
			got = "deleted"
		}
		if got != tt.want {
			t.Errorf("at %v the ledger has the key %q, want %q", tt.at, got, tt.want)
		}
		if want := len(s.Credentials) + len(s.APIKeys); !ledger.At.Equal(tt.at) || len(ledger.Secrets) != want || want < 64 || len(ledger.Rotators) != 1 || !strings.Contains(ledger.Secrets[0].Target, c.Consumer.Email) {
			t.Errorf("ledger of %d secrets, rotators %q, the first for %q", len(ledger.Secrets), ledger.Rotators, ledger.Secrets[0].Target)
		}
	}
}

// place24 is the /24 of an address, or the address itself where it is none.
func place24(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	prefix, _ := addr.Prefix(24)
	return prefix.String()
}
