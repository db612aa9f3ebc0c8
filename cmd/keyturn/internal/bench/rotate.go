package bench

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"runtime"
	"time"
)

// RotateConfig says what Rotate measures. All fields are required.
type RotateConfig struct {
	Credentials int           // that are due at once
	Sample      int           // of them that are rotated one after another, and within quotas; at most 40
	Instances   int           // function instances at once
	Latency     time.Duration // of every remote call
	Progress    Progress
}

// RotateResult is how fast rotations went. Its JSON is a stable schema.
type RotateResult struct {
	Credentials      int          `json:"credentials"`
	Sample           int          `json:"sample"`
	Instances        int          `json:"instances"`
	LatencyMS        float64      `json:"rpc_latency_ms"`
	KeyturnPerMin    float64      `json:"keyturn_per_min"`    // all at once, each instance one at a time
	SequentialPerMin float64      `json:"sequential_per_min"` // one after another
	Ratio            float64      `json:"ratio"`
	CallsPerRotation float64      `json:"calls_per_rotation"` // of a whole life, sweeps included
	Calls            []StageCalls `json:"calls"`
	CeilingPerMin    float64      `json:"ceiling_per_min"`  // what the quota that binds allows in the run within quotas
	AtQuotaPerMin    float64      `json:"at_quota_per_min"` // what that run reached
	Quota            string       `json:"quota"`            // that binds
	CPUBusy          float64      `json:"cpu_busy"`         // share of the machine's time that this program used, all at once
	RSAPerMin        float64      `json:"rsa_per_min"`      // RSA pairs that this machine can make if it does nothing else
	PeakMB           float64      `json:"peak_mb"`          // of this program, the embedded cloud included
	Seconds          float64      `json:"seconds"`
}

// StageCalls is how many remote calls one credential makes in one stage.
type StageCalls struct {
	Stage       string  `json:"stage"`
	PerRotation float64 `json:"per_rotation"`
}

// maxSample is how many credentials a minute of Google's quotas lets the
// measurement itself make.
const maxSample = 40

// Rotate leads credentials through whole rotations: a sample one after another,
// all of them as keyturn is deployed, and a sample with calls held back to half
// of Google's quotas.
func Rotate(ctx context.Context, c RotateConfig) (RotateResult, error) {
	began := time.Now()
	c.Sample = min(c.Sample, c.Credentials, maxSample)
	r := RotateResult{Credentials: c.Credentials, Sample: c.Sample, Instances: c.Instances, LatencyMS: float64(c.Latency) / float64(time.Millisecond)}
	if err := r.measureRSA(); err != nil {
		return r, err
	}
	for _, run := range []struct {
		name string
		lifeConfig
		note func(*life)
	}{
		{"one after another", lifeConfig{c.Sample, 1, c.Latency, false}, func(l *life) { r.SequentialPerMin = l.perMinute() }},
		{"as deployed", lifeConfig{c.Credentials, c.Instances, c.Latency, false}, r.noteDeployed},
		{"within half of the quotas", lifeConfig{c.Sample, c.Instances, c.Latency, true}, r.noteQuotas},
	} {
		c.Progress.Stage(run.name, len(stages)*run.credentials)
		if err := lead(ctx, run.lifeConfig, c.Progress.Advance, run.note); err != nil {
			return r, fmt.Errorf("rotating %s: %w", run.name, err)
		}
	}
	r.Ratio = r.KeyturnPerMin / r.SequentialPerMin
	r.PeakMB, r.Seconds = peakMB(), time.Since(began).Seconds()
	return r, nil
}

// lead measures one life.
func lead(ctx context.Context, c lifeConfig, progress func(int), note func(*life)) error {
	l, err := newLife(ctx, c)
	if err != nil {
		return err
	}
	if err := l.run(ctx, progress); err != nil {
		return errors.Join(err, l.close())
	}
	note(l)
	return l.close()
}

// measureRSA makes a few pairs on one core.
func (r *RotateResult) measureRSA() error {
	const pairs = 10
	began := time.Now()
	for range pairs {
		if _, err := rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return err
		}
	}
	r.RSAPerMin = pairs / time.Since(began).Minutes() * float64(runtime.GOMAXPROCS(0))
	return nil
}

func (r *RotateResult) noteDeployed(l *life) {
	r.KeyturnPerMin, r.CPUBusy = l.perMinute(), l.busy/l.took.Seconds()/float64(runtime.GOMAXPROCS(0))
	r.CallsPerRotation = float64(l.wire.total()) / float64(l.n)
	for _, s := range stages {
		r.Calls = append(r.Calls, StageCalls{s.name, float64(l.wire.calls[s.name]) / float64(l.n)})
	}
}

// burst is how many seconds' worth of calls go out at once before a quota holds
// calls back.
const burst = 10

// noteQuotas finds the quota that takes longest to give out what was drawn on it.
func (r *RotateResult) noteQuotas(l *life) {
	var longest float64 // minutes
	for quota, perMinute := range halves {
		if m := (float64(l.wire.drawn[quota]) - perMinute*burst/60) / perMinute; m > longest {
			longest, r.Quota = m, quota
		}
	}
	if longest > 0 {
		r.CeilingPerMin = float64(l.n) / longest
	}
	r.AtQuotaPerMin = l.perMinute()
}
