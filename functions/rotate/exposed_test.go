package rotate

import (
	"errors"
	"path"
	"slices"
	"strings"
	"testing"

	"example.com/keyturn/functions/door"
	localiam "example.com/keyturn/internal/localgcp/iam"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
)

func (e *env) inspect(secret string) Report {
	e.Helper()
	return e.do(event.Command{Verb: event.Inspect, Secret: secret})
}

// TestLeakedKeyIsReplacedAndRevoked plays Google finding a key that consumers
// use, or still may.
func TestLeakedKeyIsReplacedAndRevoked(t *testing.T) {
	for name, tt := range map[string]struct {
		respond    func(s *localiam.Service, account, key string) error
		patient    bool // the organisation has Google wait for abuse
		superseded bool
		why        string
	}{
		"exposed":                  {(*localiam.Service).Expose, false, false, "EXPOSED"},
		"compromised":              {(*localiam.Service).Compromise, false, false, "COMPROMISE_DETECTED"},
		"exposed, not disabled":    {(*localiam.Service).Expose, true, false, "not disabled"},
		"exposed in overlap":       {(*localiam.Service).Expose, false, true, "EXPOSED"},
		"abused though superseded": {(*localiam.Service).Compromise, true, true, "COMPROMISE_DETECTED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.gcp.IAM.SetOrgPolicy(localiam.OrgPolicy{WaitForAbuse: tt.patient})
			secret, account := e.account("found", rotation.Upload)
			leaked := e.standing(secret).Current.ID
			if tt.superseded {
				e.replace(secret)
			}
			e.events()
			e.commands()
			must(t, tt.respond(e.gcp.IAM, path.Base(account), leaked))
			e.clock.Advance(lag)
			if r := e.inspect(secret); len(r.Warnings) != 1 || len(r.Steps) > 0 {
				t.Errorf("report %+v", r)
			}
			told := e.told(event.Exposed)
			if told.Key != leaked || told.Severity != "critical" || !strings.Contains(told.Reason, tt.why) {
				t.Errorf("told %+v", told)
			}
			e.inspect(secret)
			if again := e.told(event.Exposed); again.ID != told.ID {
				t.Errorf("told again as something else: %+v", again)
			}
			sent := e.commands()
			if want := (event.Command{Verb: event.Revoke, Secret: secret, Key: leaked}); len(sent) != 2 || sent[0] != want || sent[1] != want {
				t.Fatalf("commands %+v, want to revoke the key", sent)
			}
			for _, c := range sent {
				must(t, e.byTopic(c))
			}
			e.clock.Advance(lag)
			e.proceed(secret)
			e.clock.Advance(lag)
			e.fails(secret, leaked)
			e.works(secret, "latest")
			s := e.standing(secret)
			if s.Current.ID == leaked || len(s.Retiring) != 1 || !s.Retiring[0].Revoked || s.Retiring[0].Phase != rotation.Quarantined || s.Rotation != 1 {
				t.Errorf("after the response: %+v, retiring %+v", s, s.Retiring)
			}
			if r := e.inspect(secret); len(r.Warnings) > 0 || len(e.commands()) > 0 {
				t.Errorf("what was answered is told again: %v", r.Warnings)
			}
		})
	}
}

func TestLeakedKeyThatNobodyWasGivenIsDiscarded(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, account := e.account("early", rotation.Create)
	e.do(event.Command{Verb: event.Rotate, Secret: secret})
	e.clock.Advance(lag)
	leaked := e.standing(secret).Incoming.ID
	must(t, e.gcp.IAM.Expose(path.Base(account), leaked))
	e.clock.Advance(lag)
	e.commands()
	e.inspect(secret)
	for _, c := range e.commands() {
		if got := steps(e.do(c)); !strings.HasPrefix(got, "hasten ") || !strings.HasSuffix(got, " discard unstage") {
			t.Errorf("steps %q", got)
		}
	}
	e.clock.Advance(lag)
	if slices.Contains(e.accountKeys(account), leaked) {
		t.Error("the leaked key is still there")
	}
	e.works(secret, "latest")
}

// A revocation that could not be sent is not taken for sent.
func TestResponseThatCannotBeSentIsAnError(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, account := e.account("mute", rotation.Upload)
	must(t, e.gcp.IAM.Expose(path.Base(account), e.standing(secret).Current.ID))
	e.clock.Advance(lag)
	for method, want := range map[string]string{"/Publish": "publishing", "/ListServiceAccountKeys": "listing"} {
		lift := e.refuse(codes.PermissionDenied, method)
		c := event.Command{Verb: event.Inspect, Secret: secret}
		_, err := e.f.Do(e.ctx, c)
		says(t, err, want)
		if err := e.byTopic(c); !errors.Is(err, door.ErrRedeliver) {
			t.Errorf("%s refused: %v, want the message again", method, err)
		}
		lift()
	}
}
