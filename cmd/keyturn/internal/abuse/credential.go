package abuse

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"example.com/keyturn/shared/detect"
)

// Key is one key of a credential and when its state changed, as the ledger
// knows it. A zero time is not yet.
type Key struct {
	ID         string
	Name       string // full resource name, as callers are told by it
	Promoted   time.Time
	Superseded time.Time
	Disabled   time.Time
	Deleted    time.Time
	Version    int // of the secret that holds it
}

// Credential is a service-account key that keyturn rotates.
type Credential struct {
	Secret   string // projects/P/secrets/S
	Project  *Project
	Consumer *Principal
	Keys     []Key // oldest first

	refresh time.Duration // how often the consumer reads the secret
	phase   time.Duration
	lazy    map[int]laggard // by index of the key that is not left in time
}

// laggard is a consumer that stays on an old key after the rotation.
type laggard struct {
	until   time.Time
	episode int
}

// keepSecrets gives each workload a credential.
func (w *World) keepSecrets(r *rand.Rand) {
	for _, p := range w.of(Workload) {
		w.keepSecret(r, p)
	}
}

// keepSecret gives a workload a credential, and leads it through its rotations.
func (w *World) keepSecret(r *rand.Rand, p *Principal) *Credential {
	name, _, _ := strings.Cut(p.Email, "@")
	project := p.Projects[0]
	c := &Credential{
		Secret: fmt.Sprintf("projects/%s/secrets/%s-key", project.ID, name), Project: project, Consumer: p,
		refresh: between(r, 20*time.Minute, 2*time.Hour), phase: between(r, 0, time.Hour), lazy: make(map[int]laggard),
	}
	period := between(r, 10*day, 24*day)
	for at, n := Start.Add(-between(r, day, period)-period), 1; at.Before(Start.Add(Days * day)); at, n = at.Add(period), n+1 {
		id := keyID(r)
		c.Keys = append(c.Keys, Key{ID: id, Name: keyName(p.Email, id), Promoted: at, Version: n})
		if n > 1 {
			old := &c.Keys[n-2]
			old.Superseded, old.Disabled = at, at.Add(between(r, day, 3*day))
			old.Deleted = old.Disabled.Add(7 * day)
		}
	}
	p.credential = c
	w.Credentials = append(w.Credentials, c)
	return c
}

// versionName is how Secret Manager's logs name what is read.
func (c *Credential) versionName(version string) string {
	return fmt.Sprintf("projects/%d/secrets/%s/versions/%s", c.Project.Number, c.id(), version)
}

func (c *Credential) id() string { return c.Secret[len("projects/"+c.Project.ID+"/secrets/"):] }

// current is the index of the key that consumers are told to use at t.
func (c *Credential) current(t time.Time) int {
	n := 0
	for i, k := range c.Keys {
		if !k.Promoted.After(t) {
			n = i
		}
	}
	return n
}

// lastRead is when the consumer read its secret last before t.
func (c *Credential) lastRead(t time.Time) time.Time {
	return t.Add(-c.phase).Truncate(c.refresh).Add(c.phase)
}

// inUse is the key that the consumer signs in with at t, and the episode that
// this belongs to when it should have moved over by then.
func (c *Credential) inUse(t time.Time) (key Key, episode int) {
	i := c.current(c.lastRead(t).Add(-time.Second))
	if i > 0 {
		if lag, ok := c.lazy[i-1]; ok && t.Before(lag.until) {
			return c.Keys[i-1], lag.episode
		}
	}
	return c.Keys[i], 0
}

// rotations are the rotator's entries of one day.
func (w *World) rotations(n int, put func(time.Time, detect.Entry, int)) {
	from, to := Start.Add(time.Duration(n)*day), Start.Add(time.Duration(n+1)*day)
	for _, c := range w.Credentials {
		for _, k := range c.Keys {
			for _, step := range c.steps(w.of(Rotator)[0], k) {
				if !step.Time.Before(from) && step.Time.Before(to) {
					put(step.Time, step, 0)
				}
			}
		}
	}
}

// steps are what the rotator does with one key in its life.
func (c *Credential) steps(p *Principal, k Key) []detect.Entry {
	account := "projects/-/serviceAccounts/" + c.Consumer.Email
	at := func(t time.Time, e Endpoint, resource, born string) detect.Entry {
		entry := p.call(e, c.Project, resource)
		entry.Time, entry.Born, entry.CallerIP = t, born, p.Places[0]
		if e.Service == "iam.googleapis.com" {
			entry.Account = c.Consumer.Email
		}
		return entry
	}
	steps := []detect.Entry{
		at(k.made(), createKey, account, k.born()),
		at(k.Promoted.Add(-time.Minute), addVersion, fmt.Sprintf("projects/%d/secrets/%s", c.Project.Number, c.id()), c.versionName(fmt.Sprint(k.Version))),
		at(k.Promoted.Add(-30*time.Second), accessSecret, c.versionName(fmt.Sprint(k.Version)), ""),
	}
	if !k.Superseded.IsZero() {
		steps = append(steps, at(k.Disabled, disableKey, account+"/keys/"+k.ID, ""), at(k.Deleted, deleteKey, account+"/keys/"+k.ID, ""))
	}
	return steps
}

// born is the key's name as the response of its creation tells it.
func (k Key) born() string { return k.Name[len("//iam.googleapis.com/"):] }
