package apikeys_test

import (
	"fmt"
	"strings"
	"testing"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"

	"example.com/keyturn/internal/localgcp/apikeys"
)

func TestCreateRefuses(t *testing.T) {
	w := serve(t, apikeys.Config{})
	w.create(t, "taken", &apikeyspb.Key{})
	w.delete(t, w.create(t, "gone", &apikeyspb.Key{}).GetName())
	create := func(parent, id string, k *apikeyspb.Key) error {
		_, err := w.grpc.CreateKey(t.Context(), &apikeyspb.CreateKeyRequest{Parent: parent, KeyId: id, Key: k})
		return err
	}
	for what, c := range map[string]struct {
		err  error
		want codes.Code
	}{
		"create with a used id":             {create(parent, "taken", nil), codes.AlreadyExists},
		"create with a deleted key's id":    {create(parent, "gone", nil), codes.AlreadyExists},
		"create with an upper-case id":      {create(parent, "Taken", nil), codes.InvalidArgument},
		"create with an id ending in -":     {create(parent, "a-", nil), codes.InvalidArgument},
		"create with an id of 64":           {create(parent, strings.Repeat("a", 64), nil), codes.InvalidArgument},
		"create with a UUID":                {create(parent, "b7ff1f9f-8275-410a-94dd-3855ee9b5dd2", nil), codes.InvalidArgument},
		"create without a project":          {create("projects/local", "x", nil), codes.InvalidArgument},
		"create in a region":                {create("projects/local/locations/europe-west1", "x", nil), codes.InvalidArgument},
		"create with a long display name":   {create(parent, "x", &apikeyspb.Key{DisplayName: strings.Repeat("é", 64)}), codes.InvalidArgument},
		"create with too many annotations":  {create(parent, "x", &apikeyspb.Key{Annotations: map[string]string{"a": strings.Repeat("x", 256<<10)}}), codes.InvalidArgument},
		"create with an unnamed annotation": {create(parent, "x", &apikeyspb.Key{Annotations: map[string]string{"": "x"}}), codes.InvalidArgument},
		"create with a bad address":         {create(parent, "x", &apikeyspb.Key{Restrictions: server("10.0.0.300")}), codes.InvalidArgument},
	} {
		wantCode(t, what, c.err, c.want)
	}
}

func TestRefusals(t *testing.T) {
	w := serve(t, apikeys.Config{})
	k := w.create(t, "taken", &apikeyspb.Key{})
	gone := w.create(t, "gone", &apikeyspb.Key{})
	w.delete(t, gone.GetName())
	update := func(k *apikeyspb.Key, paths ...string) error {
		_, err := w.update(t.Context(), k, paths...)
		return err
	}
	remove := func(name, etag string) error {
		_, err := w.grpc.DeleteKey(t.Context(), &apikeyspb.DeleteKeyRequest{Name: name, Etag: etag})
		return err
	}
	undelete := func(name string) error {
		_, err := w.grpc.UndeleteKey(t.Context(), &apikeyspb.UndeleteKeyRequest{Name: name})
		return err
	}
	get := func(name string) error {
		_, err := w.grpc.GetKey(t.Context(), &apikeyspb.GetKeyRequest{Name: name})
		return err
	}
	list := func(req *apikeyspb.ListKeysRequest) error {
		_, err := w.grpc.ListKeys(t.Context(), req).Next()
		if err == iterator.Done {
			return nil
		}
		return err
	}
	str := func(name string) error {
		_, err := w.grpc.GetKeyString(t.Context(), &apikeyspb.GetKeyStringRequest{Name: name})
		return err
	}
	lookup := func(s string) error {
		_, err := w.grpc.LookupKey(t.Context(), &apikeyspb.LookupKeyRequest{KeyString: s})
		return err
	}
	missing := parent + "/keys/missing"
	for what, c := range map[string]struct {
		err  error
		want codes.Code
	}{
		"get what is not there":         {get(missing), codes.NotFound},
		"get a bad name":                {get("keys/x"), codes.InvalidArgument},
		"string of what is not there":   {str(missing), codes.NotFound},
		"string of a bad name":          {str("keys/x"), codes.InvalidArgument},
		"lookup of an unknown string":   {lookup("AIzaUnknown"), codes.NotFound},
		"list with a negative size":     {list(&apikeyspb.ListKeysRequest{Parent: parent, PageSize: -1}), codes.InvalidArgument},
		"list with a bad token":         {list(&apikeyspb.ListKeysRequest{Parent: parent, PageToken: "x"}), codes.InvalidArgument},
		"list of a bad parent":          {list(&apikeyspb.ListKeysRequest{Parent: "x"}), codes.InvalidArgument},
		"update of what is not there":   {update(&apikeyspb.Key{Name: missing}), codes.NotFound},
		"update of a bad name":          {update(&apikeyspb.Key{Name: "x"}), codes.InvalidArgument},
		"update of a deleted key":       {update(&apikeyspb.Key{Name: gone.GetName()}), codes.NotFound},
		"update with a stale etag":      {update(&apikeyspb.Key{Name: k.GetName(), Etag: `W/"old"`}, "display_name"), codes.Aborted},
		"update of the uid":             {update(&apikeyspb.Key{Name: k.GetName(), Uid: "x"}, "uid"), codes.InvalidArgument},
		"update with a bad restriction": {update(&apikeyspb.Key{Name: k.GetName(), Restrictions: server("x")}), codes.InvalidArgument},
		"delete of what is not there":   {remove(missing, ""), codes.NotFound},
		"delete of a deleted key":       {remove(gone.GetName(), ""), codes.NotFound},
		"delete with a stale etag":      {remove(k.GetName(), `W/"old"`), codes.Aborted},
		"undelete of a live key":        {undelete(k.GetName()), codes.AlreadyExists},
		"undelete of what is not there": {undelete(missing), codes.NotFound},
	} {
		wantCode(t, what, c.err, c.want)
	}
	if got, err := w.grpc.GetKey(t.Context(), &apikeyspb.GetKeyRequest{Name: k.GetName()}); err != nil || got.GetEtag() != k.GetEtag() {
		t.Errorf("a refused change left a mark: %v, %v", got, err)
	}
}

