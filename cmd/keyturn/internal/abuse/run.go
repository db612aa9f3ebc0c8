// Package abuse measures how well credential abuse is detected: in simulated
// organisations with labelled attacks and labelled harmless trouble, by keyturn
// and by the rules that others publish, on the very same entries.
package abuse

import (
	"context"
	"fmt"
	"time"
)

// Config is what to measure.
type Config struct {
	Seeds    []uint64 // of the worlds that are reported
	Tuning   []uint64 // of the worlds on which a comparator's threshold is chosen, where none is published
	Progress Progress // nil tells nobody
}

// Progress is told how far the measurement is.
type Progress interface {
	Stage(name string, total int)
	Advance(done int)
}

// Run measures.
func Run(ctx context.Context, c Config) (Result, error) {
	began := time.Now()
	comparators := Comparators()
	static, err := c.tuned(ctx, comparators[0])
	if err != nil {
		return Result{}, err
	}
	s := newSurvey(comparators)
	if err := c.each(ctx, "worlds", c.Seeds, s.watch); err != nil {
		return Result{}, err
	}
	r := s.result(static)
	r.Seeds, r.Tuning, r.Seconds = c.Seeds, c.Tuning, time.Since(began).Seconds()
	return r, nil
}

// each makes the worlds of seeds, one after the other.
func (c Config) each(ctx context.Context, name string, seeds []uint64, watch func(*World)) error {
	if c.Progress != nil {
		c.Progress.Stage(name, len(seeds))
	}
	for i, seed := range seeds {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("measuring detection in world %d of %d: %w", i+1, len(seeds), err)
		}
		watch(NewWorld(seed))
		if c.Progress != nil {
			c.Progress.Advance(i + 1)
		}
	}
	return nil
}

// tuned returns which setting of the comparator's only rule finds the most
// attacks in the tuning worlds within the budget.
func (c Config) tuned(ctx context.Context, one Comparator) (setting int, err error) {
	s := newSurvey([]Comparator{one})
	s.others = true
	if err := c.each(ctx, "tuning worlds", c.Tuning, s.watch); err != nil {
		return 0, err
	}
	r := newRoster(s.worlds)
	rules := s.tallies(r)[0]
	return max(0, r.best(rules, int(Budget*s.principalWeeks()))[0]), nil
}

// survey is what all watchers told of the worlds so far.
type survey struct {
	comparators []Comparator
	others      bool // whether keyturn is left out
	worlds      []*World
	own         []Outcome       // keyturn's, by world
	outcomes    [][][][]Outcome // by world, comparator, rule and setting
	entries     int
}

func newSurvey(c []Comparator) *survey { return &survey{comparators: c} }

// watch shows one world to everybody.
func (s *survey) watch(w *World) {
	var watchers []Watcher
	var settings []int
	for _, c := range s.comparators {
		for _, rule := range c.Rules {
			watchers, settings = append(watchers, rule.Watch(rule.Settings)), append(settings, len(rule.Settings))
		}
	}
	if !s.others {
		watchers, settings = append(watchers, Keyturn(w)), append(settings, 1)
	}
	all, entries := Watch(w, watchers, settings)
	var outcomes [][][]Outcome
	for _, c := range s.comparators {
		outcomes, all = append(outcomes, all[:len(c.Rules)]), all[len(c.Rules):]
	}
	if !s.others {
		s.own = append(s.own, all[0][0])
	}
	s.worlds, s.outcomes, s.entries = append(s.worlds, w), append(s.outcomes, outcomes), s.entries+entries
}

// tallies sums up the worlds, by comparator, rule and setting.
func (s *survey) tallies(r roster) [][][]tally {
	sums := make([][][]tally, len(s.comparators))
	for i, c := range s.comparators {
		sums[i] = make([][]tally, len(c.Rules))
		for j, rule := range c.Rules {
			for k := range rule.Settings {
				t := tally{found: r.empty(), false: make(map[string]int)}
				for n := range s.worlds {
					r.add(&t, n, s.outcomes[n][i][j][k])
				}
				sums[i][j] = append(sums[i][j], t)
			}
		}
	}
	return sums
}

func (s *survey) principals() int {
	n := 0
	for _, w := range s.worlds {
		n += len(w.Principals)
	}
	return n
}

func (s *survey) principalWeeks() float64 { return float64(s.principals()) * Days / 7 }

// result judges keyturn and the comparators; the first of them at the setting
// that was tuned, the others as they are published.
func (s *survey) result(static int) Result {
	weeks := s.principalWeeks()
	r := Result{Entries: s.entries, Principals: s.principals(), PrincipalWeeks: weeks}
	r.Classes, r.Benign = classes(s.worlds, s.own), benign(s.worlds, s.own, weeks)
	r.Missed, r.Wrong = mistakes(s.worlds, s.own)
	wrong, quiet := 0, 0
	for _, o := range s.own {
		wrong, quiet = wrong+o.falseAlerts(), quiet+o.Quiet
	}
	for _, c := range r.Classes {
		r.Recall += c.Recall / float64(len(r.Classes))
	}
	r.FalseAlerts, r.Quiet = float64(wrong)/weeks, float64(quiet)/weeks
	ros := newRoster(s.worlds)
	for i, rules := range s.tallies(ros) {
		c := s.comparators[i]
		published := make([]int, len(rules))
		if i == 0 {
			published[0] = static
		}
		r.Comparators = append(r.Comparators, ComparatorResult{
			Name: c.Name, Source: c.Source,
			Figures: ros.figures(c, rules, published, weeks),
			Equal:   ros.figures(c, rules, ros.best(rules, wrong), weeks),
			Budget:  ros.figures(c, rules, ros.best(rules, int(Budget*weeks)), weeks),
		})
	}
	return r
}
