package directory

import (
	"slices"
	"time"
)

type state int

const (
	enabled state = iota
	disabled
	deleted
)

// key remembers its states so that a late reader can be shown an old one.
type key struct {
	Key
	history []change // oldest first, never empty
}

// change is what a key is from some time on.
type change struct {
	at       time.Time
	to       state
	why      DisableReason // of a disabled key
	extended []ExtendedStatus
}

func (k *key) newest() change { return k.history[len(k.history)-1] }

func (k *key) latest() state { return k.newest().to }

// created is when the key was made, as opposed to when its certificate begins.
func (k *key) created() time.Time { return k.history[0].at }

// changeAt is what the key was at t; the first for times before it was made.
func (k *key) changeAt(t time.Time) change {
	then := k.history[0]
	for _, c := range k.history {
		if !c.at.After(t) {
			then = c
		}
	}
	return then
}

func (k *key) at(t time.Time) state { return k.changeAt(t).to }

// set leaves a key that is in that state already as it is, and why it is.
func (k *key) set(to state, why DisableReason, now time.Time) {
	c := k.newest()
	if c.to == to {
		return
	}
	c.at, c.to, c.why = now, to, why
	k.history = append(k.history, c)
}

// note adds what Google found out, once and for ever.
func (k *key) note(found ExtendedStatus, now time.Time) {
	c := k.newest()
	if slices.ContainsFunc(c.extended, func(e ExtendedStatus) bool { return e.Key == found.Key }) {
		return
	}
	c.at, c.extended = now, append(slices.Clip(c.extended), found)
	k.history = append(k.history, c)
}

// show is snapshot with what only REST tells.
func (k *key) show(a *account, c change) Key {
	out := k.snapshot(a, c.to)
	out.DisableReason, out.ExtendedStatus = c.why, c.extended
	return out
}

func (k *key) snapshot(a *account, s state) Key {
	out := k.Key
	out.Name = a.Name() + "/keys/" + k.ID
	out.Disabled = s == disabled
	return out
}
