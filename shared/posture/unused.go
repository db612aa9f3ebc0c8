package posture

import (
	"fmt"

	"example.com/keyturn/shared/inventory"
	"example.com/keyturn/shared/rotation"
)

// recorded are the kinds of credentials of whose use Google keeps a record.
var recorded = map[inventory.Kind]bool{inventory.AccountKeyKind: true, inventory.APIKeyKind: true, inventory.HMACKeyKind: true}

func used(j *judge, p *project) {
	for _, part := range []inventory.Part{inventory.Accounts, inventory.AccountKeys, inventory.APIKeys, inventory.HMACKeys} {
		j.lacks(p, part, "")
	}
	for _, i := range p.items {
		j.remember(p, &i)
		if recorded[i.Kind] && !i.Disabled && i.State != inventory.Expired {
			j.add(j.use(p, i))
		}
	}
	j.none(p, inventory.AccountKeys, "credentials that work")
}

// use is the result for one credential.
func (j *judge) use(p *project, i inventory.Item) Result {
	r := Result{Status: Pass, Project: p.ID, Resource: i.Name, Credential: i.Secret, Reason: i.Use.Reason, Evidence: p.saw(inventory.Uses, i.Name, "%s", i.Use.Reason)}
	long := j.config.unused()
	switch idle := j.now.Sub(i.Use.Since); {
	case p.retiring(&i) != "":
		r.Reason = p.retiring(&i)
	case !i.Created.IsZero() && j.now.Sub(i.Created) <= long:
		r.Reason = fmt.Sprintf("it is %s old only", aged(j.now.Sub(i.Created)))
	case !i.Use.Last.IsZero() && j.now.Sub(i.Use.Last) <= long:
	case i.Use.Verdict == rotation.Unknown:
		r.Status, r.Next = Unknown, "see that Cloud Monitoring can be read"
		j.missing(p, i.Kind, &r)
	case i.Use.Verdict == rotation.Used, i.Use.Verdict == rotation.Unused && idle > long:
		r.Status, r.Reason = Fail, fmt.Sprintf("nobody used it for %s: %s", aged(long), i.Use.Reason)
		if r.Fix = p.mend(&i); i.Secret != "" {
			r.Fix = keyturn("release", i.Secret)
		}
	case i.Use.Verdict == rotation.Unused:
		r.Status = Unknown
		r.Reason = fmt.Sprintf("nobody used it for %s, and the record reaches no further back: %s", aged(idle), i.Use.Reason)
		r.Next = fmt.Sprintf("look again from report to report, which add up, or give --unused %dh or less", int(idle.Hours()))
		j.missing(p, i.Kind, &r)
	}
	return r
}

// missing adds the permission if that is why the use is not known.
func (j *judge) missing(p *project, k inventory.Kind, r *Result) {
	for _, g := range p.Gaps {
		if g.Part != inventory.Uses && g.Part != inventory.Activities || g.Kind != "" && g.Kind != k {
			continue
		}
		if r.Next = g.Next; g.Cause == inventory.NoPermission {
			r.Permission = accesses[g.Part].permission
		}
		return // Cloud Monitoring comes first, which knows more
	}
}

// remember has an unused credential be unused for as long as reports have found it
// to be, without a gap between what their records cover.
func (j *judge) remember(p *project, i *inventory.Item) {
	if i.Use.Verdict != rotation.Unused {
		return
	}
	record := p.Uses[i.Kind]
	if since, ok := j.last.Idle[i.Name]; ok && since.Before(i.Use.Since) && !record.From.After(j.last.At.Add(-lag)) {
		i.Use.Since = since
		i.Use.Reason = fmt.Sprintf("%s; earlier reports found no use from %s on", i.Use.Reason, stamp(since))
	}
	j.idle[i.Name] = i.Use.Since
}

// lag is how far the record that an earlier report went by may have ended before
// that report.
const lag = 3 * day
