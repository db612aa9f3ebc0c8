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
	for hours, want := range map[int]string{5: "the ledger is of 2026-03-01T07:00:00Z, and the log begins at 2026-03-01T11:00:00Z: keys", 0: "the ledger is of 2026-03-01T12:00:00Z, 0.0 hours older than the log's end", -1: ""} {
		l := &detect.Ledger{At: start.Add(-time.Duration(hours) * time.Hour), Secrets: []detect.LedgerSecret{{Name: "projects/p/secrets/b", Target: "//iam.googleapis.com/projects/p/serviceAccounts/b@p.iam.gserviceaccount.com"}}}
		r, err := Run(t.Context(), Config{Files: []string{write(t, t.TempDir(), "log", append([]byte(entry(-3600, 0)+"\n"), made...))}, Ledger: l})
		if err != nil || r.Decoded != 2 {
			t.Fatalf("%+v, %v", r, err)
		}
		if (r.Findings == 0) != (want != "") || len(r.Warnings) > 1 || !strings.Contains(fmt.Sprint(r.Warnings), want) || (len(r.Warnings) == 0) != (want == "") {
			t.Errorf("a ledger %d hours older: %d findings, warnings %q", hours, r.Findings, r.Warnings)
		}
	}
}

// A crowd of callers without a name, within a minute, is more than waits at once.
func TestQuestionsThatWereNotAskedAreTold(t *testing.T) {
	var log []byte
	for i := range 20_000 {
		log = fmt.Appendf(log, `{"insertId":"%d","timestamp":%q,"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","status":{"code":7},"serviceName":"s.googleapis.com","methodName":"m",`+
			`"requestMetadata":{"callerIp":"192.0.2.7","callerSuppliedUserAgent":"x/%d"},"authorizationInfo":[{"permission":"s.things.get"}]}}`+"\n",
			i, start.Add(time.Duration(i)*time.Millisecond).Format(time.RFC3339Nano), i)
	}
	r, err := Run(t.Context(), Config{Files: []string{write(t, t.TempDir(), "log", log)}})
	if err != nil || r.Denials != 20_000 || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "too much waited for later entries at once: 3616 of callers-without-a-name could not") {
		t.Errorf("%d denials, warnings %q, %v", r.Denials, r.Warnings, err)
	}
}
