package rotation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"example.com/keyturn/internal/raced"
)

// largest is what a step of a credential with the longest names brings to light.
// Nobody ever learns whether an old key is used, so that none goes.
func largest(n int, kind Kind, now time.Time) Outcome {
	o := Outcome{
		ID:      fmt.Sprintf("%040d", n),
		Version: fmt.Sprint(900000 + n), Mode: Upload,
		Denied:  "constraints/iam.managed.disableServiceAccountKeyUpload",
		Expires: now.Add(time.Hour), Evidence: evidence(now, Unknown, "%s", strings.Repeat(`<"&\`, 200)),
	}
	o.Evidence.Handed = true
	if kind == APIKey {
		o.Mode, o.Expires = "", time.Time{}
		o.ID = fmt.Sprintf("projects/a-project-of-thirty-characters/locations/global/keys/%063d", n)
	}
	return o
}

// crowd is a credential whose old keys are never let go.
type crowd struct {
	*testing.T
	now  time.Time
	j    Journal
	kind Kind
	n    int // of steps

	staged int // versions of the staging secret
}

// turn takes all steps that are due once; the journal can be written after each.
func (l *crowd) turn(want Intent) {
	l.Helper()
	l.now = l.now.Add(time.Hour + time.Nanosecond) // more than any back-off
	j, _ := l.j.Claim(strings.Repeat("H", 26), l.now, time.Minute)
	for _, s := range Decide(l.now, watching, j, Observed{Aliases: j.Aliases()}, want) {
		l.n++
		if s.Action == Unstage {
			continue // refused
		}
		o := largest(l.n, l.kind, l.now)
		if o.Staged = s.Key.Staged; s.Action == Stage || s.Action == Publish && s.Key.Mode == Create {
			l.staged++
			o.Staged = fmt.Sprint(l.staged)
		}
		if s.Action == Publish && s.Key.Mode == Upload && l.n%2 == 0 {
			s.Action = FallBack
		}
		j = j.Record(l.now, s, o)
		for _, k := range j.Keys() {
			j = j.Test(l.now, k.ID, 2)
		}
		if s.Action != Promote && s.Action != Discard {
			j = j.Fail(l.now, s, strings.Repeat(`\`, 400))
		}
		l.write(j)
	}
	l.j = j.Released()
}

func (l *crowd) write(j Journal) {
	l.Helper()
	quotes := strings.Repeat(`"`, 256)
	for n := range maxRequests {
		j = j.WithRequest(Request{ID: fmt.Sprintf("%d%s", n, quotes[:127]), Verb: "rollback", By: quotes[:128], Why: quotes, At: l.now, Rotation: l.n, Did: slices.Repeat([]string{"reinstate waiting"}, 20)})
	}
	j = j.WithPause(Pause{By: quotes[:128], Why: quotes, At: l.now, Until: l.now})
	text, err := j.Encode()
	if err != nil {
		l.Fatalf("rotation %d with %d old keys: %v", j.Rotation, len(j.Retiring), err)
	}
	back, err := ParseJournal(text)
	if err != nil {
		l.Fatal(err)
	}
	if _, ok := back.Asked(j.Requests[maxRequests-1].ID); !ok {
		l.Error("the latest request is not remembered")
	}
}

// replaced reports whether the key in use gets replaced.
func (l *crowd) replaced(want Intent) bool {
	l.Helper()
	was := l.j.Current
	for range 12 {
		l.turn(want)
		want = Intent{}
	}
	return l.j.Current != nil && (was == nil || l.j.Current.ID != was.ID)
}

// TestRevocationHasRoom fills the journal until no rotation is begun any more: a
// key in use that leaks is replaced all the same.
func TestRevocationHasRoom(t *testing.T) {
	raced.SkipPure(t)
	for _, kind := range []Kind{ServiceAccountKey, APIKey} {
		t.Run(string(kind), func(t *testing.T) {
			l := &crowd{T: t, now: t0, kind: kind}
			for l.replaced(Intent{}) {
				l.now = l.now.Add(72 * time.Hour)
			}
			if held := len(l.j.Retiring); held != maxRetiring || l.j.Crowded() == "" {
				t.Fatalf("%d old keys are held when rotations stop, crowded %q; want %d", held, l.j.Crowded(), maxRetiring)
			}
			if l.replaced(Intent{Rotate: true, After: l.j.Rotation}) {
				t.Error("a rotation was begun that a person asked for")
			}
			for n := range reserve {
				if !l.replaced(Intent{Revoke: l.j.Current.ID}) {
					t.Fatalf("leaked key %d is not replaced", n+1)
				}
			}
		})
	}
}

// TestJournalHasRoom has a credential live through anything that can be asked for.
func TestJournalHasRoom(t *testing.T) {
	raced.SkipPure(t)
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 4))
		l := &crowd{T: t, now: t0, kind: []Kind{ServiceAccountKey, APIKey}[seed%2]}
		for range 250 {
			want := Intent{After: l.j.Rotation}
			switch keys := l.j.Keys(); r.IntN(12) {
			case 0:
				want.Rotate = true
			case 1, 2:
				want.Rollback = true
			case 3:
				if len(keys) > 0 {
					want.Revoke, want.KillTokens = keys[r.IntN(len(keys))].ID, r.IntN(4) == 0
				}
			case 4:
				l.now = l.now.Add(73 * time.Hour)
			}
			l.turn(want)
		}
	}
}

