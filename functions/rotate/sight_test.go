package rotate

import (
	"errors"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
)

// deleteAccount returns how to undelete it.
func (e *env) deleteAccount(account string) (undelete func()) {
	e.Helper()
	a, err := e.iam.GetServiceAccount(e.ctx, &adminpb.GetServiceAccountRequest{Name: account})
	must(e.T, err)
	must(e.T, e.iam.DeleteServiceAccount(e.ctx, &adminpb.DeleteServiceAccountRequest{Name: account}))
	return func() {
		e.Helper()
		_, err := e.iam.UndeleteServiceAccount(e.ctx, &adminpb.UndeleteServiceAccountRequest{Name: "projects/" + project + "/serviceAccounts/" + a.GetUniqueId()})
		must(e.T, err)
	}
}

// TestDeletedAccountIsToldAndWaitedFor by the inspection that finds it, until it is there
// again.
func TestDeletedAccountIsToldAndWaitedFor(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, account := e.account("gone", rotation.Upload)
	e.replace(secret)
	undelete := e.deleteAccount(account)
	if r := e.do(event.Command{Verb: event.Status, Secret: secret}); r.Gone == nil || !strings.HasPrefix(r.Gone.Account, "gone@") {
		t.Errorf("before anybody looks, status is %+v", r)
	}
	e.events()
	if r := e.inspect(secret); len(r.Warnings) != 1 {
		t.Fatalf("warnings %q", r.Warnings)
	}
	told := e.told(event.Broken)
	if told.Severity != "critical" || told.Key != "" || told.Step != event.AccountGone || !strings.Contains(told.Reason, "gone@acme.iam.gserviceaccount.com was deleted") {
		t.Errorf("told %+v", told)
	}
	e.clock.Advance(80 * time.Hour) // everything is due
	if r := e.do(event.Command{Verb: event.Sweep}); r.Sent > 0 {
		t.Errorf("sweeps send %+v", r)
	}
	if again := e.inspect(secret); len(again.Warnings) != 1 || e.told(event.Broken).ID != told.ID {
		t.Errorf("again %q", again.Warnings)
	}
	all, err := e.f.StatusAll(e.ctx)
	must(t, err)
	if all[0].Gone == nil || all[0].Then == "" || !all[0].Next.IsZero() {
		t.Errorf("it stands %+v", all[0])
	}
	for _, c := range []event.Command{{Verb: event.Rotate, Secret: secret}, {Verb: event.Rollback, Secret: secret}, {Verb: event.Rotate, Secret: secret, DryRun: true}} {
		_, err := e.f.Do(e.ctx, c)
		says(t, err, "gone@", "was deleted", "gcloud iam service-accounts undelete", "keyturn release gone --leave")
		if statusOf(err) != http.StatusUnprocessableEntity {
			t.Errorf("%s is answered HTTP %d", c.Verb, statusOf(err))
		}
	}
	if p := e.do(event.Command{Verb: event.Plan, Secret: secret}).Plans[0]; len(p.Problems) == 0 || !p.Problems[0].Blocks || !strings.Contains(p.Problems[0].Reason, "was deleted") || len(p.Turns) > 0 {
		t.Errorf("planned %+v", p)
	}
	undelete()
	e.events()
	e.inspect(secret)
	if back := e.told(event.Reinstated); back.Step != event.AccountGone || back.Key != "" {
		t.Errorf("told %+v", back)
	}
	e.replace(secret)
	e.bothWork(secret)
}

// TestRevokingAKeyOfADeletedAccountIsDone, because no key of it works; it is revoked
// should the account come back.
func TestRevokingAKeyOfADeletedAccountIsDone(t *testing.T) {
	for name, known := range map[string]bool{"known": true, "not known": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			secret, account := e.account("gone", rotation.Upload)
			e.replace(secret)
			s := e.standing(secret)
			undelete := e.deleteAccount(account)
			if known {
				e.inspect(secret)
			}
			for _, key := range []string{s.Current.ID, s.Retiring[0].ID} {
				r := e.do(event.Command{Verb: event.Revoke, Secret: secret, Key: key, KillTokens: key == s.Current.ID})
				if r.Alive != "" || r.Suspend != nil || r.Gone == nil || r.Steps[0].Result != "done" {
					t.Errorf("answered %+v", r)
				}
			}
			if e.do(event.Command{Verb: event.Continue, Secret: secret}).Gone == nil {
				t.Error("it is taken for there")
			}
			undelete()
			if r := e.do(event.Command{Verb: event.Status, Secret: secret}); r.Alive == "" || r.Gone != nil {
				t.Errorf("undeleted, %+v", r)
			}
			e.proceed(secret)
			for range 3 {
				e.clock.Advance(10 * time.Minute)
				e.proceed(secret)
			}
			if now := e.standing(secret); now.Current.ID == s.Current.ID || !now.Retiring[len(now.Retiring)-1].Revoked || e.do(event.Command{Verb: event.Status, Secret: secret}).Alive != "" {
				t.Errorf("it comes to %+v", now)
			}
		})
	}
}

