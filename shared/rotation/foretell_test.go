package rotation

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func told(all []Prospect) string {
	var lines []string
	for _, p := range all {
		lines = append(lines, fmt.Sprintf("%v %s %s", p.At.Sub(t0), p.Step.Action, ShortID(p.Step.Key.ID)))
	}
	return strings.Join(lines, "\n")
}

func TestForetell(t *testing.T) {
	api := "projects/p/locations/global/keys/k1"
	for name, tt := range map[string]struct {
		c    Credential
		want Intent
		told string
	}{
		"the next rotation, whole": {Credential{Kind: ServiceAccountKey, Policy: watching, Journal: holding(key("k1", "1", Active, 71*time.Hour))}, Intent{}, `
1h0m0s begin 
1h0m0s stage 
1h0m0s publish 
1h5m0s verify new
1h5m0s promote new
7h5m0s examine k1
7h5m0s disable k1
31h5m0s examine k1
31h5m0s delete k1`},
		"made by Google, by the clock": {Credential{Kind: ServiceAccountKey, Policy: creating(policy), Journal: holding(key("k1", "1", Active, 73*time.Hour))}, Intent{}, `
0s begin 
0s publish 
5m0s verify new
5m0s promote new
6h5m0s disable k1
30h5m0s delete k1`},
		"an API key that leaked": {Credential{Kind: APIKey, Target: api, Policy: watching, Journal: holding(key(api, "1", Active, time.Hour))}, Intent{Revoke: api}, `
0s hasten k1
0s begin 
0s publish 
5m0s verify new
5m0s promote new
5m0s disable k1
24h5m0s delete k1`},
		"tokens that are to die": {Credential{Kind: ServiceAccountKey, Policy: policy, Journal: retiring(holding(key("k1", "2", Active, time.Hour)), key("k0", "1", Overlapping, time.Hour))}, Intent{Revoke: "k0", KillTokens: true}, `
0s hasten k0
0s disable k0
0s suspend 
1h0m0s reinstate 
24h0m0s delete k0`},
		"an old key that somebody used": {Credential{Kind: ServiceAccountKey, Policy: watching, Journal: retiring(holding(key("k1", "2", Active, time.Hour)), seen(key("k0", "1", Overlapping, 7*time.Hour), Used, 0))}, Intent{}, `
1h0m0s examine k0
1h0m0s disable k0
25h0m0s examine k0
25h0m0s delete k0`},
		"paused until an hour from now": {Credential{Kind: ServiceAccountKey, Policy: policy, Journal: paused(retiring(holding(key("k1", "2", Active, time.Hour)), key("k0", "1", Quarantined, 30*time.Hour)), time.Hour, t0.Add(time.Hour))}, Intent{}, `
1h0m0s delete k0`},
		"paused":                     {Credential{Kind: ServiceAccountKey, Policy: policy, Journal: paused(holding(key("k1", "2", Active, 99*time.Hour)), time.Hour, time.Time{})}, Intent{}, ``},
		"paused, a rotation is left": {Credential{Kind: ServiceAccountKey, Policy: policy, Journal: paused(incoming(holding(key("k1", "2", Active, 99*time.Hour)), Key{ID: "k2", Phase: Published, Since: t0}), time.Hour, time.Time{})}, Intent{}, "\n5m0s verify k2\n5m0s promote k2"},
		"paused, and begun in vain":  {Credential{Kind: ServiceAccountKey, Policy: policy, Journal: paused(incoming(holding(key("k1", "2", Active, time.Hour)), Key{Phase: Staged, Mode: Upload, Staged: "1", Since: t0}), time.Hour, time.Time{})}, Intent{}, ``},
		"tried again": {Credential{Kind: ServiceAccountKey, Policy: policy, Journal: failed(holding(key("k1", "2", Active, 99*time.Hour)), 3, time.Minute)}, Intent{}, `
3m0s begin 
3m0s stage 
3m0s publish 
8m0s verify new
8m0s promote new
6h8m0s disable k1
30h8m0s delete k1`},
		"nothing to roll back to": {Credential{Kind: ServiceAccountKey, Policy: policy, Journal: crowded(holding(key("k1", "2", Active, 0)))}, Intent{Rollback: true, After: 7}, rolled()},
	} {
		t.Run(name, func(t *testing.T) {
			got := told(Foretell(t0, tt.c, Observed{Aliases: tt.c.Journal.Aliases()}, tt.want))
			if want := strings.TrimPrefix(tt.told, "\n"); got != want {
				t.Errorf("foretold:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func creating(p Policy) Policy {
	p.KeyMode = Create
	return p
}

// rolled is the way out of ten old keys.
func rolled() string {
	var lines []string
	for _, step := range []string{"6h0m0s disable", "30h0m0s delete"} {
		for n := range maxRetiring {
			lines = append(lines, fmt.Sprintf("%s old%d", step, n))
		}
	}
	return strings.Join(lines, "\n")
}

// TestForetellingComesTrue: whatever has happened to a credential before, sweeps that
// go well do what is foretold, at those times and in that order, and leave nothing.
func TestForetellingComesTrue(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		now, j := lived(r)
		c := Credential{Kind: ServiceAccountKey, Policy: policy, Journal: j}
		if r.IntN(2) == 0 {
			c.Policy = watching
		}
		foretold := Foretell(now, c, Observed{Aliases: j.Aliases()}, Intent{})
		if len(foretold) >= maxProspects {
			t.Fatalf("seed %d: there is no end to it:\n%s", seed, told(foretold))
		}
		f := forecast{c: c}
		for i, p := range foretold {
			due := Decide(p.At, c.Policy, c.Journal, Observed{Aliases: c.Journal.Aliases()}, Intent{})
			if !holds(due, p.Step) {
				t.Fatalf("seed %d: step %d, %s of %s, is not among what is due then, %s", seed, i, p.Step.Action, p.Step.Key.ID, briefly(due))
			}
			if i > 0 && p.At.Before(foretold[i-1].At) {
				t.Fatalf("seed %d: not in order:\n%s", seed, told(foretold))
			}
			f.now = p.At
			c.Journal = c.Journal.Record(p.At, p.Step, f.supposed(p.Step))
		}
		if !c.Journal.Idle() && c.Journal.Pause == nil {
			t.Errorf("seed %d: something is left, %+v", seed, c.Journal)
		}
	}
}

func holds(steps []Step, want Step) bool {
	for _, s := range steps {
		if s.Action == want.Action && s.Key.ID == want.Key.ID {
			return true
		}
	}
	return false
}

// lived is how a service account's key stands after a random life.
func lived(r *rand.Rand) (time.Time, Journal) {
	now, j, n := t0, Journal{}, 0
	for range 5 + r.IntN(30) {
		now = now.Add([]time.Duration{0, time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour, 72 * time.Hour}[r.IntN(6)])
		for _, s := range Decide(now, watching, j, Observed{Aliases: j.Aliases()}, wish(r, j)) {
			n++
			if s = detour(r, s); s.Action != "" {
				j = j.Record(now, s, outcome(r, now, n, false))
			}
		}
	}
	return now, j
}
