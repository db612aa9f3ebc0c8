// Package rollout moves the requests that come to functions from one revision to the
// next: a share of them first, while the new revision is asked whether it works, and
// back again if it does not. All that it remembers stands in the services' own traffic,
// so that whoever is ended in the middle can be run again.
package rollout

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/gcp/traffic"
)

// Tag is what a new revision is called by until it is let in.
const Tag = "canary"

// Services are Cloud Run's.
type Services interface {
	Get(ctx context.Context, name string) (traffic.Service, error)
	Set(ctx context.Context, s traffic.Service, targets []traffic.Target) (traffic.Service, error)
}

// Check asks a function at the URL of one revision whether it works. Its token has to
// be for the service.
type Check func(ctx context.Context, function, url string, s traffic.Service) error

// Rollout is how it is done.
type Rollout struct {
	Services Services
	Check    Check
	Percent  int           // of the requests that the new revision gets at first
	Watch    time.Duration // for which it gets no more than that
	Every    time.Duration // in which time it is asked again; more than zero
	Say      func(string)  // is told of each step
}

// Outcome is what came of a function.
type Outcome string

// What can.
const (
	Absent    Outcome = "not-deployed" // there is nothing to hold
	Held      Outcome = "held"         // its requests go to the revision that they went to
	Advanced  Outcome = "advanced"     // they go to the latest
	Alone     Outcome = "alone"        // they did before: there was no other to step back to
	Returned  Outcome = "stepped-back" // they go to the former one again
	Untouched Outcome = "untouched"    // another function was in the way before any went anywhere
	Stuck     Outcome = "stuck"        // stepping back failed
)

// Function is one, and what came of it.
type Function struct {
	Name      string  `json:"function"`
	Former    string  `json:"former,omitempty"`    // revision
	Candidate string  `json:"candidate,omitempty"` // the latest, if it is another one
	Outcome   Outcome `json:"outcome"`
	Error     string  `json:"error,omitempty"`

	service traffic.Service
	set     []traffic.Target // where its requests went when it was last seen
	tried   []traffic.Target // where they were to go then, if it is not known whether they do
}

// Hold has the requests to a service, by its full name, stay with the revision that
// gets them, whatever is deployed.
func (r Rollout) Hold(ctx context.Context, service string) (Function, error) {
	f := Function{Name: path.Base(service)}
	s, err := r.Services.Get(ctx, service)
	if gcp.IsNotFound(err) {
		f.Outcome = Absent
		return f, nil
	}
	if err == nil {
		f.Former, err = serving(s)
	}
	if err != nil {
		return f, err
	}
	if want := all(f.Former, s); !same(s.Targets, want) {
		if _, err := r.Services.Set(ctx, s, want); err != nil {
			return f, err
		}
	}
	f.Outcome = Held
	return f, nil
}

// serving is the one revision that a service's requests go to, but for the share of a
// canary.
func serving(s traffic.Service) (string, error) {
	var revisions []string
	for _, t := range s.Targets {
		if name := resolve(t, s); t.Percent > 0 && t.Tag != Tag && !slices.Contains(revisions, name) {
			revisions = append(revisions, name)
		}
	}
	if len(revisions) == 1 {
		return revisions[0], nil
	}
	return "", fmt.Errorf("%s has its requests split by hand (%s): send them all to one revision first, with gcloud run services update-traffic %s --to-revisions=REVISION=100",
		path.Base(s.Name), strings.Join(revisions, ", "), path.Base(s.Name))
}

func resolve(t traffic.Target, s traffic.Service) string {
	if t.Revision == "" {
		return s.Latest
	}
	return t.Revision
}

// all sends everything to one revision, or with "" to the latest, and leaves the tags of
// others as they are.
func all(revision string, s traffic.Service) []traffic.Target {
	targets := []traffic.Target{{Revision: revision, Percent: 100}}
	for _, t := range s.Targets {
		if t.Tag != "" && t.Tag != Tag {
			targets = append(targets, traffic.Target{Revision: t.Revision, Tag: t.Tag})
		}
	}
	return targets
}

// share sends a part to the candidate.
func (f Function) share(percent int) []traffic.Target {
	targets := all(f.Former, f.service)
	targets[0].Percent -= percent
	return append(targets, traffic.Target{Revision: f.Candidate, Percent: percent, Tag: Tag})
}

func same(a, b []traffic.Target) bool {
	return slices.EqualFunc(a, b, func(a, b traffic.Target) bool {
		a.URL, b.URL = "", ""
		return a == b
	})
}

// attempts are how often a change is tried while Cloud Run itself changes the service.
const attempts = 3

var errOvertaken = errors.New("somebody else deploys it, or changes where its requests go, at the same time")

// send changes where a function's requests go, unless somebody else has since the last
// time.
func (r Rollout) send(ctx context.Context, f *Function, targets []traffic.Target) (err error) {
	for range attempts {
		var s traffic.Service
		if s, err = r.Services.Get(ctx, f.service.Name); err != nil {
			return err
		}
		switch {
		case s.Newest == f.Candidate && same(s.Targets, targets): // they do, though it may not have been said
			f.service, f.set, f.tried = s, s.Targets, nil
			return nil
		case s.Newest != f.Candidate || !same(s.Targets, f.set):
			return fmt.Errorf("%s: %w", f.Name, errOvertaken)
		}
		f.tried = targets
		if s, err = r.Services.Set(ctx, s, targets); err == nil {
			f.service, f.set, f.tried = s, s.Targets, nil
			return nil
		}
		if !gcp.IsAborted(err) {
			return err
		}
	}
	return err
}
