package rotation

import (
	"testing"
	"time"
)

// TestLostAccountStopsEverything but the wish to revoke, until it is regained.
func TestLostAccountStopsEverything(t *testing.T) {
	j := retiring(holding(key("k1", "1", Active, 80*time.Hour)), key("k0", "0", Overlapping, 80*time.Hour))
	j.Failure = &Failure{Step: Publish, Count: 3, At: t0}
	lost := j.Lost(t0)
	if again := lost.Lost(t0.Add(time.Hour)); !again.Gone.Equal(t0) || !again.IsLost() {
		t.Errorf("lost twice, it is lost since %v", again.Gone)
	}
	if got := Decide(t0, watching, lost, Observed{}, Intent{}); len(got) > 0 {
		t.Errorf("decided %+v", got)
	}
	if got := Decide(t0, watching, lost, Observed{}, Intent{Revoke: "k1"}); len(got) != 1 || got[0].Action != Hasten {
		t.Errorf("to revoke, decided %+v", got)
	}
	if got := Concerns(t0, watching, lost); len(got) > 0 {
		t.Errorf("concerns %+v", got)
	}
	if at, what := Next(t0, watching, lost); !at.IsZero() || what == "" {
		t.Errorf("next is %q at %v", what, at)
	}
	text, err := lost.Encode()
	if back, parseErr := ParseJournal(text); err != nil || parseErr != nil || !back.Gone.Equal(t0) {
		t.Errorf("%s is read as %+v, %v, %v", text, back, err, parseErr)
	}
	back := lost.Regained()
	if back.IsLost() || back.Failure != nil || len(Decide(t0, watching, back, Observed{}, Intent{})) == 0 {
		t.Errorf("regained, it is %+v", back)
	}
	if same := j.Regained(); same.Failure == nil {
		t.Error("what was not lost has forgotten its failure")
	}
}

// TestRevokedKeyThatIsEnabledAgain is disabled at once; no other key is.
func TestRevokedKeyThatIsEnabledAgain(t *testing.T) {
	revoked, fresh := key("k0", "0", Quarantined, time.Hour), key("k3", "3", Quarantined, 0)
	revoked.Revoked, fresh.Revoked = true, true
	j := retiring(holding(key("k1", "1", Active, time.Hour)), revoked, fresh, key("k2", "2", Quarantined, time.Hour))
	if keys := j.Revocable(t0, watching); len(keys) != 1 || keys[0].ID != "k0" {
		t.Errorf("to be looked at are %+v", keys)
	}
	for _, id := range []string{"k1", "k2", "none"} {
		if j.Revived(t0, id).retiringDoomed() {
			t.Errorf("%s is taken for a revoked one", id)
		}
	}
	alive := j.Revived(t0, "k0")
	if !alive.Retiring[0].Doomed() || j.Retiring[0].Doomed() {
		t.Errorf("revived is %+v, before %+v", alive.Retiring[0], j.Retiring[0])
	}
	got := Decide(t0, watching, alive, Observed{Aliases: alive.Aliases()}, Intent{})
	if len(got) == 0 || got[0].Action != Disable || got[0].Key.ID != "k0" {
		t.Errorf("decided %+v", got)
	}
}

func (j Journal) retiringDoomed() bool {
	for _, k := range j.Retiring {
		if k.Doomed() {
			return true
		}
	}
	return false
}
