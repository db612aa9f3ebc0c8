package rotate

import (
	"strings"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp/fault"
	localiam "example.com/keyturn/internal/localgcp/iam"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// denied is Google's refusal by a constraint.
func denied(constraint, message string) error {
	s, _ := status.New(codes.FailedPrecondition, message).WithDetails(&errdetails.PreconditionFailure{
		Violations: []*errdetails.PreconditionFailure_Violation{{Type: constraint}},
	}) // fails for code OK only
	return s.Err()
}

// spoil fails every call of a method until it is lifted.
func (e *env) spoil(method string, err error) (lift func()) {
	e.gcp.Faults.Set(func(m string, _ any) fault.Fault {
		if strings.HasSuffix(m, method) {
			return fault.Fault{Before: err}
		}
		return fault.Fault{}
	})
	return func() { e.gcp.Faults.Set(nil) }
}

func TestWhereUploadIsDeniedGoogleMakesThePair(t *testing.T) {
	for name, deny := range map[string]func(e *env){
		"iam.disableServiceAccountKeyUpload": func(e *env) {
			e.gcp.IAM.SetOrgPolicy(localiam.OrgPolicy{DenyKeyUpload: true})
		},
		"iam.managed.disableServiceAccountKeyUpload": func(e *env) {
			e.spoil("/UploadServiceAccountKey", denied("constraints/iam.managed.disableServiceAccountKeyUpload", "Operation denied by org policy."))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			secret, account := e.account("denied", rotation.Upload)
			deny(e)
			r := e.do(event.Command{Verb: event.Rotate, Secret: secret})
			if got := steps(r); !strings.HasPrefix(got, "begin stage fall-back publish unstage verify(") {
				t.Errorf("steps %q", got)
			}
			e.clock.Advance(lag)
			e.proceed(secret)
			s := e.standing(secret)
			if s.Current.Mode != rotation.Create || s.Current.Denied != name || s.Rotation != 1 || s.Failure != nil {
				t.Errorf("after the rotation: %+v, failure %+v", s.Current, s.Failure)
			}
			if n := len(e.accountKeys(account)); n != 2 {
				t.Errorf("%d keys", n)
			}
			e.noneStaged(secret)
			e.works(secret, "latest")
			if got := e.milestones(); got != "started promoted" {
				t.Errorf("milestones %q: to fall back is no failure", got)
			}
			e.gcp.Faults.Set(nil)
			e.gcp.IAM.SetOrgPolicy(localiam.OrgPolicy{})
			e.replace(secret)
			if s := e.standing(secret); s.Current.Mode != rotation.Upload || s.Current.Denied != "" {
				t.Errorf("once uploads are allowed again: %+v", s.Current)
			}
		})
	}
}

func TestWhereBothAreDenied(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, account := e.account("shut", rotation.Upload)
	e.gcp.IAM.SetOrgPolicy(localiam.OrgPolicy{DenyKeyUpload: true, DenyKeyCreation: true})
	_, err := e.f.Do(e.ctx, event.Command{Verb: event.Rotate, Secret: secret})
	says(t, err, "publish", "Key creation is not allowed on this service account")
	s := e.standing(secret)
	if s.Failure == nil || s.Failure.Count != 1 || s.Incoming == nil || s.Incoming.Mode != rotation.Create {
		t.Fatalf("after the refusal: %+v, failure %+v", s.Incoming, s.Failure)
	}
	e.noneStaged(secret)
	wantSteps(t, e.proceed(secret), "") // backs off
	e.clock.Advance(time.Minute)
	e.try(secret)
	if f := e.standing(secret).Failure; f == nil || f.Count != 2 {
		t.Errorf("failure %+v, want the second", f)
	}
	if keys := e.accountKeys(account); len(keys) != 1 {
		t.Errorf("keys %v", keys)
	}
	e.works(secret, "latest")
	e.gcp.IAM.SetOrgPolicy(localiam.OrgPolicy{DenyKeyUpload: true})
	e.clock.Advance(2 * time.Minute)
	e.proceed(secret)
	e.clock.Advance(lag)
	e.proceed(secret)
	e.clock.Advance(lag)
	if s := e.standing(secret); s.Rotation != 1 || s.Incoming != nil || s.Failure != nil || len(e.accountKeys(account)) != 2 {
		t.Errorf("once it is allowed: %+v, incoming %+v, failure %+v", s, s.Incoming, s.Failure)
	}
}

