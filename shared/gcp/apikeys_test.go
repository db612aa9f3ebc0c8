package gcp

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"
)

const gemini = "generativelanguage.googleapis.com"

// billing is a key with everything that can be cloned.
func billing() *apikeyspb.Key {
	return &apikeyspb.Key{
		DisplayName: "Billing", Annotations: map[string]string{"team": "sec"},
		Restrictions: &apikeyspb.Restrictions{
			ApiTargets:         []*apikeyspb.ApiTarget{{Service: gemini}},
			ClientRestrictions: serverOnly("127.0.0.1"),
		},
	}
}

// ownFields are what every key has of its own.
var ownFields = protocmp.IgnoreFields(&apikeyspb.Key{}, "name", "uid", "etag", "create_time", "update_time")

func serverOnly(ip string) *apikeyspb.Restrictions_ServerKeyRestrictions {
	return &apikeyspb.Restrictions_ServerKeyRestrictions{ServerKeyRestrictions: &apikeyspb.ServerKeyRestrictions{AllowedIps: []string{ip}}}
}

func TestAPIKeyCreated(t *testing.T) {
	w := newWorld(t, 0)
	want := w.clock.Now()
	name := w.apiKey("k", nil)
	w.clock.Advance(time.Hour)
	if got, err := w.APIKeyCreated(t.Context(), name); err != nil || !got.Equal(want) {
		t.Errorf("created %v, %v, want %v", got, err, want)
	}
	if _, err := w.APIKeyCreated(t.Context(), name+"x"); !IsNotFound(err) {
		t.Errorf("key that is not there: error %v", err)
	}
	if _, err := w.APIKeyString(t.Context(), name+"x"); !IsNotFound(err) {
		t.Errorf("string of a key that is not there: error %v", err)
	}
}

// call uses an API key as a consumer does and returns the HTTP status.
func (w *world) call(key string) int {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, w.gcp.URL()+"/v1beta/models", nil)
	must(w.T, err)
	req.Header.Set("X-Goog-Api-Key", key)
	resp, err := http.DefaultClient.Do(req)
	must(w.T, err)
	must(w.T, resp.Body.Close())
	return resp.StatusCode
}

// TestDisabledAPIKeyCanBeBroughtBack disables keys, puts their restrictions back
// and calls with them all the while.
func TestDisabledAPIKeyCanBeBroughtBack(t *testing.T) {
	for name, before := range map[string]*apikeyspb.Key{"restricted": billing(), "unrestricted": {}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 0)
			key := w.apiKey(name, before)
			secret, err := w.APIKeyString(t.Context(), key)
			must(t, err)
			if code := w.call(secret); code != http.StatusOK {
				t.Fatalf("HTTP %d before", code)
			}
			for range 2 { // disabling again must not take the block for what was before
				must(t, w.DisableAPIKey(t.Context(), key))
			}
			if code := w.call(secret); code != http.StatusForbidden {
				t.Errorf("HTTP %d when disabled", code)
			}
			must(t, w.ProbeAPIKey(t.Context(), secret)) // it is known still
			disabled := w.getAPIKey(key)
			if disabled.GetAnnotations()["team"] != before.GetAnnotations()["team"] {
				t.Errorf("annotations %v", disabled.GetAnnotations())
			}
			for range 2 { // again, as after a lost reply
				must(t, w.EnableAPIKey(t.Context(), key))
			}
			if code := w.call(secret); code != http.StatusOK {
				t.Errorf("HTTP %d after", code)
			}
			if diff := cmp.Diff(before, w.getAPIKey(key), protocmp.Transform(), ownFields, protocmp.IgnoreEmptyMessages()); diff != "" {
				t.Errorf("key (-before +after):\n%s", diff)
			}
		})
	}
}

// TestDisablingNoticesAnotherWriter has somebody change the key between its
// reading and its writing.
func TestDisablingNoticesAnotherWriter(t *testing.T) {
	w := newWorld(t, 0)
	key := w.apiKey("k", billing())
	stale := w.getAPIKey(key)
	must(t, w.DisableAPIKey(t.Context(), key))
	client, err := w.apiKeys(t.Context())
	must(t, err)
	fails(t, block(t.Context(), client, stale), codes.Aborted)
	stale = w.getAPIKey(key)
	must(t, w.EnableAPIKey(t.Context(), key))
	fails(t, unblock(t.Context(), client, stale), codes.Aborted)
}

