package abuse

import (
	"time"

	"example.com/keyturn/cmd/keyturn/internal/quantile"
)

// Budget is how many false alerts per principal and week are bearable.
const Budget = 0.01

// Goal is the recall of each class of attacks that keyturn is held to.
const Goal = 0.95

// Result is what the measurement found.
type Result struct {
	Seeds          []uint64 `json:"seeds"`
	Tuning         []uint64 `json:"tuning_seeds"`
	Entries        int      `json:"entries"`
	Principals     int      `json:"principals"` // of all worlds together
	PrincipalWeeks float64  `json:"principal_weeks"`

	Classes     []Class            `json:"classes"`
	Recall      float64            `json:"recall"`
	FalseAlerts float64            `json:"false_alerts_per_principal_week"`
	Quiet       float64            `json:"info_findings_per_principal_week"` // they call nobody, and count neither as found nor as false
	Benign      []Benign           `json:"benign"`
	Comparators []ComparatorResult `json:"comparators"`
	Seconds     float64            `json:"seconds"`

	Missed []Missed `json:"missed"`
	Wrong  []Wrong  `json:"false_alerts"`
}

// Class is how one class of attacks was detected.
type Class struct {
	Name     string   `json:"name"`
	Episodes int      `json:"episodes"`
	Recall   float64  `json:"recall"`
	Median   *float64 `json:"ttd_median_s"` // from the first entry to the alert; null when none was detected
	P95      *float64 `json:"ttd_p95_s"`
}

// Benign is how often one kind of episode was taken for what it is not.
type Benign struct {
	Name     string  `json:"name"`
	Episodes int     `json:"episodes"`
	Alerts   int     `json:"alerts"`
	PerOne   float64 `json:"alerts_per_episode"` // of everyday work: per principal and week
}

// ComparatorResult is how somebody else's rules did.
type ComparatorResult struct {
	Name   string `json:"name"`
	Source string `json:"source"`
	Figures
	Equal  Figures `json:"at_equal_false_alerts"` // the best choice of settings with no more false alerts than keyturn
	Budget Figures `json:"within_the_budget"`     // the best with no more than Budget
}

// Figures are how a choice of settings did.
type Figures struct {
	Recall      float64            `json:"recall"`
	FalseAlerts float64            `json:"false_alerts_per_principal_week"`
	Settings    []string           `json:"settings"`
	Classes     map[string]float64 `json:"recall_by_class"`
	Benign      map[string]int     `json:"alerts_by_kind"`
}

// Missed is an attack that keyturn did not detect.
type Missed struct {
	Seed    uint64    `json:"seed"`
	Episode int       `json:"episode"`
	Kind    string    `json:"kind"`
	First   time.Time `json:"first"`
	Entries int       `json:"entries"`
}

// Wrong is an alert of keyturn's that belongs to no attack.
type Wrong struct {
	Seed     uint64   `json:"seed"`
	Kind     string   `json:"kind"` // of episode
	Detector string   `json:"detector"`
	Subject  string   `json:"subject"`
	Reason   string   `json:"reason"`
	Evidence []string `json:"evidence"`
}

// Met reports whether keyturn reached its goal: recall of each class within the
// budget of false alerts, and ahead of each comparator with as few of them.
func (r Result) Met() bool {
	for _, c := range r.Classes {
		if c.Recall < Goal {
			return false
		}
	}
	for _, c := range r.Comparators {
		if c.Equal.Recall >= r.Recall {
			return false
		}
	}
	return r.FalseAlerts <= Budget
}

// classes sums up the attacks of each kind.
func classes(worlds []*World, outcomes []Outcome) []Class {
	var all []Class
	for _, k := range kinds {
		if !k.attack {
			continue
		}
		var delays []time.Duration
		class := Class{Name: k.name}
		for n, w := range worlds {
			for i, e := range w.Episodes {
				if e.Kind != k.name {
					continue
				}
				class.Episodes++
				if delay, found := outcomes[n].Found[i]; found {
					delays = append(delays, delay)
				}
			}
		}
		class.Recall = float64(len(delays)) / float64(max(class.Episodes, 1))
		class.Median, class.P95 = secondsAt(delays, 0.5), secondsAt(delays, 0.95)
		all = append(all, class)
	}
	return all
}

// secondsAt is a quantile of delays; nil of none.
func secondsAt(delays []time.Duration, q float64) *float64 {
	if len(delays) == 0 {
		return nil
	}
	s := quantile.Of(delays, q).Seconds()
	return &s
}

// benign sums up the false alerts about each kind.
func benign(worlds []*World, outcomes []Outcome, principalWeeks float64) []Benign {
	all := []Benign{{Name: "everyday"}}
	for _, k := range kinds {
		if !k.attack || k.as != "" {
			all = append(all, Benign{Name: k.name, Episodes: k.times * len(worlds)})
		}
	}
	for i := range all {
		b := &all[i]
		for _, o := range outcomes {
			b.Alerts += o.False[b.Name]
		}
		per := float64(b.Episodes)
		if b.Episodes == 0 {
			per = principalWeeks
		}
		b.PerOne = float64(b.Alerts) / per
	}
	return all
}

// mistakes lists what keyturn missed and what it told wrongly.
func mistakes(worlds []*World, outcomes []Outcome) (missed []Missed, wrong []Wrong) {
	missed, wrong = []Missed{}, []Wrong{}
	for n, w := range worlds {
		for i, e := range w.Episodes {
			if _, found := outcomes[n].Found[i]; e.Attack && !found {
				missed = append(missed, Missed{w.Seed, i, e.Kind, e.First, e.Entries})
			}
		}
		for _, m := range outcomes[n].Wrong {
			wrong = append(wrong, Wrong{w.Seed, m.Kind, m.Alert.Rule, m.Alert.Subject, m.Alert.Reason, m.Alert.Evidence})
		}
	}
	return missed, wrong
}