// A turn that died may have uploaded the key: it is looked for before Google is
// asked to make another.
func TestFallBackMakesNoSecondKey(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, account := e.account("late", rotation.Upload)
	lost := status.Error(codes.Internal, "the reply was lost")
	e.gcp.Faults.Set(func(m string, _ any) fault.Fault {
		if strings.HasSuffix(m, "/UploadServiceAccountKey") {
			return fault.Fault{After: lost}
		}
		return fault.Fault{}
	})
	_, err := e.f.Do(e.ctx, event.Command{Verb: event.Rotate, Secret: secret})
	says(t, err, "reply was lost")
	e.gcp.Faults.Set(nil)
	e.gcp.IAM.SetOrgPolicy(localiam.OrgPolicy{DenyKeyUpload: true})
	e.clock.Advance(2 * time.Minute)
	e.proceed(secret)
	s := e.standing(secret)
	if s.Current.Mode != rotation.Upload || s.Rotation != 1 || s.Incoming != nil {
		t.Errorf("after the lost reply: %+v, incoming %+v", s.Current, s.Incoming)
	}
	if n := len(e.accountKeys(account)); n != 2 {
		t.Errorf("%d keys", n)
	}
}

// The certificate outlives what the organisation allows.
func TestUploadThatIsValidTooLong(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, _ := e.account("long", rotation.Upload)
	e.gcp.IAM.SetOrgPolicy(localiam.OrgPolicy{MaxKeyLifetime: 8 * time.Hour})
	_, err := e.f.Do(e.ctx, event.Command{Verb: event.Rotate, Secret: secret})
	says(t, err, "longer than the max allowed lifetime")
	if s := e.standing(secret); s.Failure == nil || s.Incoming.Phase != rotation.Staged {
		t.Errorf("after the refusal: %+v, failure %+v", s.Incoming, s.Failure)
	}
}

// TestTheReasonNamesWhatIsLacking, however long the text and whatever it leaves to
// machines.
func TestTheReasonNamesWhatIsLacking(t *testing.T) {
	const constraint = "constraints/iam.managed.disableServiceAccountKeyCreation"
	permission, _ := status.New(codes.PermissionDenied, strings.Repeat("no ", 200)).WithDetails(&errdetails.ErrorInfo{
		Reason: "IAM_PERMISSION_DENIED", Metadata: map[string]string{"permission": "iam.serviceAccountKeys.create"},
	}) // fails for code OK only
	for name, tt := range map[string]struct {
		refusal error
		want    string
	}{
		"a constraint in the details":    {denied(constraint, "Operation denied by org policy."), "no key was made: "},
		"a constraint that is cut off":   {denied(constraint, strings.Repeat("no ", 200)+constraint), constraint + ": "},
		"a constraint that is said":      {denied(constraint, "Operation denied by "+constraint), "no key was made: "},
		"a permission that is not named": {permission.Err(), "lacks iam.serviceAccountKeys.create on projects/acme/serviceAccounts/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			secret, _ := e.account("lacking", rotation.Create)
			e.spoil("/CreateServiceAccountKey", tt.refusal)
			_, err := e.f.Do(e.ctx, event.Command{Verb: event.Rotate, Secret: secret})
			says(t, err, "publish")
			reason := e.standing(secret).Failure.Reason
			named := strings.Contains(reason, constraint) || strings.Contains(reason, "iam.serviceAccountKeys.create")
			if !named || !strings.HasPrefix(reason, tt.want) || len(reason) > 300 || strings.HasSuffix(reason, "n…") {
				t.Errorf("reason %q, want %q first", reason, tt.want)
			}
		})
	}
}
