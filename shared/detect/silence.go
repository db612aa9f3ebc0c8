package detect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

var silence = detector(Detector{
	Name: Silence,
	Rationale: "A log that has come all day, every day, and then does not come is switched off, or its sink is broken: whoever does not want to be seen begins there, and everything else here is blind without it. " +
		"A credential whose consumers call day and night, and then stop, is one whose consumers cannot sign in any more. Both are judged by how long they were ever silent before.",
	Technique: "T1562.008",
	Runbook: "1. Of a log: look for UpdateSink, DeleteSink, SetIamPolicy with auditConfigs and changes of exclusions shortly before last_seen, and who made them. " +
		"2. If there are none, look whether the sink's topic and subscription still work. 3. Of a credential: ask whether its consumer was stopped; if not, 'keyturn rollback SECRET' brings the previous key back.",
	Severity: Warning,
	Unit:     "hours of silence",
	Learns:   time.Duration(silenceKnown*hour) * time.Millisecond,
})

const (
	logSubject = "\x03" // a log; no caller's name begins like it

	silenceKnown = 7 * 24 // hours since when something must have been there before it is missed
	silenceLeast = 6      // hours that are told at all
	silenceMost  = 48     // hours that are waited: what is silent for long every week comes and goes as it likes
	silenceTimes = 3      // as long as the longest before
)

// loggingChanges finds who changed what is logged and where it goes to.
const loggingChanges = `log_id("cloudaudit.googleapis.com/activity") AND ` +
	`(protoPayload.methodName=~"ConfigServiceV2\.(Create|Update|Delete)(Sink|Exclusion)$" OR ` +
	`(protoPayload.methodName=~"SetIamPolicy$" AND protoPayload.serviceData.policyDelta.auditConfigDeltas:*))`

// hear notes that a log or credential was there at t, and asks whether it still is
// when it could be missed at the earliest.
func (g *Engine) hear(prefix, name string, t int64) {
	if g.prints.of(name, 0).again(t) {
		return
	}
	s := g.store.get(nameOf(prefix + name))
	s.meet(t)
	if s.sight(sighting{mark: mark{heartbeat, uint64(t / hour), dayOf(t)}, first: stamp{at: t}, last: t}) && (t-s.born)/hour >= silenceKnown {
		g.waiting.add(wait{name: s.name, detector: silence.id}, t, t+silenceLeast*hour+late)
	}
}

// hours are those in which it was heard of, in order. Of the oldest day some may
// have been forgotten.
func (s *subject) hours() []int64 {
	var hours []int64
	beats := s.of(heartbeat)
	for _, b := range beats {
		if len(beats) < most[heartbeat] || b.day > beats[len(beats)-1].day {
			hours = append(hours, int64(b.what))
		}
	}
	slices.Sort(hours)
	return hours
}

// judgeSilence looks whether something fell silent, and asks again when it is not
// certain yet.
func (g *Engine) judgeSilence(s *subject, into []Finding) []Finding {
	hours := s.hours()
	if len(hours) == 0 {
		return into
	}
	name := s.name[len(logSubject):]
	secret := g.ledger.named(name) // no log is called like one
	first, last, longest := hours[0], hours[len(hours)-1], int64(1)
	for i := 1; i < len(hours); i++ {
		longest = max(longest, hours[i]-hours[i-1]-1)
	}
	limit := max(silenceLeast, silenceTimes*longest)
	quiet := (g.clock.now-late)/hour - last - 1 // whole hours
	switch {
	case limit > silenceMost || last-first < silenceKnown || secret == nil && strings.HasPrefix(s.name, credentialSubject):
		return into
	case quiet < limit:
		g.waiting.add(wait{name: s.name, detector: silence.id}, last*hour, (last+1+limit)*hour+late)
		return into
	case secret != nil && g.unknowable((last+1+limit)*hour):
		return into // its consumers may have a newer key
	}
	since := (last + 1) * hour
	v := verdict{by: silence, start: since, last: since, score: 1, severity: Warning, count: int(quiet)}
	v.subject, v.asked = name, [2]int64{last * hour, since + quiet*hour}
	what := "log " + visible(name, maxSubject)
	if secret != nil {
		what, v.credential = "credential "+secret.name, secret.name
		v.advice = fmt.Sprintf("keyturn status %s, and keyturn rollback %s if its consumer was not stopped", secret.name, secret.name)
		v.query = "protoPayload.authenticationInfo.serviceAccountKeyName:" + strconv.Quote(accountOf(s.notes[noteKey].text))
	} else {
		v.advice = "open the link, and look who changed sinks, exclusions or audit configurations before it fell silent"
		v.query = loggingChanges
		if project, _, ok := strings.Cut(strings.TrimPrefix(name, "projects/"), "/logs/"); ok {
			s.noted(noteProject, since, visible(project, maxName))
		}
	}
	v.reason = func() string {
		return fmt.Sprintf("%s is silent since %s, for more than %s, while other entries come; in the %s before it was never silent for more than %s",
			what, stamped(since), lasting(limit*hour), lasting((last-first)*hour), lasting(longest*hour))
	}
	return g.tell(s, v, into)
}
