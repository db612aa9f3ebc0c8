package posture

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Change is how a result differs from the last time.
type Change string

// The changes.
const (
	NewlyFailing Change = "newly-failing"
	StillFailing Change = "still-failing"
	NewlyPassing Change = "newly-passing"
)

// Failure is something that failed.
type Failure struct {
	ID       string    `json:"id"`
	Check    string    `json:"check"`
	Project  string    `json:"project,omitempty"`
	Resource string    `json:"resource"`
	Subject  string    `json:"subject,omitempty"`
	Since    time.Time `json:"since"` // of the first report in a row in which it failed
}

// State is what a report leaves for the next one to be compared with.
type State struct {
	At       time.Time `json:"at"`
	Scope    string    `json:"scope"`
	World    string    `json:"world,omitempty"` // address of the embedded cloud that it is of; empty is Google's own
	Failures []Failure `json:"failures"`        // by id

	// Idle is since when reports find that nobody used a credential, by its name. A
	// record of uses reaches back some weeks only; those of reports add up.
	Idle map[string]time.Time `json:"idle,omitempty"`
}

// before is the state, if it is of the same scope and world, and no later than the
// snapshot; else there is nothing to compare with. An embedded cloud that was begun
// anew has an earlier clock than the one before.
func (s State) before(now Snapshot) State {
	if s.Scope != now.Inventory.Scope || s.World != now.World || s.At.After(now.Inventory.At) {
		return State{World: now.World}
	}
	return s
}

// compare marks what changed since an earlier report, and returns what is to be kept
// for the next. A failure whose check could not read everything of its project is
// kept: not to be seen is not to be mended.
func (r *Report) compare(last State) State {
	next := State{At: r.At, Scope: r.Scope, World: last.World, Failures: []Failure{}}
	r.Since = last.At
	before := make(map[string]Failure, len(last.Failures))
	for _, f := range last.Failures {
		before[f.ID] = f
	}
	for i := range r.Results {
		result := &r.Results[i]
		old, failed := before[result.ID]
		result.mark(!last.At.IsZero(), failed)
		if result.Status == Fail {
			result.Failing = r.At
			if failed {
				result.Failing = old.Since
			}
			next.Failures = append(next.Failures, Failure{result.ID, result.Check, result.Project, result.Resource, result.Subject, result.Failing})
			delete(before, result.ID)
		}
	}
	r.Fixed = r.mended(before, &next)
	byID(next.Failures)
	return next
}

func byID(failures []Failure) {
	slices.SortFunc(failures, func(a, b Failure) int { return strings.Compare(a.ID, b.ID) })
}

func (r *Result) mark(known, failed bool) {
	switch {
	case !known:
	case r.Status == Fail && failed:
		r.Change = StillFailing
	case r.Status == Fail:
		r.Change = NewlyFailing
	case r.Status == Pass && failed:
		r.Change = NewlyPassing
	}
}

// mended are those of the failures before that are known not to fail any more; the
// others are kept.
func (r *Report) mended(before map[string]Failure, next *State) (fixed []Failure) {
	blind := map[[2]string]bool{}
	for _, result := range r.Results {
		if result.Status == Unknown {
			blind[[2]string{result.Check, result.Project}] = true
		}
	}
	for _, f := range before {
		if blind[[2]string{f.Check, f.Project}] || blind[[2]string{f.Check, ""}] {
			next.Failures = append(next.Failures, f)
			continue
		}
		fixed = append(fixed, f)
	}
	byID(fixed)
	return fixed
}

// ParseState reads what Encode wrote. Nothing at all is the zero State.
func ParseState(data []byte) (State, error) {
	var s State
	if len(data) == 0 {
		return s, nil
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return State{}, fmt.Errorf("reading what the last report left: %w", err)
	}
	if s.At.IsZero() || s.Scope == "" {
		return State{}, errors.New("reading what the last report left: it has no time or no scope")
	}
	return s, nil
}

// Encode writes the state as JSON.
func (s State) Encode() ([]byte, error) { return json.Marshal(s) }
