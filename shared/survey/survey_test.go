package survey

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	iam "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/internal/localgcp/hierarchy"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/inventory"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// world is an organisation: home is directly below it, outer below a folder, and
// inner below a folder in that.
type world struct {
	*testing.T
	gcp   *localgcp.Cloud
	cloud *gcp.Cloud
	clock *clock.Clock
	iam   *iam.IamClient
}

// pair is the same for all keys: making one takes longer than anything else here.
var pair = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, clock: clock.NewFrozen(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))}
	var err error
	w.gcp, err = localgcp.Start(localgcp.Config{Addr: "127.0.0.1:0", ProjectID: "home", Clock: w.clock, Pair: pair})
	must(t, err)
	t.Cleanup(func() { must(t, w.gcp.Close()) })
	w.gcp.Hierarchy.AddFolder(hierarchy.Folder{Name: "folders/10", Parent: hierarchy.Organization})
	w.gcp.Hierarchy.AddFolder(hierarchy.Folder{Name: "folders/20", Parent: "folders/10"})
	w.gcp.Hierarchy.AddProject(hierarchy.Project{ID: "outer", Name: "Outer", Parent: "folders/10"})
	w.gcp.Hierarchy.AddProject(hierarchy.Project{ID: "inner", Name: "Inner", Parent: "folders/20"})
	w.cloud, err = gcp.New(gcp.Config{Project: "home", Endpoint: w.gcp.Addr(), Wire: &gcp.Wire{
		Pause: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}})
	must(t, err)
	t.Cleanup(func() { must(t, w.cloud.Close()) })
	w.iam, err = iam.NewIamClient(t.Context(), option.WithEndpoint(w.gcp.Addr()), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	must(t, err)
	t.Cleanup(func() { must(t, w.iam.Close()) })
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// accounts makes n accounts with a key each.
func (w *world) accounts(project string, n int) {
	w.Helper()
	for i := range n {
		a, err := w.iam.CreateServiceAccount(w.Context(), &adminpb.CreateServiceAccountRequest{Name: "projects/" + project, AccountId: fmt.Sprintf("bot-%03d", i)})
		must(w.T, err)
		_, err = w.iam.CreateServiceAccountKey(w.Context(), &adminpb.CreateServiceAccountKeyRequest{Name: a.GetName()})
		must(w.T, err)
	}
}

func (w *world) config(scope string) Config {
	return Config{Cloud: w.cloud, Scope: scope, Home: "home", Now: w.clock.Now}
}

// refuse makes methods, given by the ends of their names, answer with a status.
func (w *world) refuse(code codes.Code, methods ...string) {
	w.gcp.Faults.Set(func(called string, _ any) fault.Fault {
		for _, m := range methods {
			if strings.HasSuffix(called, "/"+m) {
				return fault.Fault{Before: status.Error(code, "on purpose")}
			}
		}
		return fault.Fault{}
	})
}

// ids are those of the projects that were read, and of the others.
func ids(s inventory.Snapshot) (in, outside string) {
	for _, p := range s.Projects {
		if p.Outside {
			outside += p.ID + " "
		} else {
			in += p.ID + " "
		}
	}
	return strings.TrimSpace(in), strings.TrimSpace(outside)
}

func TestEveryScopeIsReadWithTheSecretsOfHome(t *testing.T) {
	w := newWorld(t)
	w.accounts("inner", 3)
	for scope, want := range map[string][2]string{
		hierarchy.Organization: {"home outer inner", ""},
		"folders/10":           {"outer inner", "home"},
		"folders/20":           {"inner", "home"},
		"projects/inner":       {"inner", "home"},
		"projects/home":        {"home", ""},
	} {
		s, err := Take(t.Context(), w.config(scope))
		must(t, err)
		in, outside := ids(s)
		if in != want[0] || outside != want[1] || len(s.Gaps) > 0 || s.Scope != scope || !s.At.Equal(w.clock.Now()) {
			t.Errorf("%s: %s outside %s, %+v", scope, in, outside, s.Gaps)
		}
		for _, p := range s.Projects {
			if p.ID == "inner" && (len(p.Accounts) != 3 || len(p.Accounts[2].Keys) != 1 || len(p.Gaps) > 0) {
				t.Errorf("%s: %+v", scope, p)
			}
		}
	}
}

func TestCloudAssetStandsInForResourceManager(t *testing.T) {
	for name, tt := range map[string]struct {
		refused []string
		want    string
		gaps    int
	}{
		"nothing":     {nil, "home outer inner", 0},
		"folders":     {[]string{"ListFolders"}, "home outer inner", 0},
		"projects":    {[]string{"ListProjects"}, "home outer inner", 0},
		"both":        {[]string{"ListProjects", "ListFolders"}, "home outer inner", 0},
		"all of them": {[]string{"ListProjects", "ListFolders", "SearchAllResources"}, "", 2},
		"below":       {[]string{"ListFolders", "SearchAllResources"}, "home", 1},
	} {
		w := newWorld(t)
		w.refuse(codes.PermissionDenied, tt.refused...)
		s, err := Take(t.Context(), w.config(hierarchy.Organization))
		must(t, err)
		in, _ := ids(s)
		if len(strings.Fields(in)) != len(strings.Fields(tt.want)) || len(s.Gaps) != tt.gaps {
			t.Errorf("%s: %s, want %s; gaps %+v", name, in, tt.want, s.Gaps)
		}
		for _, g := range s.Gaps {
			if g.Cause != inventory.NoPermission || g.Of != hierarchy.Organization {
				t.Errorf("%s: %+v", name, g)
			}
		}
	}
}

func TestWhatCannotBeReadIsAGapAndNoMore(t *testing.T) {
	for method, part := range map[string]inventory.Part{
		"GetProject": inventory.Projects, "ListServiceAccounts": inventory.Accounts, "ListServiceAccountKeys": inventory.AccountKeys,
		"ListKeys": inventory.APIKeys, "ListHmacKeys": inventory.HMACKeys, "ListOauthClients": inventory.OAuthClients,
		"ListSecrets": inventory.Secrets, "ListTimeSeries": inventory.Uses, "QueryActivity": inventory.Activities,
	} {
		w := newWorld(t)
		w.accounts("home", 1)
		w.refuse(codes.PermissionDenied, method)
		s, err := Take(t.Context(), w.config("projects/home"))
		must(t, err)
		gaps := s.Projects[0].Gaps
		if len(s.Projects) != 1 || len(gaps) != 1 || gaps[0].Part != part || gaps[0].Cause != inventory.NoPermission || gaps[0].Detail == "" {
			t.Errorf("%s: %+v", method, gaps)
		}
	}
}

// A project in which nothing is ever used has no record at Cloud Monitoring, and says
// nothing by that.
func TestWhatIsNeverUsedIsKnownToBeUnused(t *testing.T) {
	w := newWorld(t)
	w.accounts("home", 2)
	w.clock.Advance(100 * 24 * time.Hour)
	verdicts := func() (all []rotation.Use) {
		s, err := Project(t.Context(), w.cloud, "home", w.clock.Now)
		must(t, err)
		for _, i := range inventory.Classify(s) {
			all = append(all, i.Use.Verdict)
		}
		return all
	}
	if got := verdicts(); !slices.Equal(got, []rotation.Use{rotation.Unused, rotation.Unused}) {
		t.Errorf("%v", got)
	}
	w.refuse(codes.PermissionDenied, "QueryActivity")
	if got := verdicts(); !slices.Equal(got, []rotation.Use{rotation.Unknown, rotation.Unknown}) {
		t.Errorf("without Policy Analyzer: %v", got)
	}
	w.refuse(codes.PermissionDenied, "ListTimeSeries")
	if got := verdicts(); !slices.Equal(got, []rotation.Use{rotation.Unknown, rotation.Unknown}) {
		t.Errorf("without Cloud Monitoring: %v", got)
	}
}

func TestAnAccountThatIsGoneMeanwhileIsNoGap(t *testing.T) {
	w := newWorld(t)
	w.accounts("home", 1)
	w.refuse(codes.NotFound, "ListServiceAccountKeys")
	s, err := Take(t.Context(), w.config("projects/home"))
	must(t, err)
	if len(s.Projects[0].Gaps) > 0 || len(s.Projects[0].Accounts[0].Keys) > 0 {
		t.Errorf("%+v", s.Projects[0])
	}
}

func TestNobodyAnswers(t *testing.T) {
	for _, method := range []string{"GetProject", "ListServiceAccounts", "ListServiceAccountKeys", "ListTimeSeries", "QueryActivity"} {
		w := newWorld(t)
		w.accounts("home", 1)
		w.refuse(codes.Unavailable, method)
		if _, err := Take(t.Context(), w.config("projects/home")); !gcp.IsUnavailable(err) {
			t.Errorf("%s: %v", method, err)
		}
	}
	for _, method := range []string{"ListProjects", "ListFolders"} {
		w := newWorld(t)
		w.refuse(codes.Unavailable, method)
		if _, err := Take(t.Context(), w.config(hierarchy.Organization)); !gcp.IsUnavailable(err) {
			t.Errorf("%s: %v", method, err)
		}
	}
}

// An interrupted survey goes on: nothing is read twice, and the end is the same.
func TestAnInterruptedSurveyGoesOn(t *testing.T) {
	w := newWorld(t)
	w.accounts("home", 40)
	want, err := Take(t.Context(), w.config("projects/home"))
	must(t, err)
	c := w.config("projects/home")
	c.Checkpoint, c.Parallel = filepath.Join(t.TempDir(), "deep", "left.json"), 1
	var calls atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.gcp.Faults.Set(func(called string, _ any) fault.Fault {
		if strings.HasSuffix(called, "/ListServiceAccountKeys") && calls.Add(1) == 20 {
			cancel()
		}
		return fault.Fault{}
	})
	if _, err := Take(ctx, c); !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: %v", err)
	}
	info, err := os.Stat(c.Checkpoint)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v", info.Mode())
	}
	if began, read, ok := Left(c.Checkpoint, w.clock.Now()); !ok || read < 19 || !began.Equal(w.clock.Now()) {
		t.Errorf("left: %v, %d, %v", began, read, ok)
	}
	var listed atomic.Int32
	before := calls.Load()
	w.gcp.Faults.Set(func(called string, _ any) fault.Fault {
		switch {
		case strings.HasSuffix(called, "/ListServiceAccountKeys"):
			calls.Add(1)
		case strings.HasSuffix(called, "/ListServiceAccounts"), strings.HasSuffix(called, "/GetProject"):
			listed.Add(1)
		}
		return fault.Fault{}
	})
	got, err := Take(t.Context(), c)
	must(t, err)
	if asJSON(t, got) != asJSON(t, want) {
		t.Errorf("it ends in another way: gaps %+v, want %+v", got.Projects[0].Gaps, want.Projects[0].Gaps)
	}
	if more := calls.Load() - before; more > 21 || listed.Load() != 0 {
		t.Errorf("%d accounts and %d lists were read again", more, listed.Load())
	}
	if _, err := os.Stat(c.Checkpoint); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file of a finished survey: %v", err)
	}
}

