package rotate

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestWholeLife takes a credential of each kind and mode through one rotation,
// with both readers working at every step.
func TestWholeLife(t *testing.T) {
	for _, kind := range []string{"upload", "create", "api-key"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			secret, _ := e.credential(kind)
			old := e.standing(secret).Current.ID
			check := func(want string) {
				t.Helper()
				r := e.proceed(secret)
				if !strings.HasPrefix(steps(r), want) {
					t.Fatalf("steps %q, want %q…", steps(r), want)
				}
				e.works(secret, "latest")
				e.works(secret, "current")
			}
			check("")
			e.clock.Advance(72 * time.Hour)
			first := map[string]string{"upload": "begin stage publish verify(", "create": "begin publish verify(", "api-key": "begin publish verify("}[kind]
			check(first)
			check("verify(") // not known yet: nothing is promoted
			if got := e.standing(secret).Current.ID; got != old {
				t.Fatalf("key %s was promoted before it authenticated", got)
			}
			e.clock.Advance(lag)
			check("verify promote")
			e.works(secret, "previous")
			e.clock.Advance(6*time.Hour - time.Second)
			check("")
			e.clock.Advance(time.Second)
			check("disable")
			e.clock.Advance(lag)
			e.fails(secret, old)
			e.clock.Advance(24 * time.Hour)
			check("delete")
			if s := e.standing(secret); len(s.Retiring) > 0 || s.Current.ID == old || s.Rotation != 1 {
				t.Errorf("after the whole life: %+v", s)
			}
			if got := e.milestones(); got != "started promoted disabled retired" {
				t.Errorf("milestones %q", got)
			}
		})
	}
}

func TestEmptySecretGetsItsFirstKey(t *testing.T) {
	e := newEnv(t)
	a, err := e.iam.CreateServiceAccount(e.ctx, &adminpb.CreateServiceAccountRequest{Name: "projects/" + project, AccountId: "fresh"})
	must(t, err)
	secret := e.secret("fresh")
	_, err = e.f.Adopt(e.ctx, Adoption{Secret: secret, Kind: rotation.ServiceAccountKey, Target: a.GetName(), Policy: policy})
	must(t, err)
	e.proceed(secret)
	e.clock.Advance(lag)
	e.proceed(secret)
	e.works(secret, "current")
}

func TestLateTriggerStillVerifiesTheKey(t *testing.T) {
	e := newEnv(t)
	secret, _ := e.account("late", rotation.Upload)
	e.clock.Advance(72 * time.Hour)
	e.proceed(secret)
	e.clock.Advance(5 * time.Hour) // nobody came for hours
	wantSteps(t, e.proceed(secret), "verify promote")
}

func TestKeyThatNeverAuthenticatesLeavesNoTrace(t *testing.T) {
	for _, kind := range []rotation.KeyMode{rotation.Upload, rotation.Create} {
		t.Run(string(kind), func(t *testing.T) {
			e := newEnv(t)
			secret, account := e.account("dud", kind)
			before := e.accountKeys(account)
			e.clock.Advance(72 * time.Hour)
			e.gcp.Faults.Set(func(m string, _ any) fault.Fault {
				if m == "POST /token" {
					return fault.Fault{Before: status.Error(codes.Unavailable, "outage")}
				}
				return fault.Fault{}
			})
			e.proceed(secret)
			e.clock.Advance(40 * time.Minute)
			if got := steps(e.proceed(secret)); !strings.HasPrefix(got, "verify discard") && !strings.HasPrefix(got, "discard") {
				t.Errorf("steps %q, want a discard", got)
			}
			e.gcp.Faults.Set(nil)
			e.clock.Advance(lag)
			if after := e.accountKeys(account); !slices.Equal(after, before) {
				t.Errorf("keys %v, want %v", after, before)
			}
			e.noneStaged(secret)
			e.clock.Advance(time.Minute)
			e.proceed(secret) // tries again with a new key
			e.clock.Advance(lag)
			e.proceed(secret)
			e.works(secret, "current")
			if s := e.standing(secret); s.Rotation != 2 || s.Failure != nil {
				t.Errorf("after the second try: %+v, failure %+v", s, s.Failure)
			}
		})
	}
}

func TestTheEleventhKey(t *testing.T) {
	e := newEnv(t)
	secret, account := e.account("full", rotation.Upload)
	for range 9 {
		_, err := e.iam.CreateServiceAccountKey(e.ctx, &adminpb.CreateServiceAccountKeyRequest{Name: account})
		must(t, err)
	}
	e.clock.Advance(72 * time.Hour)
	_, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
	if !errors.Is(err, errRecorded) || !strings.Contains(err.Error(), "10 user-managed keys") || !strings.Contains(err.Error(), "keys delete") {
		t.Fatalf("error %v does not say what is wrong and what to do", err)
	}
	for _, id := range e.accountKeys(account) {
		if !strings.Contains(err.Error(), id) {
			t.Errorf("key %s is not listed", id)
		}
	}
	if len(e.accountKeys(account)) != 10 {
		t.Error("a key was touched")
	}
	e.works(secret, "latest")
	if got := e.milestones(); got != "started failed" {
		t.Errorf("milestones %q", got)
	}
}

func TestReportSaysWhatComesNext(t *testing.T) {
	e := newEnv(t)
	secret, _ := e.account("next", rotation.Upload)
	old := e.standing(secret).Current.ID
	r := e.do(event.Command{Verb: event.Revoke, Secret: secret, Key: old})
	if r.Alive != old || !strings.Contains(r.Then, "a sweep") {
		t.Errorf("while the replacement propagates: alive %q, then %q", r.Alive, r.Then)
	}
	e.clock.Advance(lag)
	r = e.proceed(secret)
	if want := e.clock.Now().Add(24 * time.Hour); r.Alive != "" || !r.Next.Equal(want) || !strings.Contains(r.Then, old+" is deleted") {
		t.Errorf("after the revoke: alive %q, then %q at %v", r.Alive, r.Then, r.Next)
	}
}
