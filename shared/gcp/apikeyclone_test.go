package gcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"example.com/keyturn/internal/localgcp/fault"
	"github.com/google/go-cmp/cmp"
	apikeysrest "google.golang.org/api/apikeys/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"
)

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

// TestRefreshClone tells which of its two keys cannot be read.
func TestRefreshClone(t *testing.T) {
	w := newWorld(t, 0)
	original := w.apiKey("original", billing())
	clone, err := w.CloneAPIKey(t.Context(), original, "clone")
	must(t, err)
	must(t, w.RefreshClone(t.Context(), original+"x", clone)) // nothing can be learned
	if err := w.RefreshClone(t.Context(), original, clone+"x"); !IsNotFound(err) {
		t.Errorf("clone that is not there: error %v", err)
	}
	must(t, w.DisableAPIKey(t.Context(), original)) // to which its clone is not to be restricted
	must(t, w.RefreshClone(t.Context(), original, clone))
	if diff := cmp.Diff(billing(), w.getAPIKey(clone), protocmp.Transform(), ownFields); diff != "" {
		t.Errorf("clone (-want +got):\n%s", diff)
	}
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

// TestCloneOfADisabledKey may do what its original might before.
func TestCloneOfADisabledKey(t *testing.T) {
	w := newWorld(t, 0)
	original := w.apiKey("original", billing())
	must(t, w.DisableAPIKey(t.Context(), original))
	clone, err := w.CloneAPIKey(t.Context(), original, "clone")
	must(t, err)
	if diff := cmp.Diff(billing(), w.getAPIKey(clone), protocmp.Transform(), ownFields); diff != "" {
		t.Errorf("clone (-want +got):\n%s", diff)
	}
}

// TestCloneOfWhatMayBeBound is not made where nobody tells whether it is.
func TestCloneOfWhatMayBeBound(t *testing.T) {
	w := newWorld(t, 0)
	original := w.apiKey("original", nil)
	offline := trip(func(*http.Request) (*http.Response, error) { return nil, errors.New("no route") })
	cloud, err := New(Config{Project: testProject, Endpoint: w.gcp.Addr(), Wire: &Wire{HTTP: offline, Pause: func(context.Context, time.Duration) error { return nil }}})
	must(t, err)
	t.Cleanup(func() { must(t, cloud.Close()) })
	_, err = cloud.CloneAPIKey(t.Context(), original, "clone")
	fails(t, err, codes.Unavailable)
	says(t, err, "reading API key "+original+" to clone it")
	if _, err := w.APIKeyCreated(t.Context(), "projects/acme/locations/global/keys/clone"); !IsNotFound(err) {
		t.Errorf("the clone is there: %v", err)
	}
}

// binding adds to the embedded cloud, on the wire, what it lacks: the service
// account that keys are bound to.
type binding struct {
	account string
	bound   []string // accounts that keys were made with
}

func (b *binding) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost {
		return b.create(r)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	k := new(apikeysrest.V2Key)
	if err := json.NewDecoder(resp.Body).Decode(k); err != nil {
		return nil, err
	}
	k.ServiceAccountEmail = b.account
	text, err := json.Marshal(k)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return resp, err
}

func (b *binding) create(r *http.Request) (*http.Response, error) {
	k := new(apikeysrest.V2Key)
	if err := json.NewDecoder(r.Body).Decode(k); err != nil {
		return nil, err
	}
	b.bound = append(b.bound, k.ServiceAccountEmail)
	k.ServiceAccountEmail = ""
	text, err := json.Marshal(k)
	if err != nil {
		return nil, err
	}
	stripped := r.Clone(r.Context())
	stripped.Body, stripped.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return http.DefaultTransport.RoundTrip(stripped)
}

// TestCloneOfABoundKey acts as the same service account, and is restricted as the
// original is.
func TestCloneOfABoundKey(t *testing.T) {
	w := newWorld(t, 0)
	original := w.apiKey("original", billing())
	wire := &binding{account: "robot@acme.iam.gserviceaccount.com"}
	cloud, err := New(Config{Project: testProject, Endpoint: w.gcp.Addr(), Wire: &Wire{HTTP: wire}})
	must(t, err)
	t.Cleanup(func() { must(t, cloud.Close()) })
	clone, err := cloud.CloneAPIKey(t.Context(), original, "clone")
	must(t, err)
	again, err := cloud.CloneAPIKey(t.Context(), original, "clone")
	must(t, err)
	if clone != again || len(wire.bound) != 2 || wire.bound[0] != wire.account {
		t.Errorf("made %s and %s, bound to %q", clone, again, wire.bound)
	}
	if diff := cmp.Diff(billing(), w.getAPIKey(clone), protocmp.Transform(), ownFields); diff != "" {
		t.Errorf("clone (-want +got):\n%s", diff)
	}
	w.refuse("CreateKey")
	_, err = cloud.CloneAPIKey(t.Context(), original, "another")
	fails(t, err, codes.PermissionDenied)
}

// TestKeyOfBothAPIs has all that a key can be restricted to.
func TestKeyOfBothAPIs(t *testing.T) {
	for name, restrictions := range map[string]*apikeyspb.Restrictions{
		"none":    nil,
		"server":  {ClientRestrictions: serverOnly("10.0.0.0/8"), ApiTargets: []*apikeyspb.ApiTarget{{Service: gemini, Methods: []string{"GET*"}}}},
		"browser": {ClientRestrictions: &apikeyspb.Restrictions_BrowserKeyRestrictions{BrowserKeyRestrictions: &apikeyspb.BrowserKeyRestrictions{AllowedReferrers: []string{"x.example/*"}}}},
		"iOS":     {ClientRestrictions: &apikeyspb.Restrictions_IosKeyRestrictions{IosKeyRestrictions: &apikeyspb.IosKeyRestrictions{AllowedBundleIds: []string{"b"}}}},
		"Android": {ClientRestrictions: &apikeyspb.Restrictions_AndroidKeyRestrictions{AndroidKeyRestrictions: &apikeyspb.AndroidKeyRestrictions{
			AllowedApplications: []*apikeyspb.AndroidApplication{{Sha1Fingerprint: "DA:39", PackageName: "p"}}}}},
	} {
		k := &apikeyspb.Key{DisplayName: name, Annotations: map[string]string{"a": "b"}, Restrictions: restrictions}
		over, err := boundTo(k, "bot@x")
		must(t, err)
		if string(over["serviceAccountEmail"]) != `"bot@x"` {
			t.Errorf("%s is bound to %s", name, over["serviceAccountEmail"])
		}
		delete(over, "serviceAccountEmail") // which the gRPC API lacks
		text, err := json.Marshal(over)
		must(t, err)
		back := new(apikeyspb.Key)
		must(t, protojson.Unmarshal(text, back))
		if diff := cmp.Diff(k, back, protocmp.Transform()); diff != "" {
			t.Errorf("%s (-before +after):\n%s", name, diff)
		}
	}
}
