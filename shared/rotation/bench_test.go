package rotation_test

import (
	"testing"
	"time"

	"example.com/keyturn/shared/rotation"
)

// benchNow is when the benchmarks' credential is looked at: its current key is
// in use, and the one before it waits to be disabled.
var benchNow = time.Date(2030, 1, 8, 0, 0, 0, 0, time.UTC)

func benchCredential() rotation.Credential {
	old := rotation.Key{ID: "0000000000000000000000000000000000000000", Version: "6", Phase: rotation.Overlapping, Since: benchNow.Add(-30 * time.Hour)}
	current := rotation.Key{ID: "1111111111111111111111111111111111111111", Version: "7", Phase: rotation.Active, Since: benchNow.Add(-30 * time.Hour)}
	return rotation.Credential{
		Secret: "projects/acme/secrets/billing-key", Kind: rotation.ServiceAccountKey,
		Target: "projects/acme/serviceAccounts/billing@acme.iam.gserviceaccount.com", Policy: rotation.DefaultPolicy,
		Journal: rotation.Journal{Rotation: 7, Current: &current, Retiring: []rotation.Key{old}},
	}
}

// BenchmarkSweep is what a sweep costs for each credential.
func BenchmarkSweep(b *testing.B) {
	c := benchCredential()
	annotations, err := c.Annotations()
	if err != nil {
		b.Fatal(err)
	}
	labels := map[string]string{rotation.Label: rotation.Managed}
	seen := rotation.Observed{Aliases: c.Journal.Aliases()}
	b.ReportAllocs()
	for b.Loop() {
		c, err := rotation.ParseCredential(c.Secret, labels, annotations)
		if err != nil || len(rotation.Decide(benchNow, c.Policy, c.Journal, seen, rotation.Intent{})) != 1 {
			b.Fatal("the old key is not due", err)
		}
	}
}

func BenchmarkParseCredential(b *testing.B) {
	c := benchCredential()
	annotations, err := c.Annotations()
	if err != nil {
		b.Fatal(err)
	}
	labels := map[string]string{rotation.Label: rotation.Managed}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rotation.ParseCredential(c.Secret, labels, annotations); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeJournal(b *testing.B) {
	j := benchCredential().Journal
	b.ReportAllocs()
	for b.Loop() {
		if _, err := j.Encode(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	c := benchCredential()
	seen := rotation.Observed{Aliases: c.Journal.Aliases()}
	for name, now := range map[string]time.Time{"nothing due": benchNow.Add(-29 * time.Hour), "old key due": benchNow} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				rotation.Decide(now, c.Policy, c.Journal, seen, rotation.Intent{})
			}
		})
	}
}

// BenchmarkWeigh reads the longest record that there can be: six weeks in which
// a key was used all the time.
func BenchmarkWeigh(b *testing.B) {
	c := benchCredential()
	var s rotation.Sightings
	for t := benchNow.Add(-rotation.Window); t.Before(benchNow); t = t.Add(10 * time.Minute) {
		s.Uses = append(s.Uses, rotation.Sighting{From: t.Add(-10 * time.Minute), To: t, Count: 3})
	}
	s.Through = benchNow
	b.ReportAllocs()
	for b.Loop() {
		if e := rotation.Weigh(benchNow, c.Policy, c.Journal.Retiring[0], s); e.Use != rotation.Used {
			b.Fatal(e)
		}
	}
}
