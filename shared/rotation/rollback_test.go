package rotation

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRollback(t *testing.T) {
	j := retiring(holding(key("k1", "2", Active, time.Hour)), key("k0", "1", Quarantined, time.Hour))
	want := Intent{Rollback: true, After: j.Rotation}
	steps := Decide(t0, policy, j, Observed{Aliases: j.Aliases()}, want)
	if len(steps) != 1 || steps[0].Action != Recall || steps[0].Key.ID != "k0" {
		t.Fatalf("steps %+v, want to recall k0", steps)
	}
	j = j.Record(t0, steps[0], Outcome{})
	if in := j.Incoming; in == nil || in.ID != "k0" || !in.Back || in.Phase != Published || len(j.Retiring) != 0 || j.Current.ID != "k1" {
		t.Fatalf("recalled: %+v", j)
	}
	mustRoundTrip(t, j)
	for _, s := range Decide(t0, policy, j, Observed{Aliases: j.Aliases()}, want) {
		if s.Action == Recall || s.Action == Discard {
			t.Errorf("the same rollback delivered again does %s", s.Action)
		}
	}
	j = j.Record(t0, Step{Action: Verify, Key: *j.Incoming}, Outcome{})
	j = j.Record(t0, Step{Action: Promote, Key: *j.Incoming}, Outcome{Version: "3", Unstaged: true})
	mustRoundTrip(t, j)
	if j.Current.ID != "k0" || !slices.Equal(j.Current.Versions(), []string{"1", "3"}) || j.Retiring[0].ID != "k1" || j.Retiring[0].Phase != Overlapping {
		t.Errorf("after the rollback: current %+v, retiring %+v", j.Current, j.Retiring)
	}
	if diff := cmp.Diff(map[string]string{"current": "3", "previous": "2"}, j.Aliases()); diff != "" {
		t.Errorf("aliases (-want +got):\n%s", diff)
	}
}

func TestRollbackMakesWayFirst(t *testing.T) {
	in := Key{ID: "k2", Phase: Published, Since: t0, Mode: Upload, Staged: "7"}
	j := incoming(retiring(holding(key("k1", "2", Active, time.Hour)), key("k0", "1", Overlapping, time.Hour)), in)
	steps := Decide(t0, policy, j, Observed{Aliases: j.Aliases()}, Intent{Rollback: true, After: 1})
	if len(steps) != 1 || steps[0].Action != Discard || steps[0].Key.ID != "k2" {
		t.Fatalf("steps %+v, want to discard k2", steps)
	}
	j = j.Record(t0, steps[0], Outcome{})
	if j.Unstage != "7" {
		t.Errorf("the staging copy of the discarded key is forgotten: %+v", j)
	}
	j = j.Record(t0, Step{Action: Recall, Key: j.Retiring[0]}, Outcome{})
	if steps := Decide(t0, policy, j, Observed{Aliases: j.Aliases()}, Intent{}); len(steps) == 0 || steps[0].Action != Verify {
		t.Errorf("a key on its way back waits for the back-off of a discarded one: %+v", steps)
	}
}

func TestPrevious(t *testing.T) {
	k0, k1 := key("k0", "1", Quarantined, time.Hour), key("k1", "2", Overlapping, time.Hour)
	deleted := Key{ID: "projects/p/locations/global/keys/d", Phase: Deleted, Since: t0.Add(-28 * day)}
	forgotten := deleted
	forgotten.Since = t0.Add(-30 * day)
	for name, tt := range map[string]struct {
		j    Journal
		want string
	}{
		"the newest":                {retiring(Journal{}, k0, k1), "k1"},
		"never a revoked one":       {retiring(Journal{}, k0, revoked(k1)), "k0"},
		"none":                      {Journal{}, ""},
		"an API key deleted lately": {Journal{Deleted: &deleted}, deleted.ID},
		"deleted long ago":          {Journal{Deleted: &forgotten}, ""},
	} {
		got, ok := tt.j.Previous(t0)
		if got.ID != tt.want || ok != (tt.want != "") {
			t.Errorf("%s: %q, want %q", name, got.ID, tt.want)
		}
	}
}

func TestDeletedAPIKeyCanBeRecalled(t *testing.T) {
	name := "projects/p/locations/global/keys/old"
	j := retiring(holding(key("projects/p/locations/global/keys/new", "2", Active, 0)), key(name, "1", Quarantined, day))
	j = j.Record(t0, Step{Action: Delete, Key: j.Retiring[0]}, Outcome{})
	if j.Deleted == nil || j.Deleted.ID != name || j.Deleted.Version != "" || len(j.Retiring) != 0 {
		t.Fatalf("after the deletion: %+v", j)
	}
	mustRoundTrip(t, j)
	steps := Decide(t0, policy, j, Observed{Aliases: j.Aliases()}, Intent{Rollback: true, After: 1})
	j = j.Record(t0, steps[0], Outcome{})
	if j.Deleted != nil || j.Incoming == nil || j.Incoming.ID != name || !j.Incoming.Back {
		t.Errorf("after the recall: %+v", j)
	}
}

func TestRecalledKeyThatDoesNotWorkGoesBack(t *testing.T) {
	j := incoming(holding(key("k1", "2", Active, time.Hour)), Key{ID: "k0", Version: "1", Phase: Published, Since: t0.Add(-time.Hour), Back: true})
	steps := Decide(t0, policy, j, Observed{Aliases: j.Aliases()}, Intent{})
	if len(steps) != 1 || steps[0].Otherwise != Discard {
		t.Fatalf("steps %+v", steps)
	}
	j = j.Record(t0, Step{Action: Discard, Key: *j.Incoming}, Outcome{})
	if j.Incoming != nil || len(j.Retiring) != 1 || j.Retiring[0].Phase != Overlapping || j.Retiring[0].Back || j.Failure != nil {
		t.Errorf("after giving up: %+v", j)
	}
}

