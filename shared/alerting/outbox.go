package alerting

import (
	"iter"
	"slices"
	"strings"
	"time"
)

// Outbox is what is owed to channels, in the order in which it was decided.
type Outbox []Owed

// Owed is an alert that some channels do not have yet.
type Owed struct {
	Alert Alert     `json:"alert"`
	To    []Attempt `json:"to"`
}

// to is the index of a channel; negative if the alert is not owed to it.
func (w Owed) to(channel string) int {
	return slices.IndexFunc(w.To, func(t Attempt) bool { return t.Channel == channel })
}

// Attempt is how delivering an alert to one channel stands.
type Attempt struct {
	Channel string    `json:"channel"`
	Tries   int       `json:"tries,omitempty"`
	Since   time.Time `json:"since,omitzero"`  // when it was tried first
	Next    time.Time `json:"next,omitzero"`   // not to be tried before
	By      string    `json:"by,omitempty"`    // who claimed it last
	Error   string    `json:"error,omitempty"` // of the latest try
}

// Sending is one alert on its way to one channel.
type Sending struct {
	Channel string
	Alert   Alert
	Error   string // of the try before this one
}

// Result is what became of a sending.
type Result struct {
	Sending
	Err     string        // empty when the channel has the alert, or holds it back for its digest
	Fatal   bool          // trying again would be in vain
	After   time.Duration // that the channel asked to wait; 0 is for keyturn to choose
	Untried bool          // the channel was not called: this is no try
	Outcome string        // of a response, in one sentence; empty of anything else
	Held    Action        // that the brake held; empty of anything else
}

// Retry says how long a channel that fails is tried.
type Retry struct {
	First time.Duration // pause after the first try, doubled after each; 0 is 10 seconds
	Most  time.Duration // longest pause; 0 is 10 minutes
	Until time.Duration // after which an alert is given up; 0 is 24 hours
}

// Add owes an alert to channels.
func (o *Outbox) Add(a Alert, channels []string) {
	owed := Owed{Alert: a}
	for _, name := range channels {
		o.makeRoom(name)
		owed.To = append(owed.To, Attempt{Channel: name})
	}
	if len(owed.To) > 0 {
		*o = append(*o, owed)
	}
}

// maxOwed is how many alerts one channel is owed: its incident must remain small
// enough to be written, or nobody else is told of it.
const maxOwed = 32

// makeRoom takes the newest alert away that a channel is owed where those are too
// many. What replaces it tells where the incident stands.
func (o *Outbox) makeRoom(channel string) {
	waiting, newest := 0, 0
	for i, w := range *o {
		if w.to(channel) >= 0 {
			waiting, newest = waiting+1, i
		}
	}
	if waiting >= maxOwed {
		j := (*o)[newest].to(channel)
		(*o)[newest].To = slices.Delete((*o)[newest].To, j, j+1)
		o.tidy()
	}
}

// drop takes away what is owed to a channel.
func (o *Outbox) drop(channel string) {
	for i := range *o {
		(*o)[i].To = slices.DeleteFunc((*o)[i].To, func(t Attempt) bool { return t.Channel == channel })
	}
	o.tidy()
}

// tidy forgets what every channel has.
func (o *Outbox) tidy() {
	*o = slices.DeleteFunc(*o, func(w Owed) bool { return len(w.To) == 0 })
}

// heads are, of each channel, the oldest alert that it is owed: the others wait for it.
func (o Outbox) heads() iter.Seq2[*Owed, *Attempt] {
	return func(yield func(*Owed, *Attempt) bool) {
		var before []string // channels that have an older alert coming
		for i := range o {
			for j := range o[i].To {
				t := &o[i].To[j]
				if slices.Contains(before, t.Channel) {
					continue
				}
				before = append(before, t.Channel)
				if !yield(&o[i], t) {
					return
				}
			}
		}
	}
}

// Claim returns what is to be sent now: of each channel the oldest alert, unless it
// is to be tried later. Until the lease is over nobody else gets it; the same
// claimant does, who may not know that the claim was written. The time is that of
// the machines, as that of Settle.
func (o Outbox) Claim(claimant string, now time.Time, lease time.Duration) []Sending {
	var claimed []Sending
	for owed, t := range o.heads() {
		if t.Next.After(now) && (claimant == "" || t.By != claimant) {
			continue
		}
		if t.Since.IsZero() {
			t.Since = now
		}
		t.Next, t.By = now.Add(lease), claimant
		claimed = append(claimed, Sending{t.Channel, owed.Alert, t.Error})
	}
	return claimed
}

// Next is when something is to be sent, after what was claimed; zero if nothing is.
func (o Outbox) Next() (next time.Time) {
	for _, t := range o.heads() {
		next = earlier(next, t.Next)
	}
	return next
}

// Settle takes in what became of a sending. What is given up is owed to the dead
// letters. jitter, from 0 to 1, is how much of a pause is waited.
func (o *Outbox) Settle(r Result, retry Retry, now time.Time, jitter float64) {
	i := slices.IndexFunc(*o, func(w Owed) bool { return w.Alert.ID == r.Alert.ID && w.to(r.Channel) >= 0 })
	if i < 0 {
		return
	}
	owed := &(*o)[i]
	j := owed.to(r.Channel)
	t := &owed.To[j]
	_, dead := GivenUp(t.Channel)
	switch late := now.Sub(t.Since) >= orDefault(retry.Until, 24*time.Hour); {
	case r.Err == "":
		owed.To = slices.Delete(owed.To, j, j+1)
	case !dead && (r.Fatal || late):
		*t = Attempt{Channel: deadPrefix + t.Channel, Error: r.Err}
	default:
		t.postpone(r, retry, now, jitter)
	}
	o.tidy()
}

// deadPrefix begins the name of the way that an alert goes which a channel does not
// take: it is owed to the dead-letter topic until that has it.
const deadPrefix = "dead-letter/"

// GivenUp reports whether a name in an outbox stands for the dead letters of a
// channel, and of which.
func GivenUp(name string) (channel string, ok bool) { return strings.CutPrefix(name, deadPrefix) }

// postpone has an attempt made again later.
func (t *Attempt) postpone(r Result, retry Retry, now time.Time, jitter float64) {
	var pause time.Duration
	if !r.Untried {
		pause = min(orDefault(retry.First, 10*time.Second)<<min(t.Tries, 16), orDefault(retry.Most, 10*time.Minute))
		t.Tries++
	}
	if _, dead := GivenUp(t.Channel); !dead { // the reason why it was given up stays
		t.Error = r.Err
	}
	t.Next = now.Add(max(r.After, time.Duration(jitter*float64(pause))))
}
