package gcp

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

func TestVersions(t *testing.T) {
	w := newWorld(t, 0)
	start := w.clock.Now()
	name := w.secret("s")
	if versions, err := w.Versions(t.Context(), name); err != nil || len(versions) > 0 {
		t.Errorf("versions of a new secret: %v, %v", versions, err)
	}
	for n := 1; n <= 4; n++ {
		number, created, err := w.AddVersion(t.Context(), name, []byte("payload "+strconv.Itoa(n)))
		must(t, err)
		if number != strconv.Itoa(n) || !created.Equal(w.clock.Now()) {
			t.Errorf("version %s was added at %v, want %d at %v", number, created, n, w.clock.Now())
		}
		w.clock.Advance(time.Minute)
	}
	must(t, w.DisableVersion(t.Context(), name, "2"))
	must(t, w.DestroyVersion(t.Context(), name, "1"))
	got, err := w.Versions(t.Context(), name)
	must(t, err)
	want := []Version{
		{Number: "4", Created: start.Add(3 * time.Minute), Enabled: true},
		{Number: "3", Created: start.Add(2 * time.Minute), Enabled: true},
		{Number: "2", Created: start.Add(time.Minute)},
		{Number: "1", Created: start, Destroyed: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAccessVersion(t *testing.T) {
	w := newWorld(t, 0)
	name := w.secret("s", "one", "two", "three")
	_, err := w.UpdateSecret(t.Context(), Change{Name: name, Aliases: map[string]string{"current": "2"}})
	must(t, err)
	must(t, w.DisableVersion(t.Context(), name, "1"))
	for version, want := range map[string]string{"2": "two", "current": "two", "latest": "three"} {
		payload, err := w.AccessVersion(t.Context(), name, version)
		if err != nil || string(payload) != want {
			t.Errorf("version %s: %q, %v, want %q", version, payload, err, want)
		}
	}
	_, err = w.AccessVersion(t.Context(), name, "1")
	if !IsFailedPrecondition(err) {
		t.Errorf("disabled version: error %v", err)
	}
	_, err = w.AccessVersion(t.Context(), name, "4")
	if !IsNotFound(err) {
		t.Errorf("version that is not there: error %v", err)
	}
	_, _, err = w.AddVersion(t.Context(), name, []byte(strings.Repeat(canary, 65<<10/len(canary))))
	fails(t, err, codes.InvalidArgument)
	if err != nil && strings.Contains(err.Error(), canary) {
		t.Error("the error holds the payload")
	}
}

// TestVersionsBeyondUse disables and destroys versions that are in every state.
func TestVersionsBeyondUse(t *testing.T) {
	w := newWorld(t, 0)
	name := w.secret("s", "one", "two", "three")
	must(t, w.DestroyVersion(t.Context(), name, "1"))
	must(t, w.DisableVersion(t.Context(), name, "2"))
	for _, version := range []string{"1", "2", "3", "9"} { // destroyed, disabled, enabled, never made
		must(t, w.DisableVersion(t.Context(), name, version))
		must(t, w.DestroyVersion(t.Context(), name, version))
	}
	must(t, w.DisableVersion(t.Context(), name+"x", "1"))
	must(t, w.DestroyVersion(t.Context(), name+"x", "1"))
	fails(t, w.DisableVersion(t.Context(), name, ""), codes.InvalidArgument)
	fails(t, w.DestroyVersion(t.Context(), name, "latest"), codes.InvalidArgument)
}

// TestUnknownStateIsNotBeyondUse refuses the look at a version that could not be
// disabled.
func TestUnknownStateIsNotBeyondUse(t *testing.T) {
	w := newWorld(t, 0)
	name := w.secret("s", "one")
	must(t, w.DestroyVersion(t.Context(), name, "1"))
	w.refuse("GetSecretVersion")
	fails(t, w.DisableVersion(t.Context(), name, "1"), codes.FailedPrecondition)
	fails(t, w.DestroyVersion(t.Context(), name, "1"), codes.FailedPrecondition)
}

// TestScheduledDestruction destroys again, after a lost reply, a version whose
// secret delays destruction.
func TestScheduledDestruction(t *testing.T) {
	w := newWorld(t, 0)
	name := w.secret("s", "one")
	client, err := w.secretManager(t.Context())
	must(t, err)
	_, err = client.UpdateSecret(t.Context(), &secretmanagerpb.UpdateSecretRequest{
		Secret:     &secretmanagerpb.Secret{Name: name, VersionDestroyTtl: durationpb.New(48 * time.Hour)},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"version_destroy_ttl"}},
	})
	must(t, err)
	must(t, w.DestroyVersion(t.Context(), name, "1"))
	must(t, w.DestroyVersion(t.Context(), name, "1"))
	versions, err := w.Versions(t.Context(), name)
	must(t, err)
	if versions[0].Enabled || versions[0].Destroyed {
		t.Errorf("version %+v, want it to wait for its destruction", versions[0])
	}
	w.clock.Advance(48 * time.Hour)
	versions, err = w.Versions(t.Context(), name)
	must(t, err)
	if !versions[0].Destroyed {
		t.Errorf("version %+v, want it destroyed", versions[0])
	}
}

func TestEnabledVersions(t *testing.T) {
	w := newWorld(t, 0)
	payloads := make([]string, 12)
	for i := range payloads {
		payloads[i] = canary
	}
	name := w.secret("s", payloads...)
	must(t, w.DisableVersion(t.Context(), name, "11"))
	must(t, w.DestroyVersion(t.Context(), name, "3"))
	got, err := w.EnabledVersions(t.Context(), name)
	must(t, err)
	if want := []string{"12", "10", "9", "8", "7", "6", "5", "4", "2", "1"}; !slices.Equal(got, want) {
		t.Errorf("enabled versions %v, want %v", got, want)
	}
	for range 2 { // again, as after a lost reply
		must(t, w.EnableVersion(t.Context(), name, "11"))
	}
	payload, err := w.AccessVersion(t.Context(), name, "11")
	if err != nil || string(payload) != canary {
		t.Errorf("version 11 holds %d bytes, error %v", len(payload), err)
	}
	if err := w.EnableVersion(t.Context(), name, "3"); !IsGone(err) || !IsFailedPrecondition(err) {
		t.Errorf("enabling a destroyed version: error %v", err)
	}
	if err := w.EnableVersion(t.Context(), name, "13"); !IsGone(err) {
		t.Errorf("enabling a version that was never made: error %v", err)
	}
	_, err = w.EnabledVersions(t.Context(), name+"x")
	fails(t, err, codes.NotFound)
}

// TestEnabledVersionsOfAllPages has a server that answers one at a time.
func TestEnabledVersionsOfAllPages(t *testing.T) {
	w := newWorld(t, 0)
	name := w.secret("s", "one", "two", "three")
	paged, err := New(Config{Project: testProject, Endpoint: w.gcp.Addr(), Wire: &Wire{
		GRPC: func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			req.(*secretmanagerpb.ListSecretVersionsRequest).PageSize = 1
			return invoke(ctx, method, req, reply, conn, opts...)
		},
	}})
	must(t, err)
	t.Cleanup(func() { must(t, paged.Close()) })
	got, err := paged.EnabledVersions(t.Context(), name)
	if err != nil || !slices.Equal(got, []string{"3", "2", "1"}) {
		t.Errorf("enabled versions %v, error %v", got, err)
	}
}
