package sim

import (
	"path"
	"time"

	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	"example.com/keyturn/internal/localgcp/monitoring"
	"example.com/keyturn/shared/rotation"
)

// consumer is a program that uses a credential's key: it reads it from the
// secret, keeps it for a while, and uses it every so often.
type consumer struct {
	key   string        // the one that it holds
	every time.Duration // between two uses
	keeps time.Duration // how long it holds on to a key, even one that fails
	next  moment        // when it uses the key next
	until moment        // when it reads the secret again
	fails moment        // since when its key fails; zero while it works
}

// use is what Cloud Monitoring can tell of a key's use.
type use struct {
	last  moment
	pause time.Duration // the longest between two uses, as far as there were two
	fail  moment        // the last use that failed
}

// consume lets all consumers go on.
func (w *world) consume() {
	now := w.clock.Now()
	for _, c := range w.credentials {
		for _, u := range c.users {
			if now.Before(u.next) {
				continue
			}
			if u.key == "" || !now.Before(u.until) {
				u.load(c, now)
			}
			u.next = now.Add(u.every)
			w.use(c, u)
		}
	}
}

// load reads the secret; what does not work is read again at the next use.
func (u *consumer) load(c *credential, now moment) {
	n := c.sight.aliases[rotation.AliasCurrent]
	if n == 0 || n > len(c.sight.versions) || !c.sight.versions[n-1].enabled() {
		return
	}
	u.key, u.until, u.fails = c.sight.versions[n-1].key, now.Add(u.keeps), moment{}
}

// use counts one use of the consumer's key, where Google counts it: also if it fails.
func (w *world) use(c *credential, u *consumer) {
	k, exists := c.sight.keys[u.key]
	if !exists {
		return // nobody knows whose it was
	}
	now, known := w.clock.Now(), c.uses[u.key]
	if !known.last.IsZero() {
		known.pause = max(known.pause, now.Sub(known.last))
	}
	known.last = now
	if k.works {
		u.fails = moment{}
	} else {
		known.fail = now
		if u.fails.IsZero() {
			u.fails = now
		}
	}
	c.uses[u.key] = known
	w.count(c, u.key, k)
}

func (w *world) count(c *credential, key string, k keyState) {
	if c.kind == rotation.APIKey {
		w.gcp.Monitoring.Count(monitoring.RequestCount, map[string]string{"response_code": "200"}, "consumed_api",
			map[string]string{"project_id": project, "service": "generativelanguage.googleapis.com", "credential_id": "apikey:" + k.uid}, 1)
		return
	}
	w.gcp.Monitoring.Count(monitoring.KeyAuthnEvents, map[string]string{"key_id": key}, "iam_service_account",
		map[string]string{"project_id": project, "unique_id": w.gcp.IAM.UniqueID(path.Base(c.account))}, 1)
}

const (
	// pointSpan is how long it takes at most until a use can be seen in Cloud Monitoring.
	pointSpan = 10 * time.Minute
	// freshEvidence is how old evidence may be that a key is disabled by.
	freshEvidence = 90 * time.Minute
	// brownOut is how soon a key comes back that somebody misses.
	brownOut = 5 * time.Hour
)

// unused is invariant 6 for a key that a call has disabled: the record was looked
// at, reached beyond the time when consumers were given the key, and did not
// show a use more recent than the key's pauses.
func (j *judge) unused(c *credential, id string, by cause) {
	now := j.world.clock.Now()
	if !c.evidenceCounts(now, id) {
		return
	}
	u := c.uses[id]
	visible := !u.last.Add(pointSpan).After(by.actor.since)
	switch {
	case now.Sub(c.looked) > freshEvidence:
		j.broken(6, "key %s of %s was disabled without evidence", id, c.id)
	case c.reaches.Before(c.given[id]):
		j.broken(6, "key %s of %s was disabled although the record did not reach to when consumers were given it last", id, c.id)
	case !u.last.IsZero() && visible && now.Sub(u.last) < u.pause:
		j.broken(6, "key %s of %s was disabled although a consumer was seen using it %v ago", id, c.id, now.Sub(u.last))
	}
}

// evidenceCounts reports whether the credential's policy asks for evidence now.
func (c *credential) evidenceCounts(now moment, id string) bool {
	p := c.policy
	if p.Evidence == rotation.EvidenceIgnored || c.hand.keys[id] {
		return false
	}
	limit := time.Duration(p.StragglerLimit)
	if limit == 0 {
		limit = time.Duration(p.Period)
	}
	return p.Stragglers != rotation.Force || now.Before(c.given[id].Add(time.Duration(p.Overlap)+limit))
}

// lookedAt notes how far a record of uses reached that the function was answered.
func (c *credential) lookedAt(now moment, answer *monitoringpb.ListTimeSeriesResponse) {
	c.looked, c.reaches = now, moment{}
	for _, s := range answer.GetTimeSeries() {
		for _, p := range s.GetPoints() {
			c.reaches = latest(c.reaches, p.GetInterval().GetEndTime().AsTime())
		}
	}
}

// missed is invariant 7 for a key that a call has deleted: nobody was seen
// trying to use it since it was disabled.
func (j *judge) missed(c *credential, id string, by cause) {
	fail := c.uses[id].fail
	settled := c.stopped[id].Add(time.Duration(c.policy.Propagation) + 2*pointSpan)
	if c.evidenceCounts(j.world.clock.Now(), id) && fail.After(settled) && !fail.Add(pointSpan+time.Hour).After(by.actor.since) {
		j.broken(7, "key %s of %s was deleted although a consumer was seen trying to use it", id, c.id)
	}
}

// broughtBack is invariant 7: when all is calm, a key that a consumer misses
// comes back soon.
func (j *judge) broughtBack(c *credential) {
	now := j.world.clock.Now()
	for _, u := range c.users {
		k, exists := c.sight.keys[u.key]
		if k.works {
			u.fails = moment{}
		}
		if !exists || !k.disabled || u.fails.IsZero() || c.hand.revoked[u.key] || !c.evidenceCounts(now, u.key) {
			continue
		}
		if since := latest(u.fails, j.world.calmSince); now.Sub(since) > brownOut {
			j.broken(7, "key %s of %s has failed a consumer for %v and does not come back", u.key, c.id, now.Sub(since))
		}
	}
}

func latest(a, b moment) moment {
	if a.After(b) {
		return a
	}
	return b
}
