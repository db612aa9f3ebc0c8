package coldstart

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestInits(t *testing.T) {
	least := map[string]float64{}
	log := "init internal/x @0.1 ms, 0.5 ms clock, 1 bytes, 1 allocs\ninit example.com/keyturn/shared/y @1 ms, 0.25 ms clock, 0 bytes, 0 allocs\nnoise\n"
	if sum := initsOf([]byte(log), least); sum != 0.75 {
		t.Errorf("sum %v", sum)
	}
	initsOf([]byte("init internal/x @0.1 ms, 0.3 ms clock, 1 bytes, 1 allocs\ninit example.com/keyturn @0 ms, 0.010 ms clock, 0 bytes, 0 allocs\n"), least)
	if got := sorted(least, own); len(got) != 2 || got[0].Package != "example.com/keyturn/shared/y" || least["internal/x"] != 0.3 {
		t.Errorf("%v of %v", got, least)
	}
	if own("example.com/keyturnish") {
		t.Error("another module's package is taken for keyturn's")
	}
}

func TestJudgement(t *testing.T) {
	good := Result{Rows: []Row{{Target: "Rotate", Ratio: 1.9, CPURatio: 2.1}, {Target: "Alert", Ratio: 2.2, CPURatio: 1.8}}, Inits: Inits{Own: []Init{{module, 0.1}}}}
	slow, busy := good, good
	slow.Rows, busy.Inits.Own = []Row{{Target: "Alert", Ratio: 2.1, CPURatio: 2.3}}, []Init{{module, 0.3}}
	if err := good.judge(); err != nil {
		t.Error(err)
	}
	for want, r := range map[string]Result{"Alert takes 2.10 times as long as hello-world, and 2.30 times the CPU time": slow, "takes 0.30 ms before main": busy} {
		if err := r.judge(); !errors.Is(err, ErrSlow) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// TestProgramsThatDoNotAnswer are told with what they said.
func TestProgramsThatDoNotAnswer(t *testing.T) {
	if _, err := run(t.Context(), "/no/such/program", "Hello", request{}); err == nil || !strings.Contains(err.Error(), "starting Hello") {
		t.Errorf("error %v", err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			panic(http.ErrAbortHandler)
		}
		http.Error(w, "not now", http.StatusInternalServerError)
	}))
	defer server.Close()
	for path, want := range map[string]string{"/": "it answered HTTP 500: not now", "/hang": "it did not answer", "\x00": "making a request"} {
		if _, err := firstAnswer(t.Context(), server.URL+path, request{header: map[string]string{"A": "b"}}, time.Now()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", path, err, want)
		}
	}
	if peak(-1) != 0 {
		t.Error("no process has memory")
	}
}
