package policy

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/genproto/googleapis/type/expr"
	"google.golang.org/grpc/codes"
)

// narrow is a policy that lets an account read the secrets whose names begin with
// app-, until a time.
func narrow(t *testing.T, s *Store) {
	t.Helper()
	b := binding("roles/secretmanager.secretAccessor", "serviceAccount:"+rot)
	b.Condition = &expr.Expr{Title: "app", Expression: `resource.name.startsWith("projects/7/secrets/app-") && request.time < timestamp("2030-01-02T00:00:00Z")`}
	if _, err := s.Set("projects/local", &iampb.Policy{Version: 3, Bindings: []*iampb.Binding{b}}); err != nil {
		t.Fatal(err)
	}
}

func TestConditionsNarrowGrants(t *testing.T) {
	s := NewStore()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	s.Now, s.Number = func() time.Time { return now }, func(string) string { return "7" }
	narrow(t, s)
	may := func(secret string) bool {
		name := "projects/local/secrets/" + secret
		return s.Holds(rot, "secretmanager.versions.access", name+"/versions/1", name, "projects/local")
	}
	if !may("app-key") || may("seal") {
		t.Errorf("app-key %v, seal %v", may("app-key"), may("seal"))
	}
	now = now.Add(24 * time.Hour)
	if may("app-key") {
		t.Error("after its time the grant goes on")
	}
	if len(s.Uses()) > 0 {
		t.Errorf("what was only asked is noted: %v", s.Uses())
	}
}

func TestConditionsAreCheckedWhenTheyAreSet(t *testing.T) {
	b := binding("roles/viewer", "user:a@example.com")
	b.Condition = &expr.Expr{Title: "t", Expression: "resource.name = 1"}
	_, err := NewStore().Set("projects/local", &iampb.Policy{Version: 3, Bindings: []*iampb.Binding{b}})
	wantStatus(t, err, codes.InvalidArgument, "Invalid condition expression")
}

func TestUsesAreNoted(t *testing.T) {
	s := NewStore()
	narrow(t, s) // by the machine's clock, and by ids
	if _, err := s.Set("projects/local/topics/t", &iampb.Policy{Bindings: []*iampb.Binding{binding("roles/pubsub.publisher", "serviceAccount:"+rot)}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s.Allows(rot, "pubsub.topics.publish", "projects/local/topics/t", "projects/local")
	}
	s.Allows(rot, "secretmanager.versions.access", "projects/local/secrets/seal", "projects/local")
	s.Allows(rot, "resourcemanager.organizations.get")
	want := []Use{
		{Caller: rot, Permission: "pubsub.topics.publish", Resource: "projects/local/topics/t", On: "projects/local/topics/t", Role: "roles/pubsub.publisher"},
		{Caller: rot, Permission: "resourcemanager.organizations.get"},
		{Caller: rot, Permission: "secretmanager.versions.access", Resource: "projects/local/secrets/seal"},
	}
	if got := s.Uses(); !slices.Equal(got, want) || !got[0].Granted() || got[2].Granted() {
		t.Errorf("noted: %+v", got)
	}
	for i := range maxUses + 10 {
		s.Allows(rot, "x.y.z", strconv.Itoa(i))
	}
	if n := len(s.Uses()); n != maxUses {
		t.Errorf("%d uses are kept", n)
	}
}
