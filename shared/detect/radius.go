package detect

import (
	"fmt"
	"strings"
	"time"
)

// Radius is who uses a key, as far as was seen in the week before a finding about it:
// what may stop working if the key is revoked now. It counts networks (/24, /48),
// for all users of a key have one name. The zero Radius is that no use can be
// counted: there is no key, or it was not given to anybody, or does not work.
type Radius struct {
	Since     time.Time `json:"since"`               // as of when uses are counted: of a previous key since it was superseded, of others those of its credential
	Watched   bool      `json:"watched,omitempty"`   // whether consumers have been watched for long enough to tell them from others
	Consumers int       `json:"consumers"`           // networks that were its consumers' before what the finding tells began
	Shared    int       `json:"shared,omitempty"`    // of them, that the finding came from, too
	Others    int       `json:"others,omitempty"`    // networks that are neither its consumers' nor the finding's
	Strangers int       `json:"strangers,omitempty"` // networks that the finding came from, and that are not its consumers'
	Used      time.Time `json:"used,omitzero"`       // about when it was last used from a network that the finding did not come from; zero is never
	Read      time.Time `json:"read,omitzero"`       // when anybody but keyturn last read its secret, of a current key; zero is that no read was seen
	Readers   int       `json:"readers,omitempty"`   // principals that the ledger knows to read its secret; 0 is that it knows none
}

// radiusSpan is how far back uses count.
const radiusSpan = 7 * day

// radius counts who uses the key of a finding that began at a time, and those whom
// the finding is about apart.
func (g *Engine) radius(f *Finding, began, last int64) Radius {
	if f.Key == "" || !f.Standing.works() {
		return Radius{}
	}
	k := g.ledger.key(f.Key)
	users := g.users(f.Key, k)
	since := max(last-radiusSpan, g.born)
	straggling := k != nil && f.Standing.State == previousKey && k.superseded < last // or the ledger is newer than the finding
	if straggling {
		since = max(since, k.superseded)
	}
	r := Radius{Since: instant(since), Watched: users.settled(began)}
	own, used := networksOf(f.From), int64(0)
	for network, at := range g.uses(f.Key, users, straggling) {
		if at < since {
			continue
		}
		if !own[network] {
			used = max(used, at)
		}
		r.count(r.Watched && users.trusts(usedNetwork, network, began), own[network])
	}
	r.Strangers = len(own) - r.Shared
	if used != 0 {
		r.Used = instant(used)
	}
	if k != nil && f.Standing.State == currentKey {
		r.read(users, k)
	}
	return r
}

// count takes in one network.
func (r *Radius) count(consumers, own bool) {
	switch {
	case consumers && own:
		r.Consumers, r.Shared = r.Consumers+1, r.Shared+1
	case consumers:
		r.Consumers++
	case !own:
		r.Others++
	}
}

// read takes in who read the secret since the key is in it.
func (r *Radius) read(consumers *subject, k *ledgerKey) {
	r.Readers = len(k.secret.readers)
	last := int64(0)
	for _, s := range consumers.of(managedRead) {
		last = max(last, s.last)
	}
	if last != 0 && last >= k.given-promotion {
		r.Read = instant(last)
	}
}

// users is what is known of where a key belongs: of its credential, or of itself if
// nobody manages it. It is only to be read.
func (g *Engine) users(key string, k *ledgerKey) *subject {
	if k != nil {
		return g.consumers(k.secret)
	}
	if s := g.store.known(g.store.key(usedBy(key, nil))); s != nil {
		return s
	}
	return new(subject)
}

// uses are the networks that a key was used from, and when last: unless its users are
// straggling those of its credential, too, whose consumers may have it by now.
func (g *Engine) uses(key string, users *subject, straggling bool) map[string]int64 {
	last := make(map[string]int64)
	if !straggling {
		for _, u := range users.of(usedNetwork) {
			last[u.name] = max(last[u.name], u.last)
		}
	}
	if s := g.store.known(g.store.key(nameOf(keySubject + lastPart(key)))); s != nil {
		for _, u := range s.of(keyUse) {
			network := parseFingerprint(u.name).network
			last[network] = max(last[network], u.last)
		}
	}
	return last
}

// networksOf are those of addresses, each with what it was used with.
func networksOf(from []string) map[string]bool {
	networks := make(map[string]bool)
	for _, f := range from {
		if address, _, _ := strings.Cut(f, " "); address != "" {
			networks[networkOf(address)] = true
		}
	}
	return networks
}

// effects are what revoking a key does to its consumers, by its standing.
var effects = map[string]string{
	"":             "keyturn has no ledger to tell whether it manages this key: whoever uses it may fail",
	unmanagedKey:   "keyturn does not manage this key and gives nobody another: whoever uses it fails",
	stagedKey:      "consumers were not given this key yet: none of them fails",
	currentKey:     "consumers are given this key: 'keyturn revoke' gives them another one first, and those that have not read that fail until they do",
	previousKey:    "consumers are given another key by now: those fail that have not read that",
	quarantinedKey: "this key was taken away already: only whoever gets past that fails",
	deletedKey:     "this key was taken away already: only whoever gets past that fails",
}

// BlastRadius is what stops working if the finding's key is revoked now, and how sure
// that is, in a sentence; "" if the finding is about no key.
func (f Finding) BlastRadius() string {
	effect, ok := effects[f.Standing.State]
	if f.Key == "" || !ok {
		return ""
	}
	if f.Radius.Since.IsZero() {
		return effect
	}
	told := effect + "; " + f.Radius.seen(f.LastSeen)
	if f.Standing.State == currentKey {
		told += f.Radius.readBy()
	}
	return told
}

// seen says who used the key until a time, and how many of them the finding is about.
func (r Radius) seen(until time.Time) string {
	span := short(until.Sub(r.Since))
	told := "in the calls logged within " + span + " nobody else was seen to use it"
	if others := r.others(); others != "" {
		told = "within " + span + " others were seen to use it from " + others + ", last" + dated(" about ", r.Used)
	}
	var own []string
	if r.Shared > 0 {
		own = append(own, counted(r.Shared, "network")+" of its consumers")
	}
	if r.Strangers > 0 {
		own = append(own, counted(r.Strangers, "other network"))
	}
	if len(own) > 0 {
		told += "; the finding came from " + strings.Join(own, " and ")
	}
	return told
}

// others are the networks that the finding did not come from; "" is none.
func (r Radius) others() string {
	var networks []string
	if n := r.Consumers - r.Shared; n > 0 {
		networks = append(networks, counted(n, "network")+" of its consumers")
	}
	switch {
	case r.Others > 0 && r.Watched:
		networks = append(networks, counted(r.Others, "network")+" that may be anybody's")
	case r.Others > 0:
		networks = append(networks, counted(r.Others, "network")+", too little watched to tell its consumers")
	}
	return strings.Join(networks, " and ")
}

// readBy says who reads the secret of a current key.
func (r Radius) readBy() string {
	known := ""
	if r.Readers > 0 {
		known = fmt.Sprintf(", which has %s,", counted(r.Readers, "known reader"))
	}
	if r.Read.IsZero() {
		return "; no read of its secret" + known + " was logged since consumers are given it"
	}
	return "; its secret" + known + " was last read" + dated(" at ", r.Read)
}
