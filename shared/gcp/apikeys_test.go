package gcp

import (
	"net/http"
	"testing"
	"time"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"example.com/keyturn/internal/localgcp/fault"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
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

func TestCloneAPIKey(t *testing.T) {
	w := newWorld(t, 0)
	original := w.apiKey("original", billing())
	clone, err := w.CloneAPIKey(t.Context(), original, "clone")
	must(t, err)
	again, err := w.CloneAPIKey(t.Context(), original, "clone")
	must(t, err)
	if again != clone || clone == original {
		t.Errorf("cloned %s to %s and then to %s", original, clone, again)
	}
	got := w.getAPIKey(clone)
	if diff := cmp.Diff(billing(), got, protocmp.Transform(), ownFields); diff != "" {
		t.Errorf("clone (-want +got):\n%s", diff)
	}
	strings := map[string]string{}
	for _, name := range []string{original, clone, again} {
		strings[name], err = w.APIKeyString(t.Context(), name)
		must(t, err)
	}
	if strings[clone] == strings[original] || strings[clone] == "" {
		t.Error("the clone has no string of its own")
	}
	_, err = w.CloneAPIKey(t.Context(), original+"x", "other")
	if !IsNotFound(err) {
		t.Errorf("clone of a key that is not there: error %v", err)
	}
	_, err = w.CloneAPIKey(t.Context(), original, "Not-An-Id")
	fails(t, err, codes.InvalidArgument)
}

// TestCloneWhoseReplyIsLost makes one key all the same.
func TestCloneWhoseReplyIsLost(t *testing.T) {
	w := newWorld(t, 0)
	original := w.apiKey("original", billing())
	w.inject("CreateKey", fault.Fault{After: status.Error(codes.Internal, "connection lost")})
	_, err := w.CloneAPIKey(t.Context(), original, "clone")
	fails(t, err, codes.Internal)
	made := w.getAPIKey("projects/acme/locations/global/keys/clone")
	w.gcp.Faults.Set(nil)
	name, err := w.CloneAPIKey(t.Context(), original, "clone")
	must(t, err)
	if got := w.getAPIKey(name); got.GetUid() != made.GetUid() {
		t.Errorf("cloned twice: %s and %s", made.GetUid(), got.GetUid())
	}
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
			w.restore(disabled)
			if code := w.call(secret); code != http.StatusOK {
				t.Errorf("HTTP %d after", code)
			}
			if diff := cmp.Diff(before, w.getAPIKey(key), protocmp.Transform(), ownFields, protocmp.IgnoreFields(before, "annotations"), protocmp.IgnoreEmptyMessages()); diff != "" {
				t.Errorf("key (-before +after):\n%s", diff)
			}
		})
	}
}

// restore puts back what RestrictedBefore says.
func (w *world) restore(k *apikeyspb.Key) {
	w.Helper()
	var before apikeyspb.Restrictions
	must(w.T, protojson.Unmarshal([]byte(k.GetAnnotations()[RestrictedBefore]), &before))
	client, err := w.apiKeys(w.Context())
	must(w.T, err)
	op, err := client.UpdateKey(w.Context(), &apikeyspb.UpdateKeyRequest{
		Key: &apikeyspb.Key{Name: k.GetName(), Restrictions: &before}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"restrictions"}},
	})
	must(w.T, err)
	_, err = op.Wait(w.Context())
	must(w.T, err)
}

// TestDisablingNoticesAnotherWriter has somebody restrict the key between its
// reading and its writing.
func TestDisablingNoticesAnotherWriter(t *testing.T) {
	w := newWorld(t, 0)
	key := w.apiKey("k", billing())
	stale := w.getAPIKey(key)
	w.restore(&apikeyspb.Key{Name: key, Annotations: map[string]string{RestrictedBefore: "{}"}})
	client, err := w.apiKeys(t.Context())
	must(t, err)
	fails(t, block(t.Context(), client, stale), codes.Aborted)
}

func TestRestrictionsThatCannotBeKept(t *testing.T) {
	k := &apikeyspb.Key{Restrictions: &apikeyspb.Restrictions{ApiTargets: []*apikeyspb.ApiTarget{{Service: "\xff"}}}}
	says(t, block(t.Context(), nil, k), "keeping its restrictions")
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
	fails(t, w.DeleteAPIKey(t.Context(), "projects/acme"), codes.InvalidArgument)
}
