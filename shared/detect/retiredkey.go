package detect

import (
	"cmp"
	"fmt"
	"time"
)

var retired = detector(Detector{
	Name: RetiredKeyUsed,
	Rationale: "A key that keyturn has disabled or deleted cannot sign in, and its tokens have died an hour later. If it is seen after that, somebody has enabled it again, " +
		"or made it authenticate in another way. None of its consumers has it any more.",
	Technique: "T1078.004",
	Runbook: "1. Revoke the key with its tokens. 2. Look in the log for EnableServiceAccountKey or UndeleteKey, and who did it: that account is taken, too. " +
		"3. Read in the link what was done with the key since first_seen.",
	Severity: Critical,
	Unit:     "calls, about",
})

// tokenLife is how long tokens of a key work after it was disabled, and a little.
const tokenLife = hour + 5*minute

// retiredUse judges the use of a key that was disabled or deleted.
func retiredUse(s *subject, k *ledgerKey, n sighting) verdict {
	v := verdictOf(retired, Critical, k.uses(s, n))
	v.usedOn()
	v.ofKey(k)
	state, since := "deleted", k.deleted
	v.advice = fmt.Sprintf("keyturn revoke %s --kill-tokens", k.secret.name)
	if k.at(n.first.at) == keyDisabled {
		state, since = "disabled", k.disabled
		v.advice = fmt.Sprintf("keyturn revoke %s --key %s --kill-tokens", k.secret.name, k.id)
	}
	since = cmp.Or(since, k.disabled, k.deleted)
	v.reason = func() string {
		return fmt.Sprintf("key %s of %s was %s at %s, and used about %s since, from %s, first %s later; its last tokens had died after %s",
			k.id, k.secret.name, state, stamped(since), counted(v.count, "time"), n.name, lasting(v.start-since), lasting(tokenLife))
	}
	return v
}

// stamped writes milliseconds of Unix time down.
func stamped(t int64) string { return instant(t).Format(time.RFC3339) }
