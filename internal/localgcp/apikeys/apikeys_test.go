package apikeys_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	client "cloud.google.com/go/apikeys/apiv2"
	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"example.com/keyturn/internal/localgcp/apikeys"
	"example.com/keyturn/internal/localgcp/operation"
)

func TestLifeOfAKeyOverBothProtocols(t *testing.T) {
	w := serve(t, apikeys.Config{ProjectNumber: func(string) string { return "123456" }})
	for protocol, c := range map[string]*client.Client{"gRPC": w.grpc, "REST": w.rest} {
		t.Run(protocol, func(t *testing.T) { change(t, c, born(t, c, "key-"+strings.ToLower(protocol))) })
	}
}

// born makes a key and reads it back in all ways.
func born(t *testing.T, c *client.Client, id string) *apikeyspb.Key {
	t.Helper()
	ctx := t.Context()
	op, err := c.CreateKey(ctx, &apikeyspb.CreateKeyRequest{Parent: parent, KeyId: id, Key: &apikeyspb.Key{
		DisplayName: "shop", Annotations: map[string]string{"a": "b"}, Restrictions: server("10.0.0.0/8"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^operations/akmf\.p7-123456-[0-9a-f-]{36}$`).MatchString(op.Name()) {
		t.Errorf("operation is named %s", op.Name())
	}
	made, err := op.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^AIza[A-Za-z0-9_-]{35}$`).MatchString(made.GetKeyString()) {
		t.Errorf("a key string of %d characters is not in Google's form", len(made.GetKeyString()))
	}
	name := "projects/123456/locations/global/keys/" + id
	got, err := c.GetKey(ctx, &apikeyspb.GetKeyRequest{Name: parent + "/keys/" + id})
	if err != nil {
		t.Fatal(err)
	}
	want := &apikeyspb.Key{Name: name, DisplayName: "shop", Annotations: map[string]string{"a": "b"}, Restrictions: server("10.0.0.0/8")}
	if diff := cmp.Diff(want, got, protocmp.Transform(), protocmp.IgnoreFields(want, "uid", "create_time", "update_time", "etag")); diff != "" {
		t.Error(diff)
	}
	if !got.GetCreateTime().AsTime().Equal(start) || got.GetUid() == id || len(got.GetUid()) != 36 || !strings.HasPrefix(got.GetEtag(), `W/"`) {
		t.Errorf("created %v, uid %s, etag %s", got.GetCreateTime().AsTime(), got.GetUid(), got.GetEtag())
	}
	str, err := c.GetKeyString(ctx, &apikeyspb.GetKeyStringRequest{Name: name})
	if err != nil || str.GetKeyString() != made.GetKeyString() {
		t.Errorf("GetKeyString differs from the string that CreateKey answered: %v", err)
	}
	found, err := c.LookupKey(ctx, &apikeyspb.LookupKeyRequest{KeyString: made.GetKeyString()})
	if err != nil || found.GetName() != name || found.GetParent() != "projects/123456/locations/global" {
		t.Errorf("LookupKey = %v, %v", found, err)
	}
	return got
}

// change updates, deletes and undeletes a key.
func change(t *testing.T, c *client.Client, k *apikeyspb.Key) {
	t.Helper()
	ctx, name := t.Context(), k.GetName()
	up, err := c.UpdateKey(ctx, &apikeyspb.UpdateKeyRequest{
		Key:        &apikeyspb.Key{Name: name, DisplayName: "till", Annotations: map[string]string{"not": "masked"}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"display_name"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	updated, err := up.Wait(ctx)
	if err != nil || updated.GetDisplayName() != "till" || updated.GetAnnotations()["a"] != "b" || updated.GetKeyString() != "" || updated.GetEtag() == k.GetEtag() {
		t.Errorf("UpdateKey = %v, %v", updated, err)
	}
	del, err := c.DeleteKey(ctx, &apikeyspb.DeleteKeyRequest{Name: name, Etag: updated.GetEtag()})
	if err != nil {
		t.Fatal(err)
	}
	gone, err := del.Wait(ctx)
	if err != nil || !gone.GetDeleteTime().AsTime().Equal(start) {
		t.Errorf("DeleteKey = %v, %v", gone, err)
	}
	un, err := c.UndeleteKey(ctx, &apikeyspb.UndeleteKeyRequest{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	back, err := un.Wait(ctx)
	if err != nil || back.GetDeleteTime() != nil {
		t.Errorf("UndeleteKey = %v, %v", back, err)
	}
}

func TestGeneratedIDIsTheUID(t *testing.T) {
	w := serve(t, apikeys.Config{})
	k := w.create(t, "", &apikeyspb.Key{})
	if !strings.HasSuffix(k.GetName(), "/keys/"+k.GetUid()) {
		t.Errorf("name %s, uid %s", k.GetName(), k.GetUid())
	}
}

func TestPagesAndDeleted(t *testing.T) {
	w := serve(t, apikeys.Config{})
	for i := range 5 {
		w.create(t, fmt.Sprintf("k%d", i), nil)
	}
	w.delete(t, parent+"/keys/k2")
	for size := range int32(7) {
		if diff := cmp.Diff([]string{"k0", "k1", "k3", "k4"}, w.list(t, &apikeyspb.ListKeysRequest{PageSize: size})); diff != "" {
			t.Errorf("pages of %d: %s", size, diff)
		}
	}
	if diff := cmp.Diff([]string{"k0", "k1", "k2", "k3", "k4"}, w.list(t, &apikeyspb.ListKeysRequest{ShowDeleted: true})); diff != "" {
		t.Error(diff)
	}
	w.clock.Advance(30 * 24 * time.Hour)
	if got := w.list(t, &apikeyspb.ListKeysRequest{ShowDeleted: true}); len(got) != 4 {
		t.Errorf("after 30 days the listing still shows %v", got)
	}
}

func TestPurge(t *testing.T) {
	w := serve(t, apikeys.Config{})
	k := w.create(t, "old", nil)
	w.delete(t, k.GetName())
	w.clock.Advance(30*24*time.Hour - time.Second)
	if _, err := w.grpc.GetKeyString(t.Context(), &apikeyspb.GetKeyStringRequest{Name: k.GetName()}); err != nil {
		t.Errorf("a second before purging: %v", err)
	}
	w.clock.Advance(time.Second)
	_, err := w.grpc.UndeleteKey(t.Context(), &apikeyspb.UndeleteKeyRequest{Name: k.GetName()})
	wantCode(t, "undelete of a purged key", err, codes.NotFound)
	found, err := w.grpc.LookupKey(t.Context(), &apikeyspb.LookupKeyRequest{KeyString: k.GetKeyString()})
	if err != nil || found.GetName() != "" || !strings.HasSuffix(found.GetParent(), "/locations/global") {
		t.Errorf("lookup of a purged key = %v, %v", found, err)
	}
	if again := w.create(t, "old", nil); again.GetKeyString() == k.GetKeyString() || again.GetUid() == k.GetUid() {
		t.Error("the id of a purged key brought the old key back")
	}
	if _, ok := w.Lookup(k.GetKeyString()); ok {
		t.Error("the purged key authenticates again")
	}
}

func TestLimitOfKeys(t *testing.T) {
	w := serve(t, apikeys.Config{})
	for i := range 300 {
		if _, err := w.CreateKey(t.Context(), &apikeyspb.CreateKeyRequest{Parent: parent, KeyId: fmt.Sprintf("k%d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.grpc.CreateKey(t.Context(), &apikeyspb.CreateKeyRequest{Parent: parent})
	wantCode(t, "the 301st key", err, codes.ResourceExhausted)
	if _, err := w.grpc.CreateKey(t.Context(), &apikeyspb.CreateKeyRequest{Parent: "projects/other/locations/global"}); err != nil {
		t.Errorf("another project's first key: %v", err)
	}
	w.delete(t, parent+"/keys/k7")
	w.create(t, "fits", nil)
}

func TestPropagation(t *testing.T) {
	w := serve(t, apikeys.Config{Lag: time.Minute})
	seen := func() string {
		k, ok := w.Lookup(w.secret(t))
		if !ok {
			return "nothing"
		}
		return strings.Join(k.GetRestrictions().GetServerKeyRestrictions().GetAllowedIps(), ",")
	}
	k := w.create(t, "k", &apikeyspb.Key{Restrictions: server("10.0.0.1")})
	steps := []struct {
		do          func() error
		before, now string
	}{
		{func() error { return nil }, "nothing", "10.0.0.1"},
		{func() error {
			_, err := w.update(t.Context(), &apikeyspb.Key{Name: k.GetName(), Restrictions: server("192.0.2.1")})
			return err
		}, "10.0.0.1", "192.0.2.1"},
		{func() error { w.delete(t, k.GetName()); return nil }, "192.0.2.1", "nothing"},
		{func() error {
			_, err := w.grpc.UndeleteKey(t.Context(), &apikeyspb.UndeleteKeyRequest{Name: k.GetName()})
			return err
		}, "nothing", "192.0.2.1"},
	}
	for i, s := range steps {
		if err := s.do(); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(time.Minute - 1)
		if got := seen(); got != s.before {
			t.Errorf("step %d, before it got there: users see %s, want %s", i, got, s.before)
		}
		w.clock.Advance(1)
		if got := seen(); got != s.now {
			t.Errorf("step %d, when it got there: users see %s, want %s", i, got, s.now)
		}
	}
	if _, ok := w.Lookup("AIzaUnknown"); ok {
		t.Error("an unknown string authenticates")
	}
}

func TestProjectsByNumberAndID(t *testing.T) {
	w := serve(t, apikeys.Config{})
	k := w.create(t, "k", nil)
	number := strings.Split(k.GetName(), "/")[1]
	if !regexp.MustCompile(`^[0-9]{12}$`).MatchString(number) {
		t.Errorf("project number %s", number)
	}
	_, err := w.grpc.CreateKey(t.Context(), &apikeyspb.CreateKeyRequest{Parent: "projects/" + number + "/locations/global", KeyId: "k"})
	wantCode(t, "the same id by the project's number", err, codes.AlreadyExists)
}

func TestOperationTakesTime(t *testing.T) {
	w := serve(t, apikeys.Config{Operations: &operation.Store{Delay: 50 * time.Millisecond}})
	op, err := w.grpc.CreateKey(t.Context(), &apikeyspb.CreateKeyRequest{Parent: parent, KeyId: "k"})
	if err != nil {
		t.Fatal(err)
	}
	if op.Done() {
		t.Error("the operation is done at once")
	}
	if k, err := op.Wait(t.Context()); err != nil || k.GetKeyString() == "" {
		t.Errorf("Wait = %v", err)
	}
}
