package abuse

import (
	"time"

	"example.com/keyturn/shared/detect"
)

// counter is a rule that measures the entries of a group in a window of arrival,
// at several thresholds at once.
type counter struct {
	group      func(*detect.Entry) (string, bool) // false for an entry that does not count
	window     time.Duration
	measure    func([]*Event) int // of the window
	thresholds []float64
	every      time.Duration // how often the window is measured; 0 is at each entry

	groups map[string]*window
	tick   time.Time
}

// mute is how long a group is quiet after an alert, as Panther has it.
const mute = time.Hour

// window is what is known of one group.
type window struct {
	events []*Event
	alerts []time.Time // the latest at each threshold
}

func (c *counter) Observe(e *Event, into []Alert) []Alert {
	if e.Again {
		return into
	}
	if c.every > 0 && !e.Arrival.Before(c.tick) {
		into = c.ask(into)
		c.tick = e.Arrival.Truncate(c.every).Add(c.every)
	}
	name, ok := c.group(&e.Entry)
	if !ok {
		return into
	}
	if c.groups == nil {
		c.groups = make(map[string]*window)
	}
	w := c.groups[name]
	if w == nil {
		w = &window{alerts: make([]time.Time, len(c.thresholds))}
		c.groups[name] = w
	}
	w.events = append(w.events, e)
	if c.every == 0 {
		into = c.judge(name, w, e.Arrival, into)
	}
	return into
}

// ask judges all groups as a schedule does.
func (c *counter) ask(into []Alert) []Alert {
	for name, w := range c.groups {
		into = c.judge(name, w, c.tick, into)
	}
	return into
}

func (c *counter) judge(name string, w *window, now time.Time, into []Alert) []Alert {
	old := 0
	for old < len(w.events) && now.Sub(w.events[old].Arrival) > c.window {
		old++
	}
	w.events = w.events[old:]
	measure := float64(c.measure(w.events))
	for i, threshold := range c.thresholds {
		if measure >= threshold && now.Sub(w.alerts[i]) >= mute {
			w.alerts[i] = now
			into = append(into, Alert{Setting: i, Subject: name, Evidence: ids(w.events)})
		}
	}
	return into
}

func (c *counter) Flush(into []Alert) []Alert {
	if c.every == 0 {
		return into
	}
	return c.ask(into)
}

// ids names the latest of the events.
func ids(events []*Event) []string {
	var names []string
	for _, e := range events[max(0, len(events)-maxEvidence):] {
		names = append(names, e.Entry.InsertID)
	}
	return names
}

// number is how many there are.
func number(events []*Event) int { return len(events) }

// distinct counts the different values of a text.
func distinct(events []*Event, text func(*detect.Entry) string) int {
	seen := make(map[string]bool)
	for _, e := range events {
		seen[text(&e.Entry)] = true
	}
	return len(seen)
}

// differ reports whether there are two values of a text.
func differ(events []*Event, text func(*detect.Entry) string) bool {
	for _, e := range events {
		if text(&e.Entry) != text(&events[0].Entry) {
			return true
		}
	}
	return false
}
