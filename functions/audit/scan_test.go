package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// gcloud lists the newest entries first: that is no other incident.
func TestScanLooksAtEntriesByTime(t *testing.T) {
	var log [][]byte
	for i := range 40 {
		log = append(log, denial(fmt.Sprintf("s.things%d.list", i), -time.Duration(i)*12*time.Minute))
	}
	code, _, answer := ask(t, New(Config{}), http.MethodPost, scanCommand(log...))
	var r Report
	must(t, json.Unmarshal(answer, &r))
	if code != http.StatusOK || len(r.Findings) == 0 || r.Findings[0].Detector != detect.PermissionProbing {
		t.Errorf("%d, %+v, want a probe", code, r)
	}
}

// A report says of when the keys are that it went by, and why those are not of now.
func TestReportTellsTheAgeOfTheLedger(t *testing.T) {
	e := newEnv(t)
	from := &listed{err: errors.New("no %s% way")}
	e.f.config.Secrets = from
	scanned := func() (r Report) {
		code, _, answer := ask(t, e.f, http.MethodPost, scanCommand(probe(1)...))
		must(t, json.Unmarshal(answer, &r))
		if code != http.StatusOK || r.Entries != 1 {
			t.Fatalf("%d %s", code, answer)
		}
		return r
	}
	if r := scanned(); !r.Ledger.IsZero() || !strings.Contains(r.Warning, "could not be read: what needs it was not looked for") {
		t.Errorf("without a ledger: %+v", r)
	}
	from.err, from.secrets = nil, append(twoKeys(t), gcp.Secret{Name: "projects/acme/secrets/odd", Labels: map[string]string{rotation.Label: rotation.Managed}})
	must(t, e.sweep())
	if !strings.Contains(e.log.String(), "a credential is not watched") {
		t.Errorf("the log lacks the secret that is no credential: %s", e.log.String())
	}
	known := e.f.memory().known()
	e.clock.Advance(time.Hour)
	if r := scanned(); !r.Ledger.Equal(e.clock.Now()) || r.Warning != "" {
		t.Errorf("with one of now: %+v", r)
	}
	if e.f.memory().known() != known {
		t.Error("a scan changed the ledger that the function goes by")
	}
	from.err = errors.New("no way")
	if r := scanned(); !r.Ledger.Equal(known.At) || !strings.Contains(r.Warning, "is as it was 1h0m0s ago: keys that may be newer are not judged") {
		t.Errorf("with an old one: %+v", r)
	}
}
