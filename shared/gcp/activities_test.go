package gcp

import (
	"path"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp/fault"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestActivitiesOfKeys(t *testing.T) {
	w := newWorld(t, 0)
	account := w.account("billing")
	used, _, err := w.CreateAccountKey(t.Context(), account)
	must(t, err)
	idle, _, err := w.CreateAccountKey(t.Context(), account)
	must(t, err)
	w.gcp.Activities.Count("", map[string]string{"key_id": path.Base(used.ID)}, "", nil, 1)
	began := w.clock.Now()
	w.clock.Advance(60 * 24 * time.Hour)
	known, err := w.KeyActivities(t.Context(), testProject)
	must(t, err)
	a, b := known[path.Base(used.ID)], known[path.Base(idle.ID)]
	if len(known) != 2 || a.Last.Before(began) || a.Last.After(began.Add(24*time.Hour)) || a.From.After(began) || w.clock.Now().Sub(a.Through) > 4*24*time.Hour || !b.Last.IsZero() || b.Through != a.Through {
		t.Errorf("%+v", known)
	}
}

func TestActivitiesThatCannotBeRead(t *testing.T) {
	w := newWorld(t, 0)
	w.inject("QueryActivity", fault.Fault{Before: status.Error(codes.PermissionDenied, "on purpose")})
	if _, err := w.KeyActivities(t.Context(), testProject); !IsPermissionDenied(err) || !strings.Contains(err.Error(), "asking when the keys of acme were last used") {
		t.Error(err)
	}
	odd := keyActivity{FullResourceName: "//n"}
	for _, text := range []string{"1", `{"lastAuthenticatedTime":1}`, ""} {
		odd.Activity = []byte(text)
		if got, err := activityOf(odd); err == nil {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
	odd.Activity = []byte(`{"lastAuthenticatedTime":"yesterday"}`)
	if got, err := activityOf(odd); err != nil || !got.Last.IsZero() || !got.Through.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
}
