package gcp

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/firestore/apiv1/firestorepb"
	"example.com/keyturn/shared/state/statetest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// startFirestore starts Google's own emulator, which comes with gcloud, and
// returns its address.
func startFirestore(t *testing.T) string {
	t.Helper()
	gcloud, err := exec.LookPath("gcloud")
	if err == nil {
		gcloud, err = filepath.EvalSymlinks(gcloud)
	}
	if err != nil {
		t.Skipf("Firestore's emulator comes with gcloud, which is not installed: %v", err)
	}
	jars, err := filepath.Glob(filepath.Join(filepath.Dir(gcloud), "../platform/cloud-firestore-emulator/*.jar"))
	if err != nil || len(jars) == 0 {
		t.Skip("gcloud's component cloud-firestore-emulator is not installed")
	}
	java, err := exec.LookPath("java")
	if err != nil {
		t.Skipf("Firestore's emulator needs Java: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	host, port, err := net.SplitHostPort(l.Addr().String())
	must(t, err)
	must(t, l.Close())
	emulator := exec.Command(java, "-cp", jars[0], "com.google.cloud.datastore.emulator.firestore.CloudFirestore", "start", "--host="+host, "--port="+port)
	must(t, emulator.Start())
	t.Cleanup(func() {
		must(t, emulator.Process.Kill())
		_ = emulator.Wait() // it says that it was killed
	})
	awaitFirestore(t, l.Addr().String())
	return l.Addr().String()
}

func awaitFirestore(t *testing.T, addr string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			must(t, conn.Close())
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("Firestore's emulator does not listen: %v", err)
		}
	}
}

// documentsAt are documents of a cloud whose calls go through wire.
func documentsAt(t *testing.T, addr, collection string, wire grpc.UnaryClientInterceptor) *Documents {
	t.Helper()
	cloud, err := New(Config{Project: testProject, Endpoint: addr, Wire: &Wire{GRPC: wire}})
	must(t, err)
	t.Cleanup(func() { must(t, cloud.Close()) })
	return cloud.Documents(collection)
}

func TestFirestoreOnGooglesEmulator(t *testing.T) { keepDocuments(t, startFirestore(t)) }

func TestFirestoreOnTheEmbeddedCloud(t *testing.T) { keepDocuments(t, newWorld(t, 0).gcp.Addr()) }

// keepDocuments is what any Firestore has to do.
func keepDocuments(t *testing.T, addr string) {
	collections := 0
	clean := func(t *testing.T) func() statetest.Store {
		collections++
		name := fmt.Sprint("clean-", collections)
		return func() statetest.Store { return documentsAt(t, addr, name, nil) }
	}
	t.Run("conformance", func(t *testing.T) { statetest.Run(t, clean) })
	t.Run("fields", func(t *testing.T) {
		d, expires := documentsAt(t, addr, "fields", nil), time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		must(t, d.Update(t.Context(), "a", statetest.Set("x", expires)))
		client, err := d.cloud.firestore(t.Context())
		must(t, err)
		found, err := client.GetDocument(t.Context(), &firestorepb.GetDocumentRequest{Name: d.parent + "/a"})
		must(t, err)
		if at := found.GetFields()["expires"].GetTimestampValue().AsTime(); !at.Equal(expires) || len(found.GetFields()) != 2 {
			t.Errorf("document is %v", found)
		}
	})
	for name, fault := range firestoreFaults {
		t.Run(name, func(t *testing.T) { fault(t, addr) })
	}
}

// lossy lets the calls of a method fail, before they are made or after; the first
// n calls of it work. It fails every other call from then on, so that another
// attempt helps.
func lossy(method string, after bool, code codes.Code) grpc.UnaryClientInterceptor {
	var calls atomic.Int32
	return func(ctx context.Context, called string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		lost := path.Base(called) == method && calls.Add(1)%2 == 1
		if lost && !after {
			return status.Error(code, "lost")
		}
		if err := invoke(ctx, called, req, reply, conn, opts...); err != nil || !lost {
			return err
		}
		return status.Error(code, "lost")
	}
}

var firestoreFaults = map[string]func(*testing.T, string){
	"a lost call is made again": func(t *testing.T, addr string) {
		for i, method := range []string{"GetDocument", "Commit"} {
			for j, after := range []bool{false, true} {
				d := documentsAt(t, addr, fmt.Sprint("lost", i, j), lossy(method, after, codes.Unavailable))
				for n := range 3 {
					must(t, d.Update(t.Context(), "a", statetest.Set(fmt.Sprint(n), time.Time{})))
				}
				if data := statetest.Read(t, d, "a"); string(data) != "2" {
					t.Errorf("%s lost, after it was made %v: %q", method, after, data)
				}
			}
		}
	},
	"a call that is refused is told": func(t *testing.T, addr string) {
		for method, want := range map[string]string{"GetDocument": "reading document a", "Commit": "writing document a"} {
			err := documentsAt(t, addr, "refused", lossy(method, false, codes.PermissionDenied)).Update(t.Context(), "a", statetest.Set("x", time.Time{}))
			says(t, err, want)
			fails(t, err, codes.PermissionDenied)
		}
	},
}

func TestFirestoreGivesUp(t *testing.T) {
	for code, want := range map[codes.Code]int32{codes.Aborted: maxRaces, codes.PermissionDenied: 1} {
		var commits atomic.Int32
		d := documentsAt(t, "127.0.0.1:1", "a", func(_ context.Context, called string, _, _ any, _ *grpc.ClientConn, _ grpc.UnaryInvoker, _ ...grpc.CallOption) error {
			if path.Base(called) == "Commit" {
				commits.Add(1)
				return status.Error(code, "another one was faster")
			}
			return status.Error(codes.NotFound, "no document")
		})
		d.cloud.calls.pause = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
		err := d.Update(t.Context(), "a", statetest.Set("x", time.Time{}))
		fails(t, err, code)
		if n := commits.Load(); n != want {
			t.Errorf("%v: %d commits, want %d", code, n, want)
		}
	}
}
