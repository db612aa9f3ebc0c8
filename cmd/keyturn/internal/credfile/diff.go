package credfile

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"time"

	"example.com/keyturn/shared/rotation"
)

// Deed is what has to be done for a credential to be as the file wants it.
type Deed string

// The deeds.
const (
	Adopt   Deed = "adopt"
	Change  Deed = "change"  // its policy
	Release Deed = "release" // it is not in the file, and pruning was asked for
	Refuse  Deed = "refuse"  // it cannot be done, or not by apply
)

// Difference is one credential that is not as the file wants it.
type Difference struct {
	Deed   Deed    `json:"deed"`             // adopt, change, release, or refuse
	Secret string  `json:"secret"`           // projects/P/secrets/S
	Kind   string  `json:"kind,omitempty"`   // of adopt
	Target string  `json:"target,omitempty"` // of adopt
	Fields []Field `json:"fields,omitempty"` // of the policy, that change; of adopt, that are not the default
	Reason string  `json:"reason,omitempty"` // of refuse

	Wanted Credential `json:"-"`
}

// Field is one part of a policy, by its name in the file.
type Field struct {
	Name string `json:"name"`
	From string `json:"from,omitempty"`
	To   string `json:"to"`
}

// Diff compares what the file wants with what is registered, by secret. prune has
// those released that are not in the file, after all else.
func Diff(wanted, registered []Credential, prune bool) []Difference {
	var all, more []Difference
	for _, w := range wanted {
		if d := differs(w, registered); d.Deed != "" {
			all = append(all, d)
		}
	}
	for _, r := range registered {
		if prune && !slices.ContainsFunc(wanted, func(w Credential) bool { return w.Secret == r.Secret }) {
			more = append(more, Difference{Deed: Release, Secret: r.Secret})
		}
	}
	bySecret := func(a, b Difference) int { return cmp.Compare(a.Secret, b.Secret) }
	slices.SortFunc(all, bySecret)
	slices.SortFunc(more, bySecret)
	return append(all, more...)
}

func differs(w Credential, registered []Credential) Difference {
	d := Difference{Secret: w.Secret, Wanted: w}
	i := slices.IndexFunc(registered, func(r Credential) bool { return r.Secret == w.Secret })
	if i < 0 {
		d.Deed, d.Kind, d.Target, d.Fields = Adopt, string(w.Kind), w.Target, fields(Default(w.Kind), w.Policy)
		return d
	}
	r := registered[i]
	if r.Kind != w.Kind || r.Target != w.Target {
		d.Deed, d.Reason = Refuse, fmt.Sprintf("it is registered for %s, and the file wants %s: 'keyturn release %s' first", r.Target, w.Target, path.Base(w.Secret))
		return d
	}
	if d.Fields = fields(r.Policy, w.Policy); len(d.Fields) > 0 {
		d.Deed = Change
	}
	return d
}

// fields are the parts of a policy that differ. What is left out of an annotation is
// what it stands for.
func fields(from, to rotation.Policy) []Field {
	var all []Field
	a, b := parts(from), parts(to)
	for i := range a {
		if a[i].To != b[i].To {
			all = append(all, Field{Name: a[i].Name, From: a[i].To, To: b[i].To})
		}
	}
	return all
}

func parts(p rotation.Policy) []Field {
	duration := func(d rotation.Duration) string { return time.Duration(d).String() }
	propagation := p.Propagation
	if propagation == 0 {
		propagation = rotation.DefaultPolicy.Propagation
	}
	return []Field{
		{Name: "period", To: duration(p.Period)}, {Name: "overlap", To: duration(p.Overlap)}, {Name: "quarantine", To: duration(p.Quarantine)},
		{Name: "propagation", To: duration(propagation)}, {Name: "straggler-limit", To: duration(cmp.Or(p.StragglerLimit, p.Period))},
		{Name: "key-mode", To: string(p.Mode())}, {Name: "evidence", To: string(cmp.Or(p.Evidence, rotation.EvidenceRequired))},
		{Name: "stragglers", To: string(cmp.Or(p.Stragglers, rotation.Hold))}, {Name: "probe-url", To: p.ProbeURL},
	}
}
