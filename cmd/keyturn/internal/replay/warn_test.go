package replay

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/detect"
)

func TestALedgerThatIsTooOldIsTold(t *testing.T) {
	made := strings.NewReplacer(`"s.googleapis.com"`, `"iam.googleapis.com"`, `"m0"`, `"google.iam.admin.v1.CreateServiceAccountKey","response":{"name":"projects/p/serviceAccounts/b@p.iam.gserviceaccount.com/keys/`+strings.Repeat("c", 40)+`"}`).Replace(entry(0, 0))
	for hours, want := range map[int]string{5: "the ledger is of 2026-03-01T07:00:00Z, 5.0 hours older than the log's end", -1: ""} {
		l := &detect.Ledger{At: start.Add(-time.Duration(hours) * time.Hour), Secrets: []detect.LedgerSecret{{Name: "projects/p/secrets/b", Target: "//iam.googleapis.com/projects/p/serviceAccounts/b@p.iam.gserviceaccount.com"}}}
		r, err := Run(t.Context(), Config{Files: []string{write(t, t.TempDir(), "log", []byte(made))}, Ledger: l})
		if err != nil || r.Decoded != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		if (r.Findings == 0) != (want != "") || len(r.Warnings) > 1 || !strings.Contains(fmt.Sprint(r.Warnings), want) || (len(r.Warnings) == 0) != (want == "") {
			t.Errorf("a ledger %d hours older: %d findings, warnings %q", hours, r.Findings, r.Warnings)
		}
	}
}
