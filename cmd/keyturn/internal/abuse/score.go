package abuse

import (
	"slices"
	"time"
)

// Outcome is what one watcher told of one world, judged by the labels.
type Outcome struct {
	Found map[int]time.Duration // by attack episode: from its first entry to the first alert
	False map[string]int        // alerts that belong to no attack, by kind of episode
	Quiet int                   // alerts of severity info; they neither find nor disturb
	Wrong []falseAlert
}

// falseAlert is an alert about something harmless.
type falseAlert struct {
	Alert
	Kind string // of episode
}

// judge adds up the alerts of one watcher in one world.
type judge struct {
	world   *World
	labels  map[string]int // episode of each insertId that has one
	outcome Outcome
}

func newJudge(w *World, labels map[string]int) *judge {
	return &judge{world: w, labels: labels, outcome: Outcome{Found: make(map[int]time.Duration), False: make(map[string]int)}}
}

// take judges an alert that came at a time. It belongs to the attacks among its
// evidence, and without evidence to what fell silent.
func (j *judge) take(a Alert, now time.Time) {
	if a.Quiet {
		j.outcome.Quiet++
		return
	}
	about := j.about(a)
	right := slices.DeleteFunc(slices.Clone(about), func(i int) bool { return !j.world.Episodes[i].toldBy(a.Rule) })
	for _, i := range right {
		if _, found := j.outcome.Found[i]; !found {
			j.outcome.Found[i] = now.Sub(j.world.Episodes[i].First)
		}
	}
	if len(right) == 0 {
		kind := j.world.Episodes[slices.Max(about)].Kind
		j.outcome.False[kind]++
		j.outcome.Wrong = append(j.outcome.Wrong, falseAlert{a, kind})
	}
}

// about are the episodes that an alert is about; 0 is everyday work.
func (j *judge) about(a Alert) []int {
	about := []int{0}
	for _, id := range a.Evidence {
		about = append(about, j.labels[id])
	}
	for i, e := range j.world.Episodes {
		if len(a.Evidence) == 0 && e.Silent != "" && e.Silent == a.Subject {
			about = append(about, i)
		}
	}
	return about
}

// Watch shows a world to watchers, all at once, and returns what came of each at
// each of its settings, of which their numbers are given.
func Watch(w *World, watchers []Watcher, settings []int) (outcomes [][]Outcome, entries int) {
	labels := make(map[string]int)
	judges := make([][]*judge, len(watchers))
	for i, n := range settings {
		for range n {
			judges[i] = append(judges[i], newJudge(w, labels))
		}
	}
	var alerts []Alert
	for e := range w.Events() {
		entries++
		if e.Episode != 0 {
			labels[e.Entry.InsertID] = e.Episode
		}
		for i, watcher := range watchers {
			alerts = watcher.Observe(e, alerts[:0])
			for _, a := range alerts {
				judges[i][a.Setting].take(a, e.Arrival)
			}
		}
	}
	for i, watcher := range watchers {
		for _, a := range watcher.Flush(nil) {
			judges[i][a.Setting].take(a, Start.Add(Days*day))
		}
		var all []Outcome
		for _, j := range judges[i] {
			all = append(all, j.outcome)
		}
		outcomes = append(outcomes, all)
	}
	return outcomes, entries
}

// falseAlerts is their number.
func (o Outcome) falseAlerts() int {
	n := 0
	for _, count := range o.False {
		n += count
	}
	return n
}