// TestDeletedAccountIsFoundByTheStepThatFails, which is no failure of the rotation.
func TestDeletedAccountIsFoundByTheStepThatFails(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, account := e.account("gone", rotation.Create)
	e.deleteAccount(account)
	_, err := e.f.Do(e.ctx, event.Command{Verb: event.Rotate, Secret: secret, ID: "1"})
	says(t, err, "was deleted")
	if s := e.standing(secret); s.Failure != nil || e.milestones() != "started broken" {
		t.Errorf("it stands %+v", s)
	}
	must(t, e.byTopic(event.Command{Verb: event.Continue, Secret: secret}))
	if _, err := e.f.Do(e.ctx, event.Command{Verb: event.Release, Secret: secret}); !errors.Is(err, errImpossible) {
		t.Errorf("released without a word: %v", err)
	}
	e.do(event.Command{Verb: event.Revoke, Secret: secret, Key: e.standing(secret).Current.ID, KillTokens: true})
	e.do(event.Command{Verb: event.Release, Secret: secret, Leave: true})
}

// TestAccountThatCannotBeAskedIsNotGone.
func TestAccountThatCannotBeAskedIsNotGone(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, account := e.account("there", rotation.Create)
	lift := e.refuse(codes.PermissionDenied, "/ListServiceAccountKeys", "/GetServiceAccount")
	if r := e.do(event.Command{Verb: event.Status, Secret: secret}); r.Gone != nil {
		t.Errorf("status %+v", r)
	}
	if _, err := e.f.Do(e.ctx, event.Command{Verb: event.Inspect, Secret: secret}); err == nil {
		t.Error("an inspection that saw nothing is no error")
	}
	lift()
	undelete := e.deleteAccount(account)
	e.inspect(secret)
	undelete()
	lift = e.refuse(codes.PermissionDenied, "/ListServiceAccountKeys", "/GetServiceAccount")
	if _, err := e.f.Do(e.ctx, event.Command{Verb: event.Rotate, Secret: secret}); err == nil || strings.Contains(err.Error(), "was deleted") {
		t.Errorf("error %v", err)
	}
	lift()
	e.do(event.Command{Verb: event.Rotate, Secret: secret})
}

// TestRevokedKeyThatSomebodyEnables is disabled again, and told.
func TestRevokedKeyThatSomebodyEnables(t *testing.T) {
	for _, kind := range []string{"upload", "api-key"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			secret, target := e.credential(kind)
			leaked := e.standing(secret).Current.ID
			e.do(event.Command{Verb: event.Revoke, Secret: secret, Key: leaked})
			e.clock.Advance(lag)
			e.proceed(secret)
			e.clock.Advance(time.Hour)
			if r := e.inspect(secret); len(r.Warnings) > 0 {
				t.Fatalf("warnings %q", r.Warnings)
			}
			enable := func() {
				if kind == "api-key" {
					must(t, e.cloud.EnableAPIKey(e.ctx, leaked))
				} else {
					must(t, e.cloud.EnableAccountKey(e.ctx, target, leaked))
				}
			}
			enable()
			e.clock.Advance(lag)
			if r := e.do(event.Command{Verb: event.Status, Secret: secret}); r.Alive != leaked {
				t.Errorf("it works, and status says %+v", r)
			}
			e.events()
			r := e.inspect(secret)
			if told := e.told(event.Exposed); len(r.Warnings) != 1 || told.Key != leaked || told.Severity != "critical" || !strings.Contains(told.Reason, path.Base(leaked)) {
				t.Errorf("warnings %q, told %+v", r.Warnings, told)
			}
			wantSteps(t, e.proceed(secret), "disable") // which the inspection has sent for
			if r := e.do(event.Command{Verb: event.Status, Secret: secret}); r.Alive != "" {
				t.Errorf("disabled again, status says %+v", r)
			}
			e.clock.Advance(time.Hour)
			enable()
			wantSteps(t, e.do(event.Command{Verb: event.Revoke, Secret: secret, Key: leaked}), "disable") // by hand
			e.clock.Advance(time.Hour)
			if r := e.inspect(secret); len(r.Warnings) > 0 {
				t.Errorf("warnings %q", r.Warnings)
			}
		})
	}
}

// TestInspectionsWaitForOneAnother, and a dry one writes nothing.
func TestInspectionsWaitForOneAnother(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, account := e.account("gone", rotation.Upload)
	e.deleteAccount(account)
	if r := e.do(event.Command{Verb: event.Inspect, Secret: secret, DryRun: true}); len(r.Warnings) != 1 {
		t.Errorf("warnings %q", r.Warnings)
	}
	if all, err := e.f.StatusAll(e.ctx); err != nil || all[0].Gone != nil {
		t.Errorf("a dry run has written %+v, %v", all, err)
	}
	j, err := rotation.ParseJournal(e.journal(secret))
	must(t, err)
	held, _ := j.Claim("another", time.Now(), time.Minute)
	text, err := held.Encode()
	must(t, err)
	e.annotate(secret, rotation.AnnotationJourn, text)
	if _, err := e.f.Do(e.ctx, event.Command{Verb: event.Inspect, Secret: secret}); !errors.Is(err, ErrBusy) {
		t.Errorf("error %v", err)
	}
}