func TestKillTokens(t *testing.T) {
	j := holding(key("k1", "1", Active, time.Hour))
	j.Staging = "1"
	j, done := life(t, t0, j, Intent{Revoke: "k1", KillTokens: true})
	want := []Action{Hasten, Begin, Stage, Publish, Verify, Promote, Unstage, Disable, Suspend}
	if diff := cmp.Diff(want, done); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if !j.Suspended() || !j.Suspend.Until.Equal(t0.Add(time.Hour)) {
		t.Fatalf("suspended: %+v", j.Suspend)
	}
	if steps := Decide(t0.Add(59*time.Minute), policy, j, Observed{}, Intent{Rotate: true, After: 2}); len(steps) != 0 {
		t.Errorf("steps while nothing can authenticate: %+v", steps)
	}
	j, done = life(t, t0.Add(time.Hour), j, Intent{})
	if diff := cmp.Diff([]Action{Reinstate}, done); diff != "" || j.Suspend != nil {
		t.Errorf("when the tokens have died (-want +got):\n%s", diff)
	}
	for _, s := range Decide(t0.Add(2*time.Hour), policy, j, Observed{Aliases: j.Aliases()}, Intent{Revoke: "k1", KillTokens: true}) {
		if s.Action == Hasten || s.Action == Suspend {
			t.Errorf("the same request, delivered late: %+v", s)
		}
	}
}

func TestAccountThatSomebodyElseDisabledIsTheirs(t *testing.T) {
	j := holding(key("k1", "1", Active, time.Hour))
	j.Suspend = &Suspension{}
	if left := j.Record(t0, Step{Action: Suspend}, Outcome{Foreign: true}); left.Suspend != nil {
		t.Errorf("keyturn is going to enable it: %+v", left.Suspend)
	}
	if tried := j.TrySuspend(); !tried.Suspend.Tried || tried.Suspended() || j.Suspend.Tried {
		t.Errorf("when keyturn is about to disable it: %+v, before %+v", tried.Suspend, j.Suspend)
	}
}

func TestFallBack(t *testing.T) {
	j := incoming(holding(key("k1", "1", Active, 72*time.Hour)), Key{Phase: Staged, Since: t0, Mode: Upload, Staged: "3", Tried: t0})
	j.Rotation = 2
	j = j.Record(t0, Step{Action: FallBack, Key: *j.Incoming}, Outcome{Denied: "constraints/iam.disableServiceAccountKeyUpload"})
	in := j.Incoming
	if in.Mode != Create || in.Phase != Intended || in.Denied == "" || in.Staged != "" || j.Unstage != "3" || !in.Tried.Equal(t0) {
		t.Errorf("after falling back: %+v, unstage %q", in, j.Unstage)
	}
	mustRoundTrip(t, j)
}

func TestKeyThatExpiresIsReplacedInTime(t *testing.T) {
	k := key("k1", "1", Active, time.Hour)
	for _, tt := range []struct {
		expires time.Duration // from t0
		want    time.Duration
	}{
		{1000 * time.Hour, 71 * time.Hour},            // long after the period
		{48 * time.Hour, 48*time.Hour - 30*time.Hour}, // before it: overlap and quarantine earlier
		{time.Hour, 0}, // too short for both: an hour after it was given
	} {
		k.Expires = t0.Add(tt.expires)
		if got := NextDue(policy, holding(k)); !got.Equal(t0.Add(tt.want)) {
			t.Errorf("expires in %v: due in %v, want %v", tt.expires, got.Sub(t0), tt.want)
		}
	}
}

// TestVerifiedKeyMayHaveBeenGiven gives up a key that a turn which died may have
// added to the secret: its consumers get their overlap.
func TestVerifiedKeyMayHaveBeenGiven(t *testing.T) {
	in := Key{ID: "k2", Phase: Verified, Since: t0, Mode: Upload, Staged: "7"}
	j := incoming(retiring(holding(key("k1", "2", Active, time.Hour)), key("k0", "1", Overlapping, time.Hour)), in)
	j = j.Record(t0, Step{Action: Discard, Key: in, Reason: "its private half is lost"}, Outcome{})
	mustRoundTrip(t, j)
	if k := j.Retiring[1]; j.Incoming != nil || k.ID != "k2" || k.Phase != Overlapping || k.Staged != "" || j.Unstage != "7" {
		t.Errorf("after giving up: %+v", j)
	}
	if got := j.Aliases()[AliasPrevious]; got != "1" {
		t.Errorf("previous is %q, want the newest version that is known", got)
	}
	if k, _ := j.Previous(t0); k.ID != "k0" {
		t.Errorf("a rollback brings back %s", k.ID)
	}
}

// TestLostStagingCopiesAreDestroyed finds copies by the gap that they leave
// between the numbers that are known.
func TestLostStagingCopiesAreDestroyed(t *testing.T) {
	j := incoming(holding(key("k1", "1", Active, 72*time.Hour)), Key{Phase: Intended, Since: t0, Mode: Create})
	j.Staging, j.Unstage = "4", "2"
	j = j.Record(t0, Step{Action: Publish, Key: *j.Incoming}, Outcome{ID: "k2", Staged: "7"})
	if got := j.Left(); !slices.Equal(got, []string{"2", "5", "6"}) || j.Staging != "7" {
		t.Errorf("to be destroyed: %v; newest %s", got, j.Staging)
	}
}
