package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// leased has a trigger that died hold the lease of billing-key for a while.
func (d *desk) leased(lasts time.Duration) {
	d.Helper()
	cloud, err := gcp.New(gcp.Config{Project: "local", Endpoint: d.gcp.Addr()})
	if err != nil {
		d.Fatal(err)
	}
	defer cloud.Close()
	secret, err := cloud.Secret(d.Context(), "projects/local/secrets/billing-key")
	if err != nil {
		d.Fatal(err)
	}
	cred, err := rotation.ParseCredential(secret.Name, secret.Labels, secret.Annotations)
	if err != nil {
		d.Fatal(err)
	}
	cred.Journal.Lease = &rotation.Lease{Holder: "somebody", Until: time.Now().Add(lasts)}
	text, err := cred.Journal.Encode()
	if err != nil {
		d.Fatal(err)
	}
	secret.Annotations[rotation.AnnotationJourn] = text
	if _, err := cloud.UpdateSecret(d.Context(), gcp.Change{Name: secret.Name, Etag: secret.Etag, Annotations: secret.Annotations, Aliases: secret.Aliases}); err != nil {
		d.Fatal(err)
	}
}

// TestCommandWaitsForOtherTriggers, says so, and is carried out once they have let go.
func TestCommandWaitsForOtherTriggers(t *testing.T) {
	for _, args := range [][]string{{"pause", "billing-key", "--why", "w"}, {"release", "billing-key"}, {"rotate", "billing-key"}} {
		t.Run(args[0], func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.must("adopt", "billing-key", "--service-account", "billing@local.iam.gserviceaccount.com")
			d.leased(2 * time.Second)
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), d.at(args), &stdout, &stderr); code != exitOK {
				t.Fatalf("it exits with %d: %s", code, &stderr)
			}
			if n := strings.Count(stderr.String(), "waiting for another trigger, which is at work on billing-key"); n != 1 {
				t.Errorf("it says %d times that it waits: %s", n, &stderr)
			}
		})
	}
}

// TestCommandThatWaitsCanBeInterrupted, and nothing was done.
func TestCommandThatWaitsCanBeInterrupted(t *testing.T) {
	d := newDesk(t)
	d.must("adopt", "billing-key", "--service-account", "billing@local.iam.gserviceaccount.com")
	d.leased(time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var stdout, stderr bytes.Buffer
	if code := run(ctx, d.at([]string{"pause", "billing-key", "--why", "w"}), &stdout, &stderr); code != exitFailed {
		t.Errorf("it exits with %d: %s", code, &stderr)
	}
	if s := d.standings()[0]; s.Paused != nil {
		t.Errorf("it is paused: %+v", s.Paused)
	}
}