func TestLeanJournal(t *testing.T) {
	l := &crowd{T: t, now: t0, kind: APIKey}
	for l.replaced(Intent{}) {
		l.now = l.now.Add(72 * time.Hour)
	}
	for i := range l.j.Retiring {
		l.j.Retiring[i].test(t0, maxTests)
	}
	deleted := key("k0", "", Deleted, time.Hour)
	deleted.test(t0, maxTests)
	l.j.Deleted = &deleted
	l.j.Failure = &Failure{Step: Begin, Reason: strings.Repeat("r", maxReason), Count: 1, At: t0}
	text, err := l.j.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseJournal(text)
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range got.Retiring {
		was := l.j.Retiring[i]
		if k.Evidence == nil || k.Evidence.Use != was.Evidence.Use || !k.Evidence.At.Equal(was.Evidence.At) || !k.Evidence.Handed {
			t.Errorf("evidence %+v, was %+v", k.Evidence, was.Evidence)
		}
		if k.Evidence.Reason != "" || was.Evidence.Reason == "" || k.Tests != nil || was.Tests == nil {
			t.Errorf("key %d: reason %q and %d tests, were %q and %d", i, k.Evidence.Reason, len(k.Tests), was.Evidence.Reason, len(was.Tests))
		}
	}
	if got.Deleted.Tests != nil {
		t.Errorf("tests of the deleted key: %v", got.Deleted.Tests)
	}
	if len(got.Failure.Reason) > briefReason || len(got.Current.Tests) != len(l.j.Current.Tests) {
		t.Errorf("failure %+v, tests %v", got.Failure, got.Current.Tests)
	}
}

func TestCrowded(t *testing.T) {
	var left Journal
	for n := range 100 {
		left.leave(fmt.Sprint(n))
	}
	left.Current = &Key{Since: t0.Add(-time.Minute)}
	many := holding(key("k1", "1", Active, time.Hour))
	for n := range maxRetiring {
		many.Retiring = append(many.Retiring, key(fmt.Sprint("k", n+2), "1", Overlapping, 0))
	}
	for want, j := range map[string]Journal{
		"":                         retiring(many, many.Retiring[1:]...),
		"10 superseded keys":       many,
		"100 versions of the stag": left,
	} {
		if got := j.Crowded(); !strings.HasPrefix(got, want) || (got == "") != (want == "") {
			t.Errorf("%q, want %q", got, want)
		}
		blocked := 0
		for _, c := range Concerns(t0, watching, j) {
			if c.Kind == RotationBlocked && strings.Contains(c.Reason, j.Crowded()) {
				blocked++
			}
		}
		if (blocked == 1) != (want != "") {
			t.Errorf("%q: told %d times", want, blocked)
		}
		if _, then := Next(t0, watching, j); want != "" && then == "the next rotation is due" {
			t.Errorf("%s: next, %s", want, then)
		}
	}
}

// FuzzClip holds a reason to its bytes in the journal.
func FuzzClip(f *testing.F) {
	for _, s := range []string{"", "short", strings.Repeat("<a&b>", 100), strings.Repeat("\x00", 99), strings.Repeat("\u2028€", 99), "\xff" + strings.Repeat(`"`, 150) + "\xc3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := shorten(s)
		room := func(s string) int {
			text, err := inJSON(s)
			if err != nil {
				t.Fatal(err)
			}
			return len(text) - len(`""`)
		}
		if room(got) > maxReason || !utf8.ValidString(got) {
			t.Errorf("%d bytes: %q", room(got), got)
		}
		if valid := strings.ToValidUTF8(s, "\uFFFD"); room(valid) <= maxReason && got != valid {
			t.Errorf("%q became %q although there was room", s, got)
		}
	})
}
