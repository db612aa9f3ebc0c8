package rotate

import (
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/event"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

func (e *env) keyOf(name string) *apikeyspb.Key {
	e.Helper()
	k, err := e.keys.GetKey(e.ctx, &apikeyspb.GetKeyRequest{Name: name})
	must(e.T, err)
	return k
}

// edited changes an API key by hand.
func (e *env) edited(name string, change func(*apikeyspb.Key)) *apikeyspb.Key {
	e.Helper()
	k := e.keyOf(name)
	change(k)
	op, err := e.keys.UpdateKey(e.ctx, &apikeyspb.UpdateKeyRequest{Key: k, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"display_name", "restrictions", "annotations"}}})
	must(e.T, err)
	k, err = op.Wait(e.ctx)
	must(e.T, err)
	return k
}

// terms are what a key may do, and what its owner says of it.
var terms = []cmp.Option{protocmp.Transform(), protocmp.IgnoreFields(&apikeyspb.Key{}, "name", "uid", "etag", "create_time", "update_time")}

// tighten is what an owner does to a key at a wrong moment.
func tighten(k *apikeyspb.Key) {
	k.DisplayName = "Billing, restricted"
	k.Annotations["team"] = "new"
	k.Restrictions.ApiTargets = append(k.Restrictions.ApiTargets, &apikeyspb.ApiTarget{Service: "translate.googleapis.com"})
}

// TestRestrictedWhileItsCloneComesIn loses none of the owner's changes.
func TestRestrictedWhileItsCloneComesIn(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, _ := e.apiKey("rest")
	var patches atomic.Int64
	e.gcp.Faults.Set(func(method string, _ any) fault.Fault {
		if method == "/google.api.apikeys.v2.ApiKeys/UpdateKey" {
			patches.Add(1)
		}
		return fault.Fault{}
	})
	e.replace(secret)
	if n := patches.Load(); n != 0 {
		t.Errorf("a clone that is like its original was patched %d times", n)
	}
	key := e.standing(secret).Current.ID
	e.do(event.Command{Verb: event.Rotate, Secret: secret})
	want := e.edited(key, tighten)
	e.clock.Advance(lag)
	e.proceed(secret)
	s := e.standing(secret)
	if s.Current.ID == key {
		t.Fatalf("not promoted: %+v", s.Incoming)
	}
	if diff := cmp.Diff(want, e.keyOf(s.Current.ID), terms...); diff != "" {
		t.Errorf("new key (-its original +it):\n%s", diff)
	}
}

// TestOriginalGoneWhileItsCloneComesIn promotes the clone as it is.
func TestOriginalGoneWhileItsCloneComesIn(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, key := e.apiKey("gone")
	e.do(event.Command{Verb: event.Rotate, Secret: secret})
	must(t, e.cloud.DisableAPIKey(e.ctx, key))
	e.edited(key, func(k *apikeyspb.Key) { k.Annotations = nil })
	e.clock.Advance(lag)
	e.proceed(secret)
	if s := e.standing(secret); s.Current.ID == key {
		t.Errorf("not promoted: %+v, %+v", s.Incoming, s.Failure)
	}
	e.bothWork(secret)
}

// TestRestrictedWhileBlocked keeps what the owner changed of a disabled key when
// it is brought back.
func TestRestrictedWhileBlocked(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, key := e.apiKey("rest")
	e.replace(secret)
	e.clock.Advance(6 * time.Hour)
	wantSteps(t, e.proceed(secret), "disable")
	e.edited(key, tighten)
	e.do(e.rollBack(secret))
	e.clock.Advance(10 * time.Minute)
	e.proceed(secret)
	got := e.keyOf(key)
	want := e.keyOf(e.standing(secret).Retiring[0].ID)
	tighten(want)
	want.Restrictions.ClientRestrictions = nil
	if diff := cmp.Diff(want, got, terms...); diff != "" || e.standing(secret).Current.ID != key {
		t.Errorf("key that was brought back (-want +got):\n%s", diff)
	}
}
