package gcp

import (
	"context"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/inventory"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestCredentialsOfAProject(t *testing.T) {
	w := somewhere(t)
	account := w.account("billing")
	_, _, err := w.CreateAccountKey(t.Context(), account)
	must(t, err)
	now := time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC)
	s, err := w.ProjectCredentials(t.Context(), testProject, func() time.Time { return now })
	must(t, err)
	p := s.Projects[0]
	if s.Scope != "projects/acme" || s.Home != testProject || !s.At.Equal(now) || len(p.Gaps) > 0 || len(p.Accounts) != 2 || len(p.APIKeys) != 3 || len(p.Secrets) != 1 || len(p.Uses) != len(Recorded) {
		t.Errorf("%+v", s)
	}
	for _, a := range p.Accounts {
		if want := map[bool]int{true: 1}[a.Email == "billing@acme.iam.gserviceaccount.com"]; len(a.Keys) != want {
			t.Errorf("%s has %d keys", a.Email, len(a.Keys))
		}
	}
}

func TestCredentialsThatCouldNotBeRead(t *testing.T) {
	w := somewhere(t)
	for method, want := range map[string]inventory.Gap{
		"ListServiceAccounts":    {Part: inventory.Accounts, Of: "projects/acme"},
		"ListServiceAccountKeys": {Part: inventory.AccountKeys, Of: someAccount},
		"ListKeys":               {Part: inventory.APIKeys, Of: "projects/acme"},
		"ListSecrets":            {Part: inventory.Secrets, Of: "projects/acme"},
		"ListTimeSeries":         {Part: inventory.Uses, Of: "projects/acme", Kind: inventory.AccountKeyKind},
	} {
		w.refuse(method)
		s, err := w.ProjectCredentials(t.Context(), testProject, time.Now)
		must(t, err)
		if len(s.Projects[0].Gaps) == 0 {
			t.Errorf("%s leaves no gap", method)
			continue
		}
		got := s.Projects[0].Gaps[0]
		if got.Part != want.Part || got.Of != want.Of || got.Kind != want.Kind || got.Cause != inventory.NoPermission {
			t.Errorf("%s leaves %+v", method, got)
		}
	}
	w.inject("ListServiceAccounts", fault.Fault{Before: status.Error(codes.Unavailable, "outage")})
	if _, err := w.ProjectCredentials(t.Context(), testProject, time.Now); !IsUnavailable(err) {
		t.Errorf("nobody answers: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.ProjectCredentials(ctx, testProject, time.Now); err == nil {
		t.Error("a reading that was interrupted is taken for one to its end")
	}
}
