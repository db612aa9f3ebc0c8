package detect

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"example.com/keyturn/internal/raced"
)

// ordinary is a success as most of a log is made of, by one of n subjects.
func ordinary(i int) Entry {
	return Entry{
		Audit: true, LogName: "projects/prod/logs/cloudaudit.googleapis.com%2Fdata_access", InsertID: fmt.Sprintf("1k2j3h4%08x", i),
		Time: start.Add(time.Duration(i) * time.Millisecond), Project: "prod",
		Service: "storage.googleapis.com", Method: "storage.objects.get", Resource: fmt.Sprintf("projects/_/buckets/data/objects/%d", i),
		Principal: fmt.Sprintf("workload-%07d@prod-project-1.iam.gserviceaccount.com", i), CallerIP: fmt.Sprintf("203.0.%d.%d", i>>8&255, i&255),
		UserAgent:   "google-cloud-sdk gcloud/456.0.0 command/gcloud.storage.cp (Linux 6.1.0; x86_64; Python/3.11.6),gzip(gfe)",
		Permissions: []Permission{{Name: "storage.objects.get", Resource: "projects/_/buckets/data", Granted: true}, {Name: "storage.buckets.get", Granted: true}},
	}
}

func TestAnOrdinaryEntryAllocatesNothing(t *testing.T) {
	g := New(Config{})
	entries := make([]Entry, 200)
	for i := range entries {
		entries[i] = ordinary(i)
		g.Observe(&entries[i], nil)
	}
	i := 0
	if n := testing.AllocsPerRun(1000, func() {
		if found := g.Observe(&entries[i%len(entries)], nil); found != nil {
			t.Errorf("found %+v", found)
		}
		i++
	}); n != 0 {
		t.Errorf("%v allocations for an entry of no interest", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	for _, subjects := range []int{200, 20_000} {
		b.Run(fmt.Sprintf("ordinary/%d", subjects), func(b *testing.B) {
			g := New(Config{})
			entries := make([]Entry, subjects)
			for i := range entries {
				entries[i] = ordinary(i)
				g.Observe(&entries[i], nil)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				g.Observe(&entries[i], nil)
				if i++; i == len(entries) {
					i = 0
				}
			}
		})
	}
	b.Run("denied", func(b *testing.B) {
		g := New(Config{})
		entries := probe(500, time.Second)
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			g.Observe(&entries[i%len(entries)], nil)
			i++
		}
	})
}

// heapSize is what is allocated and reachable, in bytes.
func heapSize() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A million subjects, one in ten of whom was denied something, and one in ten of
// whom reads two secrets.
func TestAMillionSubjectsFit(t *testing.T) {
	if testing.Short() || raced.Detector {
		t.Skip("takes some seconds, and a minute while the race detector looks on")
	}
	const subjects = 1_000_000
	before := heapSize()
	g := New(Config{})
	for i := range subjects {
		e := ordinary(i)
		e.Permissions = append(e.Permissions, Permission{Name: "storage.objects.create", Granted: true}, Permission{Name: "storage.objects.list", Granted: true},
			Permission{Name: "pubsub.topics.publish", Granted: true}, Permission{Name: "logging.logEntries.create", Granted: true})
		g.Observe(&e, nil)
		switch i % 10 {
		case 0:
			e.Code, e.Permissions = 7, []Permission{{Name: "compute.instances.list", Resource: "projects/prod"}}
			g.Observe(&e, nil)
		case 1:
			for n := range 2 {
				e.Service, e.Method = "secretmanager.googleapis.com", "google.cloud.secretmanager.v1.SecretManagerService.AccessSecretVersion"
				e.Resource = fmt.Sprintf("projects/123456789012/secrets/config-%d-%d/versions/latest", i, n)
				e.Permissions = []Permission{{Name: "secretmanager.versions.access", Granted: true}}
				g.Observe(&e, nil)
			}
		}
	}
	used := heapSize() - before
	t.Logf("%d bytes a subject, %.0f MiB for %d", used/subjects, float64(used)/(1<<20), subjects)
	if len(g.store.keys) != subjects {
		t.Errorf("%d subjects are remembered, want %d", len(g.store.keys), subjects)
	}
	if used > 256<<20 {
		t.Errorf("%d bytes, want at most %d", used, 256<<20)
	}
	runtime.KeepAlive(g)
}
