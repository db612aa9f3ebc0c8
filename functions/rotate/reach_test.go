package rotate

import (
	"path"
	"slices"
	"strings"
	"testing"

	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
)

// TestReach tells beforehand what a disabled service account takes along.
func TestReach(t *testing.T) {
	t.Parallel()
	e := newWatched(t)
	secret, account := e.account("shared", rotation.Upload)
	second := e.secret("second", e.newKey(account).GetPrivateKeyData())
	e.clock.Advance(lag)
	e.adopt(Adoption{Secret: second, Kind: rotation.ServiceAccountKey, Target: account, Policy: watched})
	e.account("bystander", rotation.Upload)
	e.consumer(second).use()
	r, err := e.f.Reach(e.ctx, secret)
	must(t, err)
	slices.Sort(r.Credentials)
	slices.Sort(r.Keys)
	if r.Account != path.Base(account) || !slices.Equal(r.Credentials, []string{"second", "shared"}) || !slices.Equal(r.Keys, e.accountKeys(account)) {
		t.Errorf("reach %+v", r)
	}
	if len(r.Users) != 1 || !strings.Contains(r.Users[0], "10.1.2.3") || !strings.Contains(r.Users[0], "payroll/2.1") {
		t.Errorf("users %q", r.Users)
	}
	key, _ := e.apiKey("none")
	_, err = e.f.Reach(e.ctx, key)
	says(t, err, "an API key mints none")
	for _, method := range []string{"/GetSecret", "/ListSecrets", "/ListServiceAccountKeys", "/ListLogEntries"} {
		lift := e.refuse(codes.PermissionDenied, method)
		_, err = e.f.Reach(e.ctx, secret)
		says(t, err, "refused on purpose")
		lift()
	}
}
