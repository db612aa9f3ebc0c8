package rollout

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
	runlocal "example.com/keyturn/internal/localgcp/run"
	"example.com/keyturn/shared/gcp/traffic"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

const (
	one = "projects/acme/locations/us-central1/services/one"
	two = "projects/acme/locations/us-central1/services/two"
)

// world is an embedded cloud with services, and a rollout there.
type world struct {
	*testing.T
	cloud *localgcp.Cloud
	Rollout
	said  []string
	asked []string // URLs
}

func start(t *testing.T) *world {
	t.Helper()
	cloud, err := localgcp.Start(localgcp.Config{Addr: "127.0.0.1:0", ProjectID: "acme", Clock: clock.NewFrozen(time.Unix(2e9, 0))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cloud.Close() })
	client, err := traffic.New(t.Context(), option.WithEndpoint(cloud.Addr()), option.WithoutAuthentication(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	w := &world{T: t, cloud: cloud}
	w.Rollout = Rollout{
		Services: client, Percent: 10, Watch: 2 * time.Millisecond, Every: time.Millisecond, Say: func(line string) { w.said = append(w.said, line) },
		Check: func(_ context.Context, _, url string, _ traffic.Service) error {
			w.asked = append(w.asked, url)
			return nil
		},
	}
	return w
}

// deploy makes the next revision of a service.
func (w *world) deploy(service, revision string) {
	w.cloud.Run.Deployed(runlocal.Revision{Service: service, Name: revision, URL: "https://" + revision[:3], Address: "https://" + revision})
}

// replace deploys services once more, as cloudbuild.yaml does.
func (w *world) replace(services ...string) {
	w.Helper()
	for _, s := range services {
		name := s[len(s)-3:]
		w.deploy(s, name+"-1")
		if f, err := w.Hold(w.Context(), s); err != nil || f.Outcome != Held || f.Former != name+"-1" {
			w.Fatalf("held: %+v, %v", f, err)
		}
		w.deploy(s, name+"-2")
		w.goes(s, name+"-1", 100)
	}
}

// goes wants a revision to get that share of the requests.
func (w *world) goes(service, revision string, percent int) {
	w.Helper()
	n := 0
	for dice := range 100 {
		if w.cloud.Run.Route(service, dice) == "https://"+revision {
			n++
		}
	}
	if n != percent {
		w.Errorf("%d %% of the requests go to %s, want %d", n, revision, percent)
	}
}

func (w *world) targets(service string) []traffic.Target {
	w.Helper()
	s, err := w.Services.Get(w.Context(), service)
	if err != nil {
		w.Fatal(err)
	}
	return s.Targets
}

func TestNewRevisionsTakeOverByAndBy(t *testing.T) {
	w := start(t)
	w.replace(one, two)
	var shares []string
	w.Check = func(_ context.Context, function, url string, _ traffic.Service) error {
		w.asked = append(w.asked, url)
		if function == "one" {
			shares = append(shares, w.cloud.Run.Route(one, 89)+" "+w.cloud.Run.Route(one, 99))
		}
		return nil
	}
	functions, err := w.Advance(t.Context(), []string{one, two})
	if err != nil || functions[0].Outcome != Advanced || functions[1].Outcome != Advanced || functions[0].Former != "one-1" || functions[0].Candidate != "one-2" {
		t.Fatalf("%+v, %v", functions, err)
	}
	if want := []string{"https://one-1 https://one-1", "https://one-1 https://one-2", "https://one-1 https://one-2"}; !slices.Equal(shares, want) {
		t.Errorf("while it was asked, 89 and 99 went to %q, want %q", shares, want)
	}
	if want := []string{"https://one-2", "https://two-2"}; !slices.Equal(w.asked[:2], want) {
		t.Errorf("asked %q, want %q", w.asked[:2], want)
	}
	for _, s := range []string{one, two} {
		if got := w.targets(s); len(got) != 1 || got[0] != (traffic.Target{Percent: 100}) {
			t.Errorf("in the end requests go to %+v", got)
		}
	}
	if w.deploy(one, "one-3"); w.cloud.Run.Route(one, 0) != "https://one-3" {
		t.Error("what is deployed without a rollout gets no requests")
	}
}

// TestStepsBack has each phase fail.
func TestStepsBack(t *testing.T) {
	broken := errors.New("no seal")
	for name, tt := range map[string]struct {
		good int // asked so often, a function works
		said string
	}{
		"at first":           {0, "one: 0 % of the requests go to one-2"},
		"the other":          {1, "one: the self-check of one-2 succeeded"},
		"with a share":       {2, "one: 10 % of the requests go to one-2"},
		"at the end of both": {5, "one: 10 % of the requests go to one-2"},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			w.replace(one, two)
			n := 0
			w.Check = func(context.Context, string, string, traffic.Service) error {
				if n++; n > tt.good {
					return broken
				}
				return nil
			}
			functions, err := w.Advance(t.Context(), []string{one, two})
			if !errors.Is(err, broken) || functions[0].Outcome != Returned || functions[1].Outcome != Returned {
				t.Errorf("%+v, %v", functions, err)
			}
			for _, s := range []string{one, two} {
				if got := w.targets(s); len(got) != 1 || got[0].Percent != 100 || !strings.HasSuffix(got[0].Revision, "-1") {
					t.Errorf("in the end requests go to %+v", got)
				}
			}
			if !slices.ContainsFunc(w.said, func(line string) bool { return strings.HasPrefix(line, tt.said) }) {
				t.Errorf("it said %q, and not %q", w.said, tt.said)
			}
		})
	}
}

