package abuse

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"example.com/keyturn/shared/detect"
)

// desk takes down what one principal does on one day.
type desk struct {
	w    *World
	p    *Principal
	r    *rand.Rand
	from time.Time // midnight
	out  []*Event
}

// everyday is what everybody does on the nth day.
func (w *World) everyday(n int) []*Event {
	from := Start.Add(time.Duration(n) * day)
	var all []*Event
	for i, p := range w.Principals {
		d := &desk{w: w, p: p, r: w.rand(uint64(1000*(i+1) + n)), from: from}
		d.work()
		all = append(all, d.out...)
	}
	r := w.rand(uint64(n + 100))
	w.rotations(n, func(t time.Time, e detect.Entry, episode int) {
		e.Time = t
		all = append(all, deliver(r, e, episode, 0)...)
	})
	return all
}

func (d *desk) work() {
	switch d.p.Role {
	case Person:
		d.office()
	case Pipeline:
		d.pipelines()
	case Workload:
		d.serve()
	case ServiceAgent:
		d.steadily(40*d.p.pace, 1)
	case Controller:
		d.steadily(140*d.p.pace, 2)
	case Rotator:
		d.sweep()
	case Scanner:
		d.scan()
	}
}

// put writes down one call at a time.
func (d *desk) put(at time.Time, e detect.Entry, episode int) {
	if at.Before(d.p.since) || d.p.pause.has(at) {
		return
	}
	e.Time = at
	if episode == 0 {
		episode = d.p.episodeAt(at)
	}
	if e.CallerIP == "" {
		e.CallerIP = d.p.placeAt(d.r, at)
	}
	if e.Code == 0 && chance(d.r, 0.008) {
		e.Code, e.Message = 5, "Requested entity was not found."
	}
	d.out = append(d.out, deliver(d.r, e, episode, 0)...)
}

// workHours is how much of a person's work falls into a moment: most of it from
// nine to six on the principal's own clock, little of it at weekends.
func (p *Principal) workHours(t time.Time) float64 {
	local := t.Add(p.offset)
	hour := float64(local.Hour()) + float64(local.Minute())/60
	busy := math.Exp(-math.Pow((hour-13.5)/3.5, 4)) + 0.01
	if weekday := local.Weekday(); weekday == time.Saturday || weekday == time.Sunday {
		busy *= 0.12
	}
	return busy
}

// office is a person's day: some sessions at work, each from one place.
func (d *desk) office() {
	for range poisson(d.r, 8*d.p.pace) {
		at := d.from.Add(between(d.r, 0, day))
		if !chance(d.r, d.p.workHours(at)) {
			continue
		}
		place := d.p.place(d.r)
		do := func(e detect.Entry) {
			e.CallerIP = place
			d.put(at, e, 0)
			at = at.Add(between(d.r, 0, 40*time.Second))
		}
		for range 3 + d.r.IntN(12) {
			do(d.p.Habits[zipf(d.r, len(d.p.Habits))])
		}
		if chance(d.r, 0.15) {
			do(d.w.testing(d.r, d.p, pick(d.r, d.p.Projects), 3+d.r.IntN(30)))
		}
		if chance(d.r, 0.04) {
			d.stray(do)
		}
	}
}

// stray is a page or command for which somebody lacks the permission: one to
// three of them, tried once or twice.
func (d *desk) stray(do func(detect.Entry)) {
	project := pick(d.r, d.p.Projects)
	for range 1 + d.r.IntN(3) {
		e := d.w.unfamiliar(d.r, d.p, 0.85)
		for range 1 + d.r.IntN(2) {
			do(d.p.refused(e, project, e.resource(project, d.r.IntN(20))))
		}
	}
}

// testing asks which of n permissions p has, as a page of the console does for
// what it shows: permissions that stand together in the catalogue, mostly of one
// product.
func (w *World) testing(r *rand.Rand, p *Principal, project *Project, n int) detect.Entry {
	e := p.call(testPermission, project, "projects/"+project.ID)
	first := 20 * r.IntN(len(w.catalogue)/20-2)
	for _, endpoint := range w.catalogue[first : first+n] {
		e.Tested = append(e.Tested, endpoint.Permission)
	}
	return e
}