func asJSON(t *testing.T, s inventory.Snapshot) string {
	t.Helper()
	text, err := json.Marshal(s)
	must(t, err)
	return string(text)
}

func TestCheckpointsThatAreNotGoneOnWith(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(t.TempDir(), "left.json")
	c := w.config("projects/home")
	c.Checkpoint = file
	for name, tt := range map[string]struct{ text, want string }{
		"empty":         {"", "it is cut off"},
		"cut off":       {`{"v":1,"snapshot":{"scope":"proj`, "it is cut off"},
		"no JSON":       {"x", "it is damaged: invalid character"},
		"another type":  {`{"v":"1"}`, "it is damaged"},
		"two":           {`{"v":1,"snapshot":{"scope":"projects/home","home":"home"}}{}`, "more follows"},
		"a bracket":     {`{"v":1,"snapshot":{"scope":"projects/home","home":"home"}}]`, "more follows"},
		"unknown field": {`{"v":1,"secret":"x"}`, "unknown field"},
		"format":        {`{"v":9}`, "format 9"},
		"none listed":   {`{"v":1,"listed":true,"snapshot":{"scope":"projects/home","home":"home"}}`, "lacks projects"},
		"one is gone":   {`{"v":1,"projects":["home"],"snapshot":{"scope":"projects/home","home":"home"}}`, "lacks projects"},
		"other scope":   {`{"v":1,"snapshot":{"scope":"projects/other","home":"home"}}`, "another scope"},
		"other home":    {`{"v":1,"snapshot":{"scope":"projects/home","home":"x"}}`, "another scope"},
	} {
		must(t, os.WriteFile(file, []byte(tt.text), 0o600))
		if _, err := Take(t.Context(), c); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "delete the file") {
			t.Errorf("%s: %v", name, err)
		}
	}
	old := fmt.Sprintf(`{"v":1,"listed":true,"projects":["home"],"snapshot":{"at":%q,"scope":"projects/home","home":"home","projects":[{"id":"home"}]}}`, w.clock.Now().Add(-25*time.Hour).Format(time.RFC3339))
	must(t, os.WriteFile(file, []byte(old), 0o600))
	if _, _, ok := Left(file, w.clock.Now()); ok {
		t.Error("a stale file is told of")
	}
	s, err := Take(t.Context(), c)
	if err != nil || len(s.Projects) != 1 || !s.At.Equal(w.clock.Now()) {
		t.Errorf("after a stale file: %+v, %v", s, err)
	}
	c.Checkpoint = filepath.Join("/dev/null", "x")
	if _, err := Take(t.Context(), c); err == nil {
		t.Error("a file that cannot be written was")
	}
	c.Checkpoint = t.TempDir()
	if _, err := Take(t.Context(), c); err == nil {
		t.Error("a directory was read")
	}
}

