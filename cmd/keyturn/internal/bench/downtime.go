package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// DowntimeConfig says how long Downtime takes. Progress is required.
type DowntimeConfig struct {
	Credentials int // that rotate all the time
	Rotations   int // of each credential, under each strategy
	Progress    Progress
}

// DowntimeResult is what consumers met. Its JSON is a stable schema.
type DowntimeResult struct {
	Credentials int               `json:"credentials"`
	Consumers   int               `json:"consumers"`
	Strategies  []StrategyOutcome `json:"strategies"` // keyturn first
	Seconds     float64           `json:"seconds"`
}

// StrategyOutcome is what consumers met under one strategy.
type StrategyOutcome struct {
	Name      string   `json:"name"`
	Like      string   `json:"like,omitempty"` // who else rotates that way
	Requests  int64    `json:"requests"`
	Failed    int64    `json:"failed"`
	Rotations int      `json:"rotations"`              // keys handed out
	Retired   int      `json:"retired"`                // keys deleted
	Rollbacks int      `json:"rollbacks"`              // by hand, where the old key still worked
	PerSecond float64  `json:"requests_per_second"`    // of the machine's time
	Outage    float64  `json:"worst_outage_seconds"`   // longest time one consumer was down, of policy time
	Problems  []string `json:"first_errors,omitempty"` // what the first consumers met
}

// LongestOutage is the longest time that one consumer was down, of policy time.
func (s StrategyOutcome) LongestOutage() time.Duration {
	return time.Duration(s.Outage) * time.Second
}

// ErrDowntime means that a consumer failed although keyturn rotated.
var ErrDowntime = errors.New("consumers failed while keyturn rotated")

// Downtime rotates credentials that consumers use all the time, by keyturn and
// then in the ways of others, and counts the requests that fail. Policy time is
// accelerated. The error is ErrDowntime if keyturn is not without failure.
func Downtime(ctx context.Context, c DowntimeConfig) (DowntimeResult, error) {
	return c.compare(ctx, contenders())
}

// compare measures contenders, of whom the first must not fail.
func (c DowntimeConfig) compare(ctx context.Context, all []contender) (DowntimeResult, error) {
	began := time.Now()
	r := DowntimeResult{Credentials: c.Credentials}
	for _, who := range all {
		out, err := c.measure(ctx, who, &r)
		if err != nil {
			return r, fmt.Errorf("%s: %w", who.name, err)
		}
		r.Strategies = append(r.Strategies, out)
	}
	r.Seconds = time.Since(began).Seconds()
	if ours := r.Strategies[0]; ours.Failed > 0 || ours.Rotations < c.Credentials*c.Rotations {
		return r, fmt.Errorf("%w: %d of %d requests, in %d rotations; %s", ErrDowntime, ours.Failed, ours.Requests, ours.Rotations, strings.Join(ours.Problems, "; "))
	}
	return r, nil
}

// measure puts one strategy into a cloud of its own and watches its consumers.
func (c DowntimeConfig) measure(ctx context.Context, who contender, r *DowntimeResult) (out StrategyOutcome, err error) {
	b, err := newBed(ctx, nil)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	credentials, err := b.newFleet(ctx, c.Credentials)
	if err != nil {
		return out, err
	}
	s, err := who.take(ctx, b, credentials)
	if err != nil {
		return out, err
	}
	all := b.newCrowd(credentials)
	r.Consumers = len(all)
	d := drive{bed: b, strategy: s, crowd: all, credentials: credentials, progress: c.Progress, name: who.name, spans: time.Duration(c.Rotations)}
	stop := all.run(ctx)
	began := time.Now()
	err = d.run(ctx)
	stop()
	out = all.outcome(time.Since(began))
	out.Name, out.Like, out.Rollbacks = who.name, who.like, d.rollbacks
	countErr := b.count(ctx, credentials, &out)
	return out, errors.Join(err, countErr, s.close())
}

// newFleet makes credentials that fall due one after the other, so that at any
// time some are rotating.
func (b *bed) newFleet(ctx context.Context, n int) ([]*credential, error) {
	var all []*credential
	for i := range n {
		c, err := b.newCredential(ctx, i)
		if err != nil {
			return nil, err
		}
		c.due = b.clock.Now().Add(period)
		all = append(all, c)
		b.clock.Advance(period / time.Duration(n))
	}
	b.clock.Advance(keyLag)
	return all, b.grantAll(ctx, all)
}

// outcome adds up what all consumers met, once they have stopped.
func (all crowd) outcome(took time.Duration) StrategyOutcome {
	var out StrategyOutcome
	byOutage := slices.SortedFunc(slices.Values(all), func(a, b *consumer) int { return cmp.Compare(b.outage, a.outage) })
	for _, c := range byOutage {
		out.Requests += c.requests
		out.Failed += c.failed
		if c.problem != nil && len(out.Problems) < 3 {
			out.Problems = append(out.Problems, strings.Join(strings.Fields(c.problem.Error()), " "))
		}
	}
	out.Outage = byOutage[0].outage.Seconds()
	out.PerSecond = float64(out.Requests) / took.Seconds()
	return out
}

// count finds out from the cloud how many keys were handed out and deleted.
func (b *bed) count(ctx context.Context, credentials []*credential, out *StrategyOutcome) error {
	b.clock.Advance(2 * keyLag) // lists are stale for a while
	out.Rotations = -out.Rollbacks
	for _, c := range credentials {
		versions, err := b.versions(ctx, c)
		if err != nil {
			return err
		}
		out.Rotations += versions - 1
	}
	left, err := b.existing(ctx, credentials)
	out.Retired = len(credentials) + out.Rotations - len(left)
	return err
}
