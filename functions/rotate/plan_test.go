package rotate

import (
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp/iam"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
)

// TestPlanComesTrue lives through a whole rotation: at the times that the plan says,
// the steps are those that it says, and the calls, too. Of calls that only read it may
// foretell too many, never too few.
func TestPlanComesTrue(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"upload", "create", "api-key"} {
		for name, p := range map[string]rotation.Policy{"by the clock": policy, "by evidence": watched} {
			t.Run(kind+" "+name, func(t *testing.T) {
				e, calls := newCounted(t)
				e.policy = p
				secret, _ := e.credential(kind)
				for range 2 { // the first rotation makes the staging secret
					calls.take()
					plan := e.do(event.Command{Verb: event.Plan, Secret: secret}).Plans[0]
					if changed := changes(calls.take()); len(changed) > 0 {
						t.Fatalf("planning calls %v", changed)
					}
					if len(plan.Turns) < 4 || len(plan.Problems) > 0 || len(plan.Unasked) > 0 {
						t.Fatalf("the plan is %+v", plan)
					}
					e.live(secret, calls, plan.Turns)
				}
			})
		}
	}
}

func (e *env) live(secret string, calls *counter, turns []Turn) {
	e.Helper()
	for _, turn := range turns {
		e.clock.Advance(turn.At.Sub(e.clock.Now()))
		calls.take()
		var want []string
		for _, s := range turn.Steps {
			want = append(want, string(s.Step))
		}
		got := stepsOf(e.proceed(secret), "done")
		if late := e.waitForRecord(secret, &got); late {
			continue // the record of uses was not there yet: the calls are those of two turns
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			e.Fatalf("at %v %q is done, and planned was %q", turn.At, got, want)
		}
		e.compare(turn, calls.take())
	}
}

// waitForRecord goes on until Cloud Monitoring shows that nobody uses a key any more.
func (e *env) waitForRecord(secret string, got *[]string) (late bool) {
	e.Helper()
	for len(*got) == 1 && (*got)[0] == "examine" {
		late = true
		e.clock.Advance(time.Hour)
		*got = stepsOf(e.proceed(secret), "done")
	}
	return late
}

func (e *env) compare(turn Turn, made map[string]int) {
	e.Helper()
	planned := map[string]int{}
	for _, c := range turn.Calls {
		name := c.Method
		if c.API == "token endpoint" {
			name = "POST /token"
		}
		planned[name] += c.Calls
	}
	changing := map[string]bool{}
	for _, name := range changes(made) {
		changing[name] = true
	}
	for name, n := range made {
		if strings.HasPrefix(name, "GET /v2/projects/") { // of a key, over REST
			planned["GetKey"] -= n
			continue
		}
		if planned[name] < n || changing[name] && planned[name] != n {
			e.Errorf("at %v, %v: %s is called %d times, and %d were planned", turn.At, turn.Steps, name, n, planned[name])
		}
	}
	for _, c := range turn.Calls {
		if c.Kind == "write" && made[c.Method] == 0 {
			e.Errorf("at %v, %v: %s is planned and not called", turn.At, turn.Steps, c.Method)
		}
	}
}

// TestPlanSeesWhatIsInTheWay before a rotation meets it.
func TestPlanSeesWhatIsInTheWay(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, account := e.account("blocked", rotation.Upload)
	email := path.Base(account)
	plan := func() Plan { return e.do(event.Command{Verb: event.Plan, Secret: secret}).Plans[0] }
	if p := plan(); p.Room == nil || p.Room.Keys != 1 || p.Room.Short || len(p.Room.Named) > 0 || len(p.Policies) != 2 {
		t.Errorf("nothing is in the way, and the plan is %+v", p)
	}
	e.gcp.IAM.SetOrgPolicy(iam.OrgPolicy{DenyKeyUpload: true})
	if p := plan(); len(p.Problems) != 1 || p.Problems[0].Blocks || !strings.Contains(p.Problems[0].Reason, "Google makes the pair") {
		t.Errorf("where uploads are denied, the problems are %+v", p.Problems)
	}
	e.gcp.IAM.SetOrgPolicy(iam.OrgPolicy{DenyKeyUpload: true, DenyKeyCreation: true})
	if p := plan(); len(p.Problems) != 1 || !p.Problems[0].Blocks || len(p.Policies) != 4 {
		t.Errorf("where both are denied, the problems are %+v of %+v", p.Problems, p.Policies)
	}
	e.gcp.IAM.SetOrgPolicy(iam.OrgPolicy{})
	for range 8 {
		e.newKey(account)
	}
	e.clock.Advance(lag)
	if p := plan(); !p.Room.Short || len(p.Room.Named) != 9 || len(p.Problems) > 0 {
		t.Errorf("with nine keys: %+v, %+v", p.Room, p.Problems)
	}
	e.newKey(account)
	e.clock.Advance(lag)
	p := plan()
	if len(p.Problems) != 1 || !p.Problems[0].Blocks || !strings.Contains(p.Problems[0].Reason, email+" has 10 user-managed keys") {
		t.Errorf("with ten keys: %+v", p.Problems)
	}
	mine := 0
	for _, k := range p.Room.Named {
		if k.Is == "in use" {
			mine++
		}
	}
	if mine != 1 {
		t.Errorf("the keys are %+v", p.Room.Named)
	}
}