func TestCheckScope(t *testing.T) {
	for scope, ok := range map[string]bool{
		"projects/acme": true, "folders/12": true, "organizations/12": true,
		"": false, "projects/": false, "folders/acme": false, "acme": false, "projects/a/b": false, "billing/1": false,
	} {
		if err := CheckScope(scope); (err == nil) != ok {
			t.Errorf("%q: %v", scope, err)
		}
	}
	if _, err := Take(t.Context(), Config{Scope: "acme"}); err == nil {
		t.Error("no scope was surveyed")
	}
}

// Whatever stands in the file, it is read or refused, and what is read is written
// as it was.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"v":1,"listed":true,"projects":["home"],"accounts":["a@b"],"snapshot":{"at":"2030-01-01T00:00:00Z","scope":"projects/home","home":"home","projects":[{"id":"home","accounts":[{"email":"a@b","keys":[{"id":"x","created":"2030-01-01T00:00:00Z"}]}]}]}}`))
	f.Add([]byte(`{"v":1,"snapshot":{"projects":[{"id":"p","apiKeys":[{"name":"projects/p/locations/global/keys/k","uid":"u"}],"hmacKeys":[{"accessId":"G"}],"oauthClients":[{"name":"c","credentials":[{"name":"c/credentials/d"}]}],"secrets":[{"name":"projects/p/secrets/s","credential":{"kind":"api-key"}}],"uses":{"api-key":{"last":{"u":"2030-01-01T00:00:00Z"}}},"gaps":[{"part":"uses"}]}]}}`))
	f.Add([]byte(`{"v":2}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := decode(data)
		if err != nil {
			if !reflect.DeepEqual(c, checkpoint{}) {
				t.Errorf("%v, and %+v", err, c)
			}
			return
		}
		inventory.Classify(c.Snapshot)
		written, err := json.Marshal(c)
		must(t, err)
		again, err := decode(written)
		must(t, err)
		twice, err := json.Marshal(again)
		must(t, err)
		if !bytes.Equal(twice, written) {
			t.Errorf("%s is written as %s", written, twice)
		}
	})
}
