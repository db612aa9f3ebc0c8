package rollout

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"example.com/keyturn/shared/gcp/traffic"
)

// Advance has the latest revisions of services, by their full names, take over from the
// former ones: all of them, or none. Each is asked before it gets any request, gets a
// share, is asked again as long as that is watched, and gets all. Where anything fails,
// or ctx ends, all go back to the former revisions. What came of each is told in any case.
func (r Rollout) Advance(ctx context.Context, services []string) ([]Function, error) {
	functions := make([]Function, len(services))
	for i, name := range services {
		functions[i] = Function{Name: path.Base(name), Outcome: Untouched}
	}
	err := r.prepare(ctx, functions, services)
	if err != nil {
		return functions, err
	}
	if err = r.phases(ctx, functions); err == nil {
		return functions, nil
	}
	for i := range functions {
		if failed := r.back(context.WithoutCancel(ctx), &functions[i]); failed != nil {
			err = errors.Join(err, failed)
		}
	}
	return functions, err
}

// prepare finds out from which revision to which each has to go.
func (r Rollout) prepare(ctx context.Context, functions []Function, services []string) (err error) {
	for i := range functions {
		f := &functions[i]
		if f.service, err = r.Services.Get(ctx, services[i]); err != nil {
			return err
		}
		if f.Former, err = serving(f.service); err != nil {
			return err
		}
		if f.Candidate, f.set = f.service.Newest, f.service.Targets; f.Candidate != f.service.Latest {
			return fmt.Errorf("the newest revision of %s, %s, is not ready; its log says why", f.Name, f.Candidate)
		}
	}
	return nil
}

func (f Function) alone() bool { return f.Former == f.Candidate }

// phases are all that has to succeed.
func (r Rollout) phases(ctx context.Context, functions []Function) error {
	if err := r.shares(ctx, functions, 0); err != nil {
		return err
	}
	if err := r.ask(ctx, functions); err != nil {
		return err
	}
	if err := r.shares(ctx, functions, r.Percent); err != nil {
		return err
	}
	if err := r.watch(ctx, functions); err != nil {
		return err
	}
	for i := range functions {
		f := &functions[i]
		if err := r.send(ctx, f, all("", f.service)); err != nil {
			return err
		}
		if f.Outcome = Advanced; f.alone() {
			f.Outcome = Alone
		}
		r.Say(fmt.Sprintf("%s: all requests go to %s", f.Name, f.Candidate))
	}
	return nil
}

// shares gives each candidate a share of the requests.
func (r Rollout) shares(ctx context.Context, functions []Function, percent int) error {
	for i := range functions {
		f := &functions[i]
		if f.alone() {
			continue
		}
		if err := r.send(ctx, f, f.share(percent)); err != nil {
			return err
		}
		r.Say(fmt.Sprintf("%s: %d %% of the requests go to %s, the others to %s", f.Name, percent, f.Candidate, f.Former))
	}
	return nil
}

// ask has each candidate say whether it works.
func (r Rollout) ask(ctx context.Context, functions []Function) error {
	for _, f := range functions {
		if err := r.Check(ctx, f.Name, f.url(), f.service); err != nil {
			if f.alone() {
				err = fmt.Errorf("%w; it gets all requests already, and there is no other revision to step back to", err)
			}
			return fmt.Errorf("the self-check of %s failed: %w", f.Candidate, err)
		}
		r.Say(fmt.Sprintf("%s: the self-check of %s succeeded", f.Name, f.Candidate))
	}
	return ctx.Err()
}

// url is where the candidate alone is called.
func (f Function) url() string {
	for _, t := range f.set {
		if t.Tag == Tag {
			return t.URL
		}
	}
	return f.service.URL
}

// watch asks again and again; the last time at the end.
func (r Rollout) watch(ctx context.Context, functions []Function) error {
	for left := r.Watch; left > 0; left -= r.Every {
		select {
		case <-ctx.Done():
			return fmt.Errorf("interrupted: %w", context.Cause(ctx))
		case <-time.After(min(left, r.Every)):
		}
		if err := r.ask(ctx, functions); err != nil {
			return err
		}
	}
	return nil
}

// returning is how long stepping back may take.
const returning = time.Minute

// back has all requests go to the former revision again, unless somebody else has had
// them go elsewhere meanwhile.
func (r Rollout) back(ctx context.Context, f *Function) error {
	ctx, cancel := context.WithTimeout(ctx, returning)
	defer cancel()
	if f.alone() {
		f.Outcome = Alone
		return nil
	}
	s, err := r.Services.Get(ctx, f.service.Name)
	if err == nil && !same(s.Targets, f.set) && !same(s.Targets, f.tried) {
		err = errOvertaken
	}
	if want := all(f.Former, s); err == nil && !same(s.Targets, want) {
		_, err = r.Services.Set(ctx, s, want)
	}
	if err != nil {
		f.Outcome, f.Error = Stuck, err.Error()
		return fmt.Errorf("%s did not step back to %s: %w; do it by gcloud run services update-traffic %s --to-revisions=%s=100", f.Name, f.Former, err, f.Name, f.Former)
	}
	f.Outcome = Returned
	r.Say(fmt.Sprintf("%s: all requests go to %s again", f.Name, f.Former))
	return nil
}

var _ Services = (*traffic.Client)(nil)