// TestPlanWithoutPermissions says what it could not ask for, and is a plan all the same.
func TestPlanWithoutPermissions(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, _ := e.account("blind", rotation.Upload)
	apiKey, _ := e.apiKey("sighted")
	for denied, doubts := range map[string]int{"/TestIamPermissions": 2, "/ListServiceAccountKeys": 1, "/GetEffectivePolicy": 2} {
		lift := e.refuse(codes.PermissionDenied, denied)
		r := e.do(event.Command{Verb: event.Plan})
		lift()
		if len(r.Plans) != 2 || r.Plans[0].Secret != secret || r.Plans[1].Secret != apiKey {
			t.Fatalf("the plans are %+v", r.Plans)
		}
		if got := r.Plans[0].Unasked; len(got) != doubts || !strings.Contains(got[0].Reason, "refused on purpose") || len(r.Plans[0].Turns) != 4 {
			t.Errorf("without %s: %+v in %d turns", denied, got, len(r.Plans[0].Turns))
		}
	}
	lift := e.refuse(codes.PermissionDenied, "/GetSecret")
	if _, err := e.f.Do(e.ctx, event.Command{Verb: event.Plan, Secret: secret}); err == nil {
		t.Error("a secret that cannot be read has a plan")
	}
	lift()
	lift = e.refuse(codes.PermissionDenied, "/ListSecrets")
	if _, err := e.f.Do(e.ctx, event.Command{Verb: event.Plan}); err == nil {
		t.Error("a project that cannot be read has a plan")
	}
	lift()
}

// TestQuotaOfAPlan adds up what the next sweep calls.
func TestQuotaOfAPlan(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.account("one", rotation.Upload)
	secret, _ := e.account("two", rotation.Create)
	e.clock.Advance(99 * time.Hour) // both are due
	r := e.do(event.Command{Verb: event.Plan})
	got := map[string]QuotaUse{}
	for _, u := range r.Quota {
		got[u.API+" "+u.Kind] = u
	}
	if u := got["IAM write"]; u.Calls != 2 || u.PerMinute != 300 || u.Project != project {
		t.Errorf("of IAM's writes: %+v", u)
	}
	if u := got["Secret Manager write"]; u.Calls != 10 || u.PerMinute != 300 {
		t.Errorf("of Secret Manager's writes: %+v", u)
	}
	e.do(pauseOf(secret))
	p := e.do(event.Command{Verb: event.Plan, Secret: secret})
	if len(p.Quota) > 0 || len(p.Plans[0].Turns) > 0 || p.Plans[0].Paused == nil {
		t.Errorf("the plan of a pause is %+v", p)
	}
	e.annotate(secret, rotation.AnnotationJourn, "{half")
	if _, err := e.f.Do(e.ctx, event.Command{Verb: event.Plan, Secret: secret}); err == nil || !strings.Contains(err.Error(), rotation.AnnotationJourn) {
		t.Errorf("what cannot be read has a plan: %v", err)
	}
	if all := e.do(event.Command{Verb: event.Plan}).Plans; len(all) != 2 || !all[1].Problems[0].Blocks {
		t.Errorf("the plans are %+v", all)
	}
}

// TestWhatBlocksANewKeyIsFound while old keys wait, too, and by a dry run: it may have to
// come at once.
func TestWhatBlocksANewKeyIsFound(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, _ := e.account("blocked", rotation.Upload)
	e.replace(secret)
	blocks := func(bars []Bar) bool { return slices.ContainsFunc(bars, func(b Bar) bool { return b.Blocks }) }
	plan := event.Command{Verb: event.Plan, Secret: secret}
	dry := event.Command{Verb: event.Rotate, Secret: secret, DryRun: true}
	if blocks(e.do(plan).Plans[0].Problems) || blocks(e.do(dry).Problems) {
		t.Fatal("it is blocked by nothing")
	}
	e.gcp.IAM.SetOrgPolicy(iam.OrgPolicy{DenyKeyCreation: true, DenyKeyUpload: true})
	if p := e.do(plan).Plans[0]; !blocks(p.Problems) || !strings.Contains(p.Problems[0].Reason, "upload or create") {
		t.Errorf("planned %+v", p)
	}
	urgent := event.Command{Verb: event.Revoke, Secret: secret, Key: e.standing(secret).Current.ID, DryRun: true}
	for _, c := range []event.Command{dry, urgent} {
		if r := e.do(c); !blocks(r.Problems) {
			t.Errorf("%s: %+v", c.Verb, r)
		}
	}
	urgent.Key = e.standing(secret).Retiring[0].ID // takes no new key
	if r := e.do(urgent); len(r.Problems) > 0 {
		t.Errorf("revoking an old key: %+v", r.Problems)
	}
}