func TestUpdateMask(t *testing.T) {
	w := serve(t, apikeys.Config{})
	ios := &apikeyspb.Restrictions{ClientRestrictions: &apikeyspb.Restrictions_IosKeyRestrictions{
		IosKeyRestrictions: &apikeyspb.IosKeyRestrictions{AllowedBundleIds: []string{"com.example.app"}}}}
	targets := server().GetApiTargets()
	for i, c := range []struct {
		paths []string
		sent  *apikeyspb.Key
		want  *apikeyspb.Key
	}{
		{nil, &apikeyspb.Key{DisplayName: "new"}, &apikeyspb.Key{DisplayName: "new", Annotations: map[string]string{"a": "b"}, Restrictions: server("10.1.1.1")}},
		{nil, &apikeyspb.Key{Annotations: map[string]string{"c": "d"}, Restrictions: ios}, &apikeyspb.Key{DisplayName: "old", Annotations: map[string]string{"c": "d"}, Restrictions: ios}},
		{[]string{"*"}, &apikeyspb.Key{DisplayName: "new"}, &apikeyspb.Key{DisplayName: "new"}},
		{[]string{"restrictions"}, &apikeyspb.Key{}, &apikeyspb.Key{DisplayName: "old", Annotations: map[string]string{"a": "b"}}},
		{[]string{"restrictions.api_targets"}, &apikeyspb.Key{}, &apikeyspb.Key{DisplayName: "old", Annotations: map[string]string{"a": "b"},
			Restrictions: &apikeyspb.Restrictions{ClientRestrictions: server("10.1.1.1").GetClientRestrictions()}}},
		{[]string{"restrictions.ios_key_restrictions"}, &apikeyspb.Key{Restrictions: ios}, &apikeyspb.Key{DisplayName: "old", Annotations: map[string]string{"a": "b"},
			Restrictions: &apikeyspb.Restrictions{ApiTargets: targets, ClientRestrictions: ios.GetClientRestrictions()}}},
		{[]string{"annotations"}, &apikeyspb.Key{}, &apikeyspb.Key{DisplayName: "old", Restrictions: server("10.1.1.1")}},
	} {
		k := w.create(t, fmt.Sprintf("k%d", i), &apikeyspb.Key{DisplayName: "old", Annotations: map[string]string{"a": "b"}, Restrictions: server("10.1.1.1")})
		c.sent.Name = k.GetName()
		got, err := w.update(t.Context(), c.sent, c.paths...)
		if err != nil {
			t.Errorf("%v: %v", c.paths, err)
		}
		if diff := cmp.Diff(c.want, got, protocmp.Transform(), protocmp.IgnoreFields(c.want, "name", "uid", "create_time", "update_time", "etag")); diff != "" {
			t.Errorf("%v: %s", c.paths, diff)
		}
	}
	bare := w.create(t, "bare", nil)
	got, err := w.update(t.Context(), &apikeyspb.Key{Name: bare.GetName(), Restrictions: server("10.1.1.1")}, "restrictions.api_targets", "restrictions.server_key_restrictions")
	if err != nil || cmp.Diff(server("10.1.1.1"), got.GetRestrictions(), protocmp.Transform()) != "" {
		t.Errorf("restrictions of a key that had none: %v, %v", got.GetRestrictions(), err)
	}
}
