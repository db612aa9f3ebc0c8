package rotate

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
)

// TestDryRunChangesNothing at the wire, whatever the command, and says what is done
// when the same command is carried out.
func TestDryRunChangesNothing(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"upload", "create", "api-key"} {
		e, calls := newCounted(t)
		secret, _ := e.credential(kind)
		e.replace(secret)
		s := e.standing(secret)
		for _, c := range []event.Command{
			{Verb: event.Sweep}, {Verb: event.Inspect}, {Verb: event.Inspect, Secret: secret}, {Verb: event.Continue, Secret: secret},
			{Verb: event.Status, Secret: secret}, {Verb: event.Plan}, {Verb: event.Plan, Secret: secret},
			{Verb: event.Resume, Secret: secret}, {Verb: event.Release, Secret: secret}, {Verb: event.Release, Secret: secret, Leave: true, ID: "1"},
			pauseOf(secret),
			{Verb: event.Rollback, Secret: secret, By: "ada", ID: "2"},
			{Verb: event.Revoke, Secret: secret, Key: s.Retiring[0].ID, KillTokens: kind != "api-key"},
			{Verb: event.Revoke, Secret: secret, Key: s.Current.ID, By: "ada", ID: "3"},
			{Verb: event.Rotate, Secret: secret, By: "ada", ID: "4"},
		} {
			before := e.journal(secret)
			calls.take()
			c.DryRun = true
			dry, dryErr := e.f.Do(e.ctx, c)
			made := calls.take()
			if changed := changes(made); len(changed) > 0 || len(made) == 0 {
				t.Errorf("%s, dry run of %s: calls %v, of which %v change something", kind, c.Verb, made, changed)
			}
			if e.journal(secret) != before {
				t.Errorf("%s: a dry run of %s writes the journal", kind, c.Verb)
			}
			if dryErr == nil && !dry.DryRun {
				t.Errorf("%s: the answer to %s does not say that it was a dry run", kind, c.Verb)
			}
		}
		calls.take()
		rotate := event.Command{Verb: event.Rotate, Secret: secret, DryRun: true}
		dry := e.do(rotate)
		if len(dry.Turns) < 2 || len(dry.Turns[0].Steps) != len(dry.Steps) || len(dry.Turns[0].Calls) == 0 || dry.Reach != nil {
			t.Errorf("%s: a dry run tells the turns %+v", kind, dry.Turns)
		}
		rotate.DryRun = false
		done := e.do(rotate)
		if want, got := stepsOf(done, "done"), stepsOf(dry, "planned"); !slices.Equal(got, want) || len(want) < 2 {
			t.Errorf("%s: a dry run says %q, and done is %q", kind, got, want)
		}
		if len(changes(calls.take())) == 0 {
			t.Error("what changes something is not counted")
		}
		e.clock.Advance(time.Hour)
		for range 4 { // until all is done, by what is left according to the answer
			left := done.Left
			if len(left) == 0 {
				break
			}
			if wait := left[0].At.Sub(e.clock.Now()); wait > 0 {
				e.clock.Advance(wait)
			}
			dry := e.do(event.Command{Verb: event.Continue, Secret: secret, DryRun: true})
			done = e.proceed(secret)
			if want, got := stepsOf(done, "done"), stepsOf(dry, "planned"); !slices.Equal(got, want) {
				t.Errorf("%s: a dry run says %q, and done is %q", kind, got, want)
			}
		}
	}
}

// stepsOf are the steps of a report with a result.
func stepsOf(r Report, result string) []string {
	var all []string
	for _, s := range r.Steps {
		if s.Result == result {
			all = append(all, fmt.Sprint(s.Step))
		}
	}
	return all
}

// TestDryRunRefusesWhatIsRefused, with the same words.
func TestDryRunRefusesWhatIsRefused(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, _ := e.account("dry", rotation.Upload)
	for _, c := range []event.Command{
		{Verb: event.Rollback, Secret: secret}, {Verb: event.Revoke, Secret: secret, Key: "nosuch"}, {Verb: event.Resume, Secret: secret},
		{Verb: event.Rotate, Secret: "projects/acme/secrets/nowhere"},
	} {
		_, err := e.f.Do(e.ctx, c)
		c.DryRun = true
		_, dry := e.f.Do(e.ctx, c)
		if err == nil || dry == nil || err.Error() != dry.Error() {
			t.Errorf("%s: %v, and in a dry run %v", c.Verb, err, dry)
		}
	}
}
