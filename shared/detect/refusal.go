package detect

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

var refusals = detector(Detector{
	Name: RefusedCredential,
	Rationale: "A call with a key that is disabled, deleted or wrong is refused before any log is written; only Cloud Monitoring counts it, by key or credential. Attempts with a key that was retired come from a consumer that never moved, or from a thief. " +
		"A credential whose calls are suddenly refused, by far more than ever, has lost its grants, or is in the hands of somebody who does not know what it may do.",
	Technique: "T1110",
	Runbook: "1. No log tells where it came from: look at the consumers of the credential for failures since first_seen. 2. If a consumer fails after a rotation, roll back. " +
		"3. If none fails, somebody else has a copy: it is retired already, so look what was done with it while it worked.",
	Severity: Warning,
	Unit:     "refused calls",
})

// Sample is how many calls Cloud Monitoring counted of one credential in one
// interval: of a key id by authn_events_count, or of a credential_id by
// request_count.
type Sample struct {
	Key        string // id of a service account key, or resource name of an API key; "" where only Credential is known
	Credential string // what Cloud Monitoring calls it, such as apikey:0000…; "" where Key says it
	From, To   time.Time
	Refused    int64 // of authn_events_count all, where the key is retired; of request_count those of response code 401 and 403
	All        int64
}

const (
	refusalLeast = 20 // refused calls in an hour that are told
	refusalTimes = 3  // as many as in the worst hour before
	refusalKnown = 24 // hours of which something must be known before
)

// Measured judges samples and appends what they brought to light: attempts with
// keys that the ledger knows to be retired, and credentials of which most calls of
// an hour were refused, unlike in all hours before. Give it all samples of the last
// days each time, in any order: what it has told of them it does not tell again.
func (g *Engine) Measured(samples []Sample, into []Finding) []Finding {
	of := make(map[string][]Sample)
	for _, s := range samples {
		if name := cmp.Or(s.Key, s.Credential); name != "" && plausible(s.To.UnixMilli()) && s.Refused >= 0 && s.All >= s.Refused && !slices.Contains(of[name], s) {
			of[name] = append(of[name], s)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(of)) {
		k := g.ledger.key(name)
		v, ok := suddenlyRefused(name, k, of[name])
		if k != nil && k.end() != 0 {
			v, ok = triedRetired(k, of[name])
		}
		if ok {
			v.link = "https://console.cloud.google.com/monitoring/metrics-explorer"
			s := g.store.get(nameOf(keySubject + name))
			s.meet(v.last)
			into = g.tell(s, v, into)
		}
	}
	return into
}

// triedRetired tells of attempts with a key after its last token had died.
func triedRetired(k *ledgerKey, samples []Sample) (verdict, bool) {
	v := verdict{by: refusals, severity: Warning, what: hash("retired")}
	tried := int64(0)
	for _, s := range samples {
		if s.From.UnixMilli() >= k.end() && s.All > 0 {
			tried += s.All
			v.start, v.last = earliest(v.start, s.From.UnixMilli()), max(v.last, s.To.UnixMilli())
		}
	}
	v.ofKey(k)
	v.count, v.score = int(tried), float64(tried)
	v.advice = fmt.Sprintf("find the consumer that still has key %s, and have it read %s again; 'keyturn status %s' shows its other keys", k.id, k.secret.name, k.secret.name)
	v.reason = func() string {
		return fmt.Sprintf("key %s of %s was tried %s since %s, although it does not work since %s", k.id, k.secret.name, counted(int(tried), "time"), stamped(v.start), stamped(k.end()-tokenLife))
	}
	return v, tried > 0
}

// suddenlyRefused tells of the first hour in which most calls were refused and far
// more than in any hour before.
func suddenlyRefused(name string, k *ledgerKey, samples []Sample) (verdict, bool) {
	hours := make(map[int64]Sample)
	for _, s := range samples {
		at := (s.To.UnixMilli() - 1) / hour
		sum := hours[at]
		hours[at] = Sample{Refused: sum.Refused + s.Refused, All: sum.All + s.All}
	}
	order := slices.Sorted(maps.Keys(hours))
	worst := int64(0)
	for _, at := range order {
		h := hours[at]
		limit := max(refusalLeast, refusalTimes*worst)
		if at-order[0] >= refusalKnown && h.Refused >= limit && 2*h.Refused >= h.All {
			return refusedHour(name, k, at*hour, h, limit), true
		}
		worst = max(worst, h.Refused)
	}
	return verdict{}, false
}

func refusedHour(name string, k *ledgerKey, at int64, h Sample, limit int64) verdict {
	v := verdict{by: refusals, severity: Warning, what: hash("sudden"), start: at, last: at + hour - 1, count: int(h.Refused), score: float64(h.Refused) / float64(limit)}
	v.subject, v.advice = name, "ask the credential's owner what was changed, and look for denials of it in the logs of that hour"
	if k != nil {
		v.ofKey(k)
		v.advice = fmt.Sprintf("keyturn rollback %s, if consumers fail since its rotation", k.secret.name)
	}
	v.reason = func() string {
		return fmt.Sprintf("of %d calls with %s in the hour from %s on %d were refused; from %d on it is taken for more than ever", h.All, visible(name, maxSubject), stamped(at), h.Refused, limit)
	}
	return v
}