// unfamiliar is an endpoint that p does not use, a read with probability reads.
func (w *World) unfamiliar(r *rand.Rand, p *Principal, reads float64) Endpoint {
	read := chance(r, reads)
	for {
		if e := pick(r, w.catalogue); e.Read == read && !p.may(e.Permission) {
			return e
		}
	}
}

// pipelines are runs through all habits, by day as people work and once at night.
func (d *desk) pipelines() {
	runs := []time.Time{d.from.Add(2*time.Hour + between(d.r, 0, 10*time.Minute))}
	for range poisson(d.r, 12*d.p.pace) {
		if at := d.from.Add(between(d.r, 0, day)); chance(d.r, d.p.workHours(at)) {
			runs = append(runs, at)
		}
	}
	for _, at := range runs {
		place := d.p.place(d.r)
		for _, e := range d.p.Habits {
			if chance(d.r, 0.4) {
				continue
			}
			e.CallerIP = place
			d.put(at, e, 0)
			at = at.Add(between(d.r, 0, 5*time.Second))
		}
		if len(d.p.Chain) > 0 {
			d.put(at, d.mint(), 0)
		}
	}
}

// mint is a token that a pipeline gets of its own account, through its federated identity.
func (d *desk) mint() detect.Entry {
	e := d.p.call(mintToken, d.p.Projects[0], "projects/-/serviceAccounts/"+d.p.Email)
	e.Principal, e.PrincipalSubject, e.Delegation, e.Account = "", d.p.Chain[0], nil, d.p.Email
	return e
}

// serve is a workload's day: reading its secret at its intervals, and calls all
// day, the first of a working week when it has read its secret.
func (d *desk) serve() {
	c := d.p.credential
	for at := c.lastRead(d.from); at.Before(d.from.Add(day)); at = at.Add(c.refresh) {
		if !at.Before(d.from) && !d.p.rests(at) {
			read := d.p.call(accessSecret, c.Project, c.versionName("latest"))
			d.signed(at, read)
		}
	}
	for range poisson(d.r, 60*d.p.pace) {
		at := d.from.Add(between(d.r, 0, day))
		e := d.p.Habits[zipf(d.r, len(d.p.Habits))]
		if !d.p.rests(at) && !d.p.rests(at.Add(-c.refresh)) {
			d.signed(at, e)
		}
	}
}

// signed is a call with the key that the workload holds at the time.
func (d *desk) signed(at time.Time, e detect.Entry) {
	key, episode := d.p.credential.inUse(at)
	e.KeyName = key.Name
	d.put(at, e, episode)
}

// steadily does some n calls, few at a time, at any hour.
func (d *desk) steadily(n float64, together int) {
	for range poisson(d.r, n/float64(together)) {
		at := d.from.Add(between(d.r, 0, day))
		for range together {
			d.put(at, d.p.Habits[zipf(d.r, len(d.p.Habits))], 0)
			at = at.Add(between(d.r, 0, 3*time.Second))
		}
	}
}

// sweep is keyturn's own look at every secret, once a day.
func (d *desk) sweep() {
	at := d.from.Add(5 * time.Hour)
	for _, c := range d.w.Credentials {
		version := fmt.Sprint(c.Keys[c.current(at)].Version)
		d.put(at, d.p.call(accessSecret, c.Project, c.versionName(version)), 0)
		at = at.Add(between(d.r, 0, 2*time.Second))
	}
}

// scan is a posture tool's night: the same look at everything, with the same denials.
func (d *desk) scan() {
	at := d.from.Add(3*time.Hour + between(d.r, 0, 5*time.Minute))
	for _, e := range d.p.Habits {
		d.put(at, e, 0)
		at = at.Add(between(d.r, 0, 2*time.Second))
	}
}

// poisson is a number of independent events of which mean are expected.
func poisson(r *rand.Rand, mean float64) int {
	n := 0
	for t := r.ExpFloat64(); t < mean; t += r.ExpFloat64() {
		n++
	}
	return n
}
