package gcp

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
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
			want.Topics = []string{"projects/acme/topics/keyturn-rotate"}
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
