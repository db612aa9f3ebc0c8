package localgcp

import (
	"strings"
	"testing"
	"time"

	iam "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/quota"
)

// The policy clock does not refill a quota, and each door counts.
func TestQuotasAreOfWallTime(t *testing.T) {
	now := time.Unix(1_900_000_000, 0)
	w := startWith(t, Config{Wall: func() time.Time { return now }, Quotas: quota.Limits{"iam.googleapis.com": {quota.Write: 3, quota.Read: 1}}})
	accounts := open(w, iam.NewIamClient, w.overGRPC())
	account := w.account("one")
	const create = `{"accountId":"two","serviceAccount":{}}`
	if code, answer := w.call("POST /v1/projects/acme/serviceAccounts", create); code != 200 {
		t.Fatalf("%d %v", code, answer)
	}
	_, err := accounts.GetServiceAccount(t.Context(), &adminpb.GetServiceAccountRequest{Name: account.GetName()})
	w.must(err)
	_, err = accounts.GetServiceAccount(t.Context(), &adminpb.GetServiceAccountRequest{Name: "projects/-/serviceAccounts/" + account.GetEmail()})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a second read: %v", err)
	}
	w.must(accounts.DisableServiceAccount(t.Context(), &adminpb.DisableServiceAccountRequest{Name: account.GetName()}))
	w.clock.Advance(24 * time.Hour)
	const text = "Quota exceeded for quota metric 'Write requests' and limit 'Write requests per minute' of service 'iam.googleapis.com' for consumer 'project_number:"
	if code, answer := w.call("POST /v1/projects/acme/serviceAccounts", create); code != 429 || !strings.HasPrefix(message(answer), text) {
		t.Errorf("a fourth write: %d %v", code, answer)
	}
	now = now.Add(time.Minute)
	if code, answer := w.call("POST /v1/projects/acme/serviceAccounts", create); code != 409 {
		t.Errorf("a minute later: %d %v", code, answer)
	}
}

func TestGoogleQuotas(t *testing.T) {
	now := time.Unix(1_900_000_000, 0)
	w := startWith(t, Config{Wall: func() time.Time { return now }, Quotas: GoogleQuotas()})
	for range 60 {
		if code, answer := w.call("POST /v2/entries:list", `{"resourceNames":["projects/acme"]}`); code != 200 {
			t.Fatalf("%d %v", code, answer)
		}
	}
	if code, answer := w.call("POST /v2/entries:list", `{"resourceNames":["projects/acme"]}`); code != 429 || !strings.Contains(message(answer), "logging.googleapis.com") {
		t.Errorf("%d %v", code, answer)
	}
}
