package rotation

import (
	"slices"
	"testing"
	"time"
)

// A turn that died may have staged the private half of a key that exists: what
// the journal does not know of stays, until the key coming in has its own.
func TestNothingIsUnstagedThatMayBeNeeded(t *testing.T) {
	j := holding(key("k1", "1", Active, 72*time.Hour))
	j.Staging, j.Unstage = "2", unrecorded
	for _, tt := range []struct {
		in   *Key
		want bool
	}{
		{nil, true},
		{&Key{Phase: Intended, Since: t0, Mode: Upload, Tried: t0}, false},
		{&Key{Phase: Intended, Since: t0, Mode: Create, Tried: t0}, false},
		{&Key{Phase: Staged, Since: t0, Mode: Upload, Staged: "3"}, true},
		{&Key{Phase: Intended, Since: t0}, true}, // an API key has no private half
	} {
		j.Incoming = tt.in
		steps := Decide(t0, policy, j, Observed{Aliases: j.Aliases()}, Intent{})
		got := slices.ContainsFunc(steps, func(s Step) bool { return s.Action == Unstage })
		if got != tt.want {
			t.Errorf("with %+v coming in: unstage %v", tt.in, got)
		}
	}
	j.Incoming, j.Unstage = &Key{Phase: Intended, Since: t0, Mode: Upload, Tried: t0}, "1,"+unrecorded
	if left := j.Record(t0, Step{Action: Unstage}, Outcome{}).Left(); !slices.Equal(left, []string{unrecorded}) {
		t.Errorf("left when the known version is destroyed: %q", left)
	}
}
