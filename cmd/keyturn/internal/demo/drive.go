package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"time"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/event"
)

const (
	// tick is how far the clock moves at once: the sweep's own interval.
	tick = 10 * time.Minute
	// settle is how long, by the machine's clock, one tick may take to have all
	// its consequences.
	settle = time.Minute
	// rotations is how often every credential is rotated by schedule.
	rotations = 2
	// perTick is how many requests all consumers together make in one tick, at
	// least and on average, so that a fast machine tests no less than a slow one.
	perTick = 3
)

// rotateTwice moves the clock until every credential has been rotated twice and
// the replaced keys are gone. The schedule does the rest.
func (s *stage) rotateTwice(ctx context.Context) error {
	want := rotations * len(s.credentials)
	usual := int((rotations*time.Duration(policy.Period) + time.Duration(policy.Overlap+policy.Quarantine)) / tick)
	s.progress.Stage("rotating by schedule", usual)
	limit := 2 * rotations * time.Duration(policy.Period)
	for spent := time.Duration(0); s.seen.milestones(event.Retired) < want; spent += tick {
		if spent > limit {
			return fmt.Errorf("after %v of policy time only %d of %d replaced keys are gone", spent, s.seen.milestones(event.Retired), want)
		}
		if err := s.tick(ctx); err != nil {
			return err
		}
		s.progress.Advance(min(int(spent/tick), usual))
	}
	s.progress.Advance(usual)
	s.seen.mark()
	s.seen.reloads = s.ledger.reloaded.Load()
	return nil
}

// tick moves the clock once and waits for the consequences. It lets no consumer
// fall behind: a machine that is too slow to run them all makes the demo
// slower, not wrong.
func (s *stage) tick(ctx context.Context) error {
	s.clock.Advance(tick)
	s.ticks++
	return s.until(ctx, "the functions and consumers to catch up", func() bool {
		return s.Cloud.Idle() && s.oldest() < 2*refresh && s.ledger.requests.Load() >= perTick*s.ticks
	})
}

// until polls a condition that the world's own work brings about.
func (s *stage) until(ctx context.Context, what string, done func() bool) error {
	deadline := time.Now().Add(settle)
	for !done() {
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %v in vain for %s", settle, what)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// revoke is what a person does at 3 a.m.: one call by hand. The stolen key must
// then be dead, and nothing else.
func (s *stage) revoke(ctx context.Context) error {
	s.progress.Stage("emergency revoke", 1)
	if err := s.byHand(ctx, event.Command{Verb: event.Revoke, Secret: s.credentials[0].secret, Key: s.seen.stolenKey}); err != nil {
		return err
	}
	for range 6 { // the new key has to propagate before the old one can go
		if s.seen.milestones(event.Disabled) > s.seen.marked(event.Disabled) {
			break
		}
		if err := s.tick(ctx); err != nil {
			return err
		}
	}
	if err := s.tick(ctx); err != nil { // disabling takes a while to be known everywhere, too
		return err
	}
	if err := s.dead(ctx, "the revoked key", s.seen.stolenFile); err != nil {
		return err
	}
	s.seen.revoked++
	s.progress.Advance(1)
	return nil
}

// byHand has the rotate function carry out a command as 'gcloud functions call' does.
func (s *stage) byHand(ctx context.Context, c event.Command) error {
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	const function = "RotateHTTP"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.FunctionsURL+"/"+function, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if err := s.send(req); err != nil {
		return fmt.Errorf("%s by hand: %w", function, err)
	}
	return nil
}

// countOrphans looks for keys that no journal names. Keys that the demo made
// itself were adopted, so that every key there is has to be in a journal.
func (s *stage) countOrphans(ctx context.Context) error {
	s.progress.Stage("counting keys", len(s.credentials))
	s.clock.Advance(tick) // lists are stale for a while
	f := rotate.New(rotate.Config{Cloud: s.cloud, Now: s.clock.Now})
	all, err := f.StatusAll(ctx)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, r := range all {
		if r.Journal == nil || r.Journal.Current == nil {
			return fmt.Errorf("%s has no readable journal", r.Secret)
		}
		known[path.Base(r.Journal.Current.ID)] = true
		for _, k := range r.Journal.Retiring {
			known[path.Base(k.ID)] = true
		}
	}
	existing, err := s.existingKeys(ctx)
	for _, name := range existing {
		if !known[path.Base(name)] {
			s.seen.orphans = append(s.seen.orphans, name)
		}
	}
	s.progress.Advance(len(s.credentials))
	return err
}

// existingKeys lists every key that Google has of the demo's credentials.
func (s *stage) existingKeys(ctx context.Context) ([]string, error) {
	var names []string
	var problems []error
	for _, c := range s.credentials {
		if c.account == "" {
			continue
		}
		r, err := s.iam.ListServiceAccountKeys(ctx, &adminpb.ListServiceAccountKeysRequest{
			Name: c.account, KeyTypes: []adminpb.ListServiceAccountKeysRequest_KeyType{adminpb.ListServiceAccountKeysRequest_USER_MANAGED},
		})
		problems = append(problems, err)
		for _, k := range r.GetKeys() {
			names = append(names, k.GetName())
		}
	}
	apiKeys, err := s.listAPIKeys(ctx)
	return append(names, apiKeys...), errors.Join(append(problems, err)...)
}
