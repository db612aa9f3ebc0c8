package gcp

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

func TestUpdateSecretChangesWhatIsGiven(t *testing.T) {
	w := newWorld(t, 0)
	w.topic("keyturn-rotate")
	name := w.secret("s", "one", "two")
	secret, err := w.Secret(t.Context(), name)
	must(t, err)
	if diff := cmp.Diff(Secret{Name: name, Etag: secret.Etag, Aliases: map[string]string{}}, secret); diff != "" || secret.Etag == "" {
		t.Errorf("new secret (-want +got):\n%s", diff)
	}
	next := w.clock.Now().Add(time.Hour)
	want := Secret{Name: name, Aliases: map[string]string{}}
	for what, ch := range map[string]Change{
		"labels":      {Labels: map[string]string{"keyturn": "managed"}},
		"annotations": {Annotations: map[string]string{"keyturn.kind": "api-key"}},
		"aliases":     {Aliases: map[string]string{"current": "2", "previous": "1"}},
		"reminder":    {Reminder: &Reminder{Topic: "keyturn-rotate", Next: next, Period: 2 * time.Hour}},
	} {
		switch what {
		case "labels":
			want.Labels = ch.Labels
		case "annotations":
			want.Annotations = ch.Annotations
		case "aliases":
			want.Aliases = ch.Aliases
		case "reminder":
			want.NextRotation = next
		}
		ch.Name, ch.Etag = name, secret.Etag
		secret, err = w.UpdateSecret(t.Context(), ch)
		must(t, err)
		want.Etag = secret.Etag
		if diff := cmp.Diff(want, secret); diff != "" {
			t.Errorf("after a change of %s (-want +got):\n%s", what, diff)
		}
	}
	read, err := w.Secret(t.Context(), name)
	must(t, err)
	if diff := cmp.Diff(want, read); diff != "" {
		t.Errorf("read again (-want +got):\n%s", diff)
	}
}

func TestUpdateSecretEmptiesWhatIsEmpty(t *testing.T) {
	w := newWorld(t, 0)
	name := w.secret("s", "one")
	full := Change{Name: name, Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"a": "b"}, Aliases: map[string]string{"current": "1"}}
	_, err := w.UpdateSecret(t.Context(), full)
	must(t, err)
	s, err := w.UpdateSecret(t.Context(), Change{Name: name, Labels: map[string]string{}, Annotations: map[string]string{}, Aliases: map[string]string{}})
	must(t, err)
	if len(s.Labels)+len(s.Annotations)+len(s.Aliases) > 0 {
		t.Errorf("secret %+v", s)
	}
}

func TestUpdateSecretRefuses(t *testing.T) {
	w := newWorld(t, 0)
	name := w.secret("s", "one")
	stale, err := w.Secret(t.Context(), name)
	must(t, err)
	_, err = w.UpdateSecret(t.Context(), Change{Name: name, Etag: stale.Etag, Labels: map[string]string{"writer": "first"}})
	must(t, err)
	_, err = w.UpdateSecret(t.Context(), Change{Name: name, Etag: stale.Etag, Labels: map[string]string{"writer": "second"}})
	if !IsFailedPrecondition(err) {
		t.Errorf("stale etag: error %v", err)
	}
	if s, _ := w.Secret(t.Context(), name); s.Labels["writer"] != "first" {
		t.Errorf("labels %v: the second writer overwrote the first", s.Labels)
	}
	_, err = w.UpdateSecret(t.Context(), Change{Name: name, Aliases: map[string]string{"current": "latest"}})
	says(t, err, `updating secret `+name+`: alias current: version "latest" is not a number`)
	_, err = w.UpdateSecret(t.Context(), Change{Name: name + "x", Labels: map[string]string{}})
	fails(t, err, codes.NotFound)
}

func TestSecrets(t *testing.T) {
	w := newWorld(t, 0)
	var want []string
	for i := range 30 { // more than a page, of some sizes
		id := fmt.Sprintf("s%02d", i)
		label := map[string]string{"keyturn": []string{"managed", "staging"}[i%2]}
		must(t, w.EnsureSecret(t.Context(), "projects/acme/secrets/"+id, label))
		if i%2 == 0 {
			want = append(want, "projects/acme/secrets/"+id)
		}
	}
	var got []string
	for s, err := range w.Secrets(t.Context(), "labels.keyturn=managed") {
		must(t, err)
		got = append(got, s.Name)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	n := 0
	for range w.Secrets(t.Context(), "") {
		n++
		break
	}
	if n != 1 {
		t.Errorf("%d secrets after leaving the loop at the first", n)
	}
}

func TestEnsureSecretTwice(t *testing.T) {
	w := newWorld(t, 0)
	name := "projects/acme/secrets/s"
	must(t, w.EnsureSecret(t.Context(), name, map[string]string{"made": "first"}))
	must(t, w.EnsureSecret(t.Context(), name, map[string]string{"made": "second"}))
	s, err := w.Secret(t.Context(), name)
	must(t, err)
	if s.Labels["made"] != "first" {
		t.Errorf("labels %v: a secret that existed was changed", s.Labels)
	}
}

func TestVersions(t *testing.T) {
	w := newWorld(t, 0)
	start := w.clock.Now()
	name := w.secret("s")
	if versions, err := w.Versions(t.Context(), name); err != nil || len(versions) > 0 {
		t.Errorf("versions of a new secret: %v, %v", versions, err)
	}
	for n := 1; n <= 4; n++ {
		number, err := w.AddVersion(t.Context(), name, []byte("payload "+strconv.Itoa(n)))
		must(t, err)
		if number != strconv.Itoa(n) {
			t.Errorf("version %s was added, want %d", number, n)
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
	_, err = w.AddVersion(t.Context(), name, []byte(strings.Repeat(canary, 65<<10/len(canary))))
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
