package rollout

import (
	"context"
	"strings"
	"testing"

	"example.com/keyturn/shared/gcp/traffic"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// faulty has changes fail: those whose number fail names.
type faulty struct {
	Services
	n    int
	fail func(n int) error
	done bool // although they fail
}

func (f *faulty) Set(ctx context.Context, s traffic.Service, targets []traffic.Target) (traffic.Service, error) {
	f.n++
	err := f.fail(f.n)
	if err == nil || f.done {
		now, failed := f.Services.Set(ctx, s, targets)
		if err == nil {
			return now, failed
		}
	}
	return traffic.Service{}, err
}

func TestChangesThatFail(t *testing.T) {
	denied, raced := status.Error(codes.PermissionDenied, "no"), status.Error(codes.Aborted, "raced")
	from := func(first int, err error) func(int) error {
		return func(n int) error {
			if n >= first {
				return err
			}
			return nil
		}
	}
	only := func(which int, err error) func(int) error {
		return func(n int) error {
			if n == which {
				return err
			}
			return nil
		}
	}
	for name, tt := range map[string]struct {
		fail    func(int) error
		done    bool
		err     string
		outcome Outcome
		gets    string
	}{
		"at once":               {fail: from(1, denied), err: "no", outcome: Returned, gets: "one-1"},
		"the last":              {fail: only(3, denied), err: "no", outcome: Returned, gets: "one-1"},
		"the last, and done":    {fail: only(3, denied), done: true, err: "no", outcome: Returned, gets: "one-1"},
		"a race":                {fail: only(2, raced), outcome: Advanced, gets: "one-2"},
		"a race that was won":   {fail: only(2, raced), done: true, outcome: Advanced, gets: "one-2"},
		"races without end":     {fail: from(1, raced), err: "raced", outcome: Returned, gets: "one-1"},
		"cannot step back":      {fail: from(3, denied), err: "do it by gcloud run services update-traffic one --to-revisions=one-1=100", outcome: Stuck, gets: "one-1"},
		"asked, and not denied": {fail: only(9, denied), outcome: Advanced, gets: "one-2"},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			w.replace(one)
			w.Services = &faulty{Services: w.Services, fail: tt.fail, done: tt.done}
			f, err := w.Advance(t.Context(), []string{one})
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) || f[0].Outcome != tt.outcome {
				t.Errorf("%+v, %v", f, err)
			}
			if tt.outcome != Stuck {
				w.goes(one, tt.gets, 100)
			}
		})
	}
	w := start(t)
	w.deploy(one, "one-1")
	w.Services = &faulty{Services: w.Services, fail: from(1, denied)}
	if _, err := w.Hold(t.Context(), one); status.Code(err) != codes.PermissionDenied {
		t.Errorf("held: %v", err)
	}
}

// unready has the newest revision not be ready.
type unready struct{ Services }

func (u unready) Get(ctx context.Context, name string) (traffic.Service, error) {
	s, err := u.Services.Get(ctx, name)
	s.Newest = "one-3"
	return s, err
}

func TestRevisionThatIsNotReady(t *testing.T) {
	w := start(t)
	w.replace(one)
	w.Services = unready{w.Services}
	if f, err := w.Advance(t.Context(), []string{one}); err == nil || !strings.Contains(err.Error(), "one-3, is not ready") || f[0].Outcome != Untouched {
		t.Errorf("%+v, %v", f, err)
	}
	w.goes(one, "one-1", 100)
}