func TestRestrictionsThatCannotBeKept(t *testing.T) {
	k := &apikeyspb.Key{Restrictions: &apikeyspb.Restrictions{ApiTargets: []*apikeyspb.ApiTarget{{Service: "\xff"}}}}
	says(t, block(t.Context(), nil, k), "keeping its restrictions")
	cloud := newCloud(t, "127.0.0.1:1")
	says(t, cloud.createBoundKey(t.Context(), nil, someAPIKey, k, "e"), "UTF-8")
}

// TestBlockThatCannotBeTakenBack was made by somebody else, or its annotation was
// lost: to guess would open the key to everybody.
func TestBlockThatCannotBeTakenBack(t *testing.T) {
	for want, annotations := range map[string]map[string]string{
		"nothing says to what before": nil,
		"reading its annotation":      {RestrictedBefore: "{"},
	} {
		w := newWorld(t, 0)
		w.apiKey("some", &apikeyspb.Key{Annotations: annotations, Restrictions: &apikeyspb.Restrictions{ClientRestrictions: serverOnly(nowhere)}})
		says(t, w.EnableAPIKey(t.Context(), someAPIKey), want)
		_, err := w.CloneAPIKey(t.Context(), someAPIKey, "clone")
		says(t, err, want)
		if !blocked(w.getAPIKey(someAPIKey)) {
			t.Error("the key is open")
		}
	}
}

func TestAPIKeysThatAreGone(t *testing.T) {
	w := newWorld(t, 0)
	key := w.apiKey("k", billing())
	for range 2 {
		must(t, w.DeleteAPIKey(t.Context(), key))
	}
	must(t, w.DisableAPIKey(t.Context(), key))     // Google still answers with deleted keys
	must(t, w.DisableAPIKey(t.Context(), key+"x")) // and not with purged ones
	must(t, w.DeleteAPIKey(t.Context(), key+"x"))
	fails(t, w.EnableAPIKey(t.Context(), key+"x"), codes.NotFound)
	fails(t, w.UndeleteAPIKey(t.Context(), key+"x"), codes.NotFound)
	fails(t, w.DeleteAPIKey(t.Context(), "projects/acme"), codes.InvalidArgument)
}

func TestUndeletedAPIKey(t *testing.T) {
	w := newWorld(t, 0)
	key := w.apiKey("k", billing())
	secret, err := w.APIKeyString(t.Context(), key)
	must(t, err)
	must(t, w.DeleteAPIKey(t.Context(), key))
	for range 2 { // again, as after a lost reply
		must(t, w.UndeleteAPIKey(t.Context(), key))
	}
	if code := w.call(secret); code != http.StatusOK {
		t.Errorf("HTTP %d after", code)
	}
}

// TestDeleteUnusedAPIKey waits for the seven days that Google looks back.
func TestDeleteUnusedAPIKey(t *testing.T) {
	w := newWorld(t, 0)
	key := w.apiKey("k", nil)
	secret, err := w.APIKeyString(t.Context(), key)
	must(t, err)
	w.call(secret)
	w.clock.Advance(7*24*time.Hour - time.Second)
	err = w.DeleteUnusedAPIKey(t.Context(), key)
	if !errors.Is(err, ErrInUse) || !IsFailedPrecondition(err) || deletedAt(w, key) {
		t.Fatalf("deleting a used key: error %v", err)
	}
	w.clock.Advance(time.Second)
	for range 2 { // again, as after a lost reply
		must(t, w.DeleteUnusedAPIKey(t.Context(), key))
	}
	if !deletedAt(w, key) {
		t.Error("the key is there still")
	}
	must(t, w.DeleteUnusedAPIKey(t.Context(), key+"x"))
}

func deletedAt(w *world, key string) bool { return w.getAPIKey(key).GetDeleteTime() != nil }

// TestDeletedAPIKeyThatWasUsed is deleted all the same: the check comes too late.
func TestDeletedAPIKeyThatWasUsed(t *testing.T) {
	w := newWorld(t, 0)
	key := w.apiKey("k", nil)
	secret, err := w.APIKeyString(t.Context(), key)
	must(t, err)
	w.call(secret)
	must(t, w.DeleteAPIKey(t.Context(), key))
	must(t, w.DeleteUnusedAPIKey(t.Context(), key))
	w.refuse("GetKey") // nobody can tell that it is
	if err := w.DeleteUnusedAPIKey(t.Context(), key); !errors.Is(err, ErrInUse) {
		t.Errorf("error %v", err)
	}
}

func TestAPIKeyUsable(t *testing.T) {
	w := somewhere(t)
	for name, want := range map[string]bool{someAPIKey: true, blockedKey: false, deletedKey: false, someAPIKey + "x": false} {
		if got, err := w.APIKeyUsable(t.Context(), name); got != want || err != nil {
			t.Errorf("%s is usable: %v, %v", name, got, err)
		}
	}
}
