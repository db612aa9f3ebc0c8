package abuse

import (
	"fmt"
	"math/bits"
)

// tally is what one rule at one setting told in all worlds.
type tally struct {
	found attacks
	false map[string]int // alerts by kind
	sum   int            // of them
}

// attacks is a set of attack episodes.
type attacks []uint64

func (a attacks) with(b attacks) attacks {
	union := make(attacks, len(a))
	for i := range a {
		union[i] = a[i] | b[i]
	}
	return union
}

func (a attacks) count() int {
	n := 0
	for _, word := range a {
		n += bits.OnesCount64(word)
	}
	return n
}

func (a attacks) has(i int) bool { return a[i/64]>>(i%64)&1 == 1 }

// roster numbers the attacks of some worlds.
type roster struct {
	number map[[2]int]int // by world and episode
	kinds  []string       // by number
}

func newRoster(worlds []*World) roster {
	r := roster{number: make(map[[2]int]int)}
	for n, w := range worlds {
		for i, e := range w.Episodes {
			if e.Attack {
				r.number[[2]int{n, i}] = len(r.kinds)
				r.kinds = append(r.kinds, e.Kind)
			}
		}
	}
	return r
}

func (r roster) empty() attacks { return make(attacks, len(r.kinds)/64+1) }

// add counts what a rule told in the nth world.
func (r roster) add(t *tally, n int, o Outcome) {
	for i := range o.Found {
		number := r.number[[2]int{n, i}]
		t.found[number/64] |= 1 << (number % 64)
	}
	for kind, count := range o.False {
		t.false[kind] += count
		t.sum += count
	}
}

// off is the setting of a rule that is not used.
const off = -1

// best chooses a setting for each rule, or none of it, so that together they find
// the most attacks with at most limit false alerts; of equal ones the quietest.
func (r roster) best(rules [][]tally, limit int) []int {
	choice, chosen := make([]int, len(rules)), make([]int, len(rules))
	most, least := -1, 0
	var choose func(i int, found attacks, sum int)
	choose = func(i int, found attacks, sum int) {
		if i == len(rules) {
			if n := found.count(); n > most || n == most && sum < least {
				most, least = n, sum
				copy(chosen, choice)
			}
			return
		}
		choice[i] = off
		choose(i+1, found, sum)
		for n, t := range rules[i] {
			if t.found.count() == 0 || sum+t.sum > limit {
				continue
			}
			choice[i] = n
			choose(i+1, found.with(t.found), sum+t.sum)
		}
	}
	choose(0, r.empty(), 0)
	return chosen
}

// figures sums up rules at a choice of settings.
func (r roster) figures(c Comparator, rules [][]tally, choice []int, principalWeeks float64) Figures {
	f := Figures{Settings: []string{}, Classes: make(map[string]float64), Benign: make(map[string]int)}
	found, sum := r.empty(), 0
	for i, n := range choice {
		if n == off {
			continue
		}
		t := rules[i][n]
		found, sum = found.with(t.found), sum+t.sum
		f.Settings = append(f.Settings, fmt.Sprintf("%s ≥ %g", c.Rules[i].Name, c.Rules[i].Settings[n]))
		for kind, count := range t.false {
			f.Benign[kind] += count
		}
	}
	total := make(map[string]float64)
	for i, kind := range r.kinds {
		total[kind]++
		if found.has(i) {
			f.Classes[kind]++
		}
	}
	for kind, n := range total {
		f.Classes[kind] /= n
	}
	f.Recall = float64(found.count()) / float64(max(len(r.kinds), 1))
	f.FalseAlerts = float64(sum) / principalWeeks
	return f
}
