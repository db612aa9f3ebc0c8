package abuse

import (
	"math"
	"time"

	"example.com/keyturn/shared/detect"
)

// baseline is a rule that compares a group's count of a day with the mean and
// standard deviation of the seven days before, at several multiples of it at
// once. It tells a day once, as soon as it is too much, which is earlier than the
// query at the end of the day that it stands for.
type baseline struct {
	group  func(*detect.Entry) (string, bool)
	sigmas []float64

	groups map[string]*week
}

// week is what is known of one group.
type week struct {
	first  int // day of its first entry
	day    int
	counts [8]int // by day modulo 8
	mean   float64
	sigma  float64
	latest []*Event // of the day
	told   int      // at how many multiples the day was told
}

func (b *baseline) Observe(e *Event, into []Alert) []Alert {
	name, ok := b.group(&e.Entry)
	if !ok || e.Again {
		return into
	}
	if b.groups == nil {
		b.groups = make(map[string]*week)
	}
	today := int(e.Arrival.Sub(Start) / (24 * time.Hour))
	w := b.groups[name]
	if w == nil {
		w = &week{first: today, day: today}
		b.groups[name] = w
	}
	w.turn(today)
	w.counts[today%8]++
	w.latest = append(w.latest[max(0, len(w.latest)-maxEvidence+1):], e)
	if today < w.first+7 {
		return into
	}
	for ; w.told < len(b.sigmas) && float64(w.counts[today%8]) > w.mean+b.sigmas[w.told]*w.sigma; w.told++ {
		into = append(into, Alert{Setting: w.told, Subject: name, Evidence: ids(w.latest)})
	}
	return into
}

func (b *baseline) Flush(into []Alert) []Alert { return into }

// turn begins a new day.
func (w *week) turn(today int) {
	for w.day < today {
		w.day++
		w.counts[w.day%8], w.told, w.latest = 0, 0, nil
		var sum, squares float64
		for d := range 7 {
			n := float64(w.counts[(w.day+1+d)%8])
			sum, squares = sum+n, squares+n*n
		}
		w.mean = sum / 7
		w.sigma = math.Sqrt(max(0, squares/7-w.mean*w.mean))
	}
}
