package rotate

import (
	"cmp"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
)

// reach is what a dry run says of a command to revoke.
func (e *env) reach(c event.Command) (Reach, error) {
	c.DryRun = true
	r, err := e.f.Do(e.ctx, c)
	if r.Reach == nil {
		return Reach{}, err
	}
	return *r.Reach, err
}

// TestReach tells beforehand what a disabled service account takes along.
func TestReach(t *testing.T) {
	t.Parallel()
	e := newWatched(t)
	secret, account := e.account("shared", rotation.Upload)
	second := e.secret("second", e.newKey(account).GetPrivateKeyData())
	e.clock.Advance(lag)
	e.adopt(Adoption{Secret: second, Kind: rotation.ServiceAccountKey, Target: account, Policy: watched})
	e.account("bystander", rotation.Upload)
	e.consumer(second).use()
	foreign := path.Base(e.newKey(account).GetName())
	e.clock.Advance(20 * time.Minute) // until the lists and Cloud Monitoring know
	kill := event.Command{Verb: event.Revoke, Secret: secret, Key: e.standing(secret).Current.ID, KillTokens: true}
	r, err := e.reach(kill)
	must(t, err)
	is := map[string]string{}
	for _, k := range r.Keys {
		is[k.ID] = k.Is
		if k.ID == e.standing(second).Current.ID && k.Used.IsZero() {
			t.Error("the use of a key is not known")
		}
	}
	slices.Sort(r.Credentials)
	want := map[string]string{kill.Key: "in use, TO BE REVOKED", e.standing(second).Current.ID: "in use in second", foreign: "not keyturn's"}
	if r.Account != path.Base(account) || !r.Waits || !slices.Equal(r.Credentials, []string{"second", "shared"}) || !maps.Equal(is, want) {
		t.Errorf("reach %+v, want the keys %v", r, want)
	}
	if len(r.Users) != 1 || !strings.Contains(r.Users[0], "10.1.2.3") || !strings.Contains(r.Users[0], "payroll/2.1") {
		t.Errorf("users %q", r.Users)
	}
	if !strings.Contains(r.Uses, "up to 2030-01-01") {
		t.Errorf("uses %q", r.Uses)
	}
	for _, method := range []string{"/GetSecret", "/ListSecrets", "/ListServiceAccountKeys", "/ListLogEntries"} {
		lift := e.refuse(codes.PermissionDenied, method)
		_, err = e.reach(kill)
		says(t, err, "refused on purpose")
		lift()
	}
	defer e.refuse(codes.PermissionDenied, "/ListTimeSeries")()
	if r, err = e.reach(kill); err != nil || !strings.Contains(r.Uses, "does not answer") {
		t.Errorf("without Cloud Monitoring: %q, error %v", r.Uses, err)
	}
}

// TestReachOfOneKey goes no further than its users: the account stays as it is.
func TestReachOfOneKey(t *testing.T) {
	t.Parallel()
	e := newWatched(t)
	secret, account := e.account("one", rotation.Upload)
	e.newKey(account)
	e.consumer(secret).use()
	e.clock.Advance(20 * time.Minute)
	current := e.standing(secret).Current.ID
	r, err := e.reach(event.Command{Verb: event.Revoke, Secret: secret, Key: current})
	must(t, err)
	if r.Account != "" || !r.Waits || r.Key != current || !slices.Equal(r.Credentials, []string{"one"}) || len(r.Keys) != 1 || r.Keys[0].Is != "in use, TO BE REVOKED" || r.Keys[0].Used.IsZero() || len(r.Users) != 1 {
		t.Errorf("of the key in use: %+v", r)
	}
	e.replace(secret)
	if r, err = e.reach(event.Command{Verb: event.Revoke, Secret: secret, Key: current}); err != nil || r.Waits || r.Keys[0].Is != "overlapping, TO BE REVOKED" {
		t.Errorf("of one that was superseded: %+v, %v", r, err)
	}
	other, key := e.apiKey("other")
	if r, err = e.reach(event.Command{Verb: event.Revoke, Secret: other, Key: path.Base(key)}); err != nil || r.Key != key || len(r.Keys) != 1 || r.Uses == "" {
		t.Errorf("of an API key: %+v, %v", r, err)
	}
}

// TestReachRefusesWhatRevokeWould tells nobody what a command would break that
// cannot be carried out.
func TestReachRefusesWhatRevokeWould(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, _ := e.account("known", rotation.Upload)
	_, err := e.reach(event.Command{Verb: event.Revoke, Secret: secret, Key: "nosuch", KillTokens: true})
	if !errors.Is(err, ErrUnknownKey) {
		t.Errorf("an unknown key: %v", err)
	}
	other, key := e.apiKey("none")
	_, err = e.reach(event.Command{Verb: event.Revoke, Secret: other, Key: path.Base(key), KillTokens: true})
	says(t, err, "an API key mints none")
}

// TestReachTellsWhatEachKeyIs, those included that are on their way.
func TestReachTellsWhatEachKeyIs(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, account := e.account("many", rotation.Upload)
	first := e.standing(secret).Current.ID
	e.replace(secret)
	second := e.standing(secret).Current.ID
	broken := e.secret("broken", e.newKey(account).GetPrivateKeyData())
	e.clock.Advance(lag)
	e.adopt(Adoption{Secret: broken, Kind: rotation.ServiceAccountKey, Target: account, Policy: policy})
	e.annotate(broken, rotation.AnnotationJourn, "{")
	e.do(event.Command{Verb: event.Rotate, Secret: secret})
	coming := e.standing(secret).Incoming.ID
	kill := event.Command{Verb: event.Revoke, Secret: secret, Key: first, KillTokens: true}
	for _, want := range []map[string]string{
		{first: "overlapping, TO BE REVOKED", second: "in use", coming: "coming in"},
		{first: "revoked, TO BE REVOKED", second: "in use", coming: "coming in"},
	} {
		r, err := e.reach(kill)
		must(t, err)
		for _, k := range r.Keys {
			if k.Is != cmp.Or(want[k.ID], "not keyturn's") {
				t.Errorf("key %s is %q, want %q", k.ID, k.Is, want[k.ID])
			}
		}
		if r.Waits || !slices.ContainsFunc(r.Credentials, func(c string) bool { return strings.HasPrefix(c, "broken, whose annotations cannot be read") }) {
			t.Errorf("reach %+v", r)
		}
		e.do(event.Command{Verb: event.Revoke, Secret: secret, Key: first})
	}
}
