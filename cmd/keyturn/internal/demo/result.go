package demo

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"example.com/keyturn/shared/event"
)

// Result is what the demo saw. Its JSON is a stable schema.
type Result struct {
	Rotations  Rotations `json:"rotations"`
	Consumers  Consumers `json:"consumers"`
	OrphanKeys int       `json:"orphan_keys"`
	Findings   int       `json:"findings"`
	Alerts     int       `json:"alerts"`
	Webhooks   int       `json:"webhooks"`
	Revoked    int       `json:"revoked_by_hand"` // keys; those of Loop were revoked without anybody being asked
	Loop       Loop      `json:"closed_loop"`
	Dead       int       `json:"dead_letters"`
	Secrets    int       `json:"secrets"` // that came up
	Leaks      int       `json:"leaks"`   // secrets found in anything that was written
	Seconds    float64   `json:"seconds"`
	PeakMB     float64   `json:"peak_mb"` // of the program and the functions together
	Promises   []Promise `json:"promises"`
}

// Rotations are how many rotations came how far.
type Rotations struct {
	Started  int `json:"started"`
	Promoted int `json:"promoted"`
	Retired  int `json:"retired"`
	Failed   int `json:"failed"`
}

// Consumers are what the programs saw that used the credentials.
type Consumers struct {
	Requests int64 `json:"requests"`
	Failed   int64 `json:"failed"`
	Reloaded int64 `json:"reloaded"` // refused once, served after reading the secret again
}

// Promise is one thing that keyturn is held to.
type Promise struct {
	Name    string   `json:"name"`
	Held    bool     `json:"held"`
	Saw     string   `json:"saw"`
	Details []string `json:"details,omitempty"` // what broke it, case by case
}

// reckon counts what was seen and judges it.
func (s *stage) reckon(took time.Duration) Result {
	var r Result
	seen := &s.seen
	r.Rotations.Started = seen.milestones(event.Started)
	r.Rotations.Promoted = seen.milestones(event.Promoted)
	r.Rotations.Retired = seen.milestones(event.Retired)
	r.Rotations.Failed = seen.milestones(event.Failed) + seen.milestones(event.Refused)
	r.Consumers.Requests = s.ledger.requests.Load()
	r.Consumers.Failed = s.ledger.failed.Load()
	r.Consumers.Reloaded = s.ledger.reloaded.Load()
	r.OrphanKeys, r.Revoked, r.Dead = len(seen.orphans), seen.revoked, len(seen.deadLetters())
	r.Findings, r.Alerts, r.Webhooks = len(seen.findings), seen.alerted(), seen.webhooks
	r.Loop = seen.summary()
	r.Secrets, r.Leaks = s.canaries.tally()
	r.Seconds, r.PeakMB = took.Seconds(), s.peak
	r.Promises = s.judge(r)
	return r
}

func (s *stage) judge(r Result) []Promise {
	want := rotations * len(s.credentials)
	saw := fmt.Sprintf
	return []Promise{
		{Name: "every credential was rotated twice by schedule", Held: want > 0 && r.Rotations.Promoted >= want && r.Rotations.Retired >= want,
			Saw: saw("%d promoted, %d retired", r.Rotations.Promoted, r.Rotations.Retired)},
		{Name: "no rotation failed", Held: r.Rotations.Failed == 0,
			Saw: saw("%d failed", r.Rotations.Failed)},
		{Name: "no consumer failed", Held: r.Consumers.Failed == 0 && r.Consumers.Requests >= 2000,
			Saw: saw("%d of %d requests", r.Consumers.Failed, r.Consumers.Requests), Details: s.ledger.problems},
		{Name: "no consumer noticed a scheduled rotation", Held: s.seen.reloads == 0,
			Saw: saw("%d had to read again", s.seen.reloads)},
		{Name: "no key was orphaned", Held: r.OrphanKeys == 0,
			Saw: saw("%d orphans", r.OrphanKeys), Details: s.seen.orphans},
		{Name: "the attack raised alerts", Held: r.Alerts >= 2 && r.Webhooks >= 2,
			Saw: saw("%d alerts, %d posted", r.Alerts, r.Webhooks)},
		{Name: "stolen keys were revoked without asking", Held: r.Loop.Keys > 0 && r.Loop.Disabled < 3,
			Saw: saw("%d, found after at most %.2f s, disabled after %.2f s", r.Loop.Keys, r.Loop.Found, r.Loop.Disabled)},
		{Name: "a key was revoked by hand", Held: r.Revoked >= 1,
			Saw: saw("%d revoked", r.Revoked)},
		{Name: "no message was lost or buried", Held: r.Dead == 0,
			Saw: saw("%d dead letters", r.Dead), Details: s.seen.deadLetters()},
		{Name: "no secret was written anywhere", Held: r.Leaks == 0,
			Saw: saw("%d of %d secrets", r.Leaks, r.Secrets)},
	}
}

// broken is nil if every promise held.
func (r Result) broken() error {
	var problems []error
	for _, p := range r.Promises {
		if !p.Held {
			problems = append(problems, fmt.Errorf("promise not held: %s: %s", p.Name, strings.Join(append([]string{p.Saw}, p.Details...), "; ")))
		}
	}
	return errors.Join(problems...)
}

// peakMB is the most memory that this program and the functions had, in MB;
// zero where the system does not tell.
func peakMB(pids ...int) float64 {
	var sum float64
	for _, pid := range pids {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return 0
		}
		_, rest, _ := strings.Cut(string(status), "VmHWM:")
		var kb float64
		if _, err := fmt.Sscan(rest, &kb); err != nil {
			return 0
		}
		sum += kb / 1024
	}
	return sum
}