func TestStepsBackWhenInterrupted(t *testing.T) {
	w := start(t)
	w.replace(one)
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	w.Watch, w.Every = time.Hour, time.Hour
	w.Check = func(context.Context, string, string, traffic.Service) error { asked++; return nil }
	w.Say = func(line string) {
		if strings.Contains(line, "10 %") {
			cancel()
		}
	}
	functions, err := w.Advance(ctx, []string{one})
	if !errors.Is(err, context.Canceled) || functions[0].Outcome != Returned || asked != 1 {
		t.Errorf("%+v after asking %d times, %v", functions, asked, err)
	}
	w.goes(one, "one-1", 100)
}

// TestGoesOnWhereItWasEnded leaves the state that a process leaves which is killed.
func TestGoesOnWhereItWasEnded(t *testing.T) {
	for name, percent := range map[string]int{"tagged": 0, "shared": 10} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			w.replace(one)
			left := func() {
				s, err := w.Services.Get(t.Context(), one)
				if err == nil {
					_, err = w.Services.Set(t.Context(), s, []traffic.Target{{Revision: "one-1", Percent: 100 - percent}, {Revision: "one-2", Percent: percent, Tag: Tag}})
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			left()
			if f, err := w.Hold(t.Context(), one); err != nil || f.Former != "one-1" {
				t.Errorf("held: %+v, %v", f, err)
			}
			w.goes(one, "one-1", 100)
			left()
			if f, err := w.Advance(t.Context(), []string{one}); err != nil || f[0].Outcome != Advanced {
				t.Errorf("advanced: %+v, %v", f, err)
			}
			w.goes(one, "one-2", 100)
		})
	}
}

func TestFirstDeployment(t *testing.T) {
	w := start(t)
	if f, err := w.Hold(t.Context(), one); err != nil || f.Outcome != Absent {
		t.Errorf("held: %+v, %v", f, err)
	}
	if f, err := w.Advance(t.Context(), []string{one}); status.Code(err) != codes.NotFound || f[0].Outcome != Untouched {
		t.Errorf("advanced: %+v, %v", f, err)
	}
	w.deploy(one, "one-1")
	f, err := w.Advance(t.Context(), []string{one})
	if err != nil || f[0].Outcome != Alone || len(w.asked) == 0 || w.asked[0] != "https://one" {
		t.Errorf("advanced: %+v, asked %q, %v", f, w.asked, err)
	}
	w.Check = func(context.Context, string, string, traffic.Service) error { return errors.New("no seal") }
	if f, err = w.Advance(t.Context(), []string{one}); err == nil || !strings.Contains(err.Error(), "no other revision to step back to") || f[0].Outcome != Alone {
		t.Errorf("advanced: %+v, %v", f, err)
	}
	// Pinned, and nothing new came of the deployment.
	if _, err = w.Hold(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	w.Check = func(context.Context, string, string, traffic.Service) error { return nil }
	if f, err = w.Advance(t.Context(), []string{one}); err != nil || f[0].Outcome != Alone || w.targets(one)[0].Revision != "" {
		t.Errorf("advanced: %+v, %v", f, err)
	}
}

// TestOthersAreLeftAlone changes the service while it is watched.
func TestOthersAreLeftAlone(t *testing.T) {
	for name, tt := range map[string]struct {
		meanwhile func(w *world)
		outcome   Outcome
		gets      string
	}{
		"deployed again": {func(w *world) { w.deploy(one, "one-3") }, Returned, "one-1"},
		"sent elsewhere": {func(w *world) {
			s, _ := w.Services.Get(w.Context(), one)
			if _, err := w.Services.Set(w.Context(), s, []traffic.Target{{Revision: "one-2", Percent: 100}}); err != nil {
				w.Fatal(err)
			}
		}, Stuck, "one-2"},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			w.replace(one)
			asked := 0
			w.Check = func(context.Context, string, string, traffic.Service) error {
				if asked++; asked == 2 {
					tt.meanwhile(w)
				}
				return nil
			}
			f, err := w.Advance(t.Context(), []string{one})
			if !errors.Is(err, errOvertaken) || f[0].Outcome != tt.outcome {
				t.Errorf("%+v, %v", f, err)
			}
			w.goes(one, tt.gets, 100)
		})
	}
}

func TestSplitByHandIsNotTouched(t *testing.T) {
	w := start(t)
	w.deploy(one, "one-1")
	w.deploy(one, "one-2")
	s, err := w.Services.Get(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Services.Set(t.Context(), s, []traffic.Target{{Revision: "one-1", Percent: 50}, {Percent: 50}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Hold(t.Context(), one); err == nil || !strings.Contains(err.Error(), "split by hand (one-1, one-2)") {
		t.Errorf("held: %v", err)
	}
	if _, err := w.Advance(t.Context(), []string{one}); err == nil || !strings.Contains(err.Error(), "split by hand") {
		t.Errorf("advanced: %v", err)
	}
	w.goes(one, "one-1", 50)
}

func TestTagsOfOthersStay(t *testing.T) {
	w := start(t)
	w.replace(one)
	s, err := w.Services.Get(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Services.Set(t.Context(), s, append(s.Targets, traffic.Target{Revision: "one-1", Tag: "old"})); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Advance(t.Context(), []string{one}); err != nil {
		t.Fatal(err)
	}
	if got := w.targets(one); len(got) != 2 || got[1].Tag != "old" {
		t.Errorf("in the end there are %+v", got)
	}
}
