package notify

import (
	"net/url"
	"strings"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/posture"
)

// Explanation is what is known of all that a detector finds. docs/detectors.md has
// each, under the detector's name.
type Explanation struct {
	Why     string // it is not normal
	Runbook string // what to do, step by step; may be empty
}

// Explain returns what is known of the findings of a detector, or of a milestone of
// rotations; of a detector that a rule file defines, nothing is.
func Explain(detector string) Explanation {
	for _, d := range detect.Detectors() {
		if d.Name == detector {
			return Explanation{d.Rationale, d.Runbook}
		}
	}
	if check, ok := posture.Find(strings.TrimPrefix(detector, posture.DetectorPrefix)); ok && check.Detector() == detector {
		return Explanation{check.Title + ". " + check.Why, check.Runbook()}
	}
	return milestones[detector]
}

// page is the URL of what docs/detectors.md says of a detector; empty where it says
// nothing.
func (d Deployment) page(detector string) string {
	u, err := url.Parse(link(d.Runbooks))
	if err != nil || u.Host == "" || Explain(detector).Why == "" {
		return ""
	}
	u.Fragment = strings.ReplaceAll(detector, ".", "") // as headings become anchors
	return u.String()
}

// milestones explain the milestones of a rotation that alert, by their detector.
var milestones = map[string]Explanation{
	event.MilestonePrefix + string(event.Failed): {
		"A step of a rotation did not succeed. What it works on stays as it was, and every sweep tries the step again; consumers keep a key that works.",
		"1. Read the reason: most are a missing grant, a quota or a policy. 2. Mend it; the next sweep goes on from the same step. 3. 'keyturn status SECRET' shows whether it did.",
	},
	event.MilestonePrefix + string(event.Refused): {
		"The credential cannot be rotated as it stands, and no repetition helps: it grows older until somebody mends what the reason says.",
		"1. Read the reason, and mend what it names. 2. keyturn rotate SECRET.",
	},
	event.MilestonePrefix + string(event.Straggler): {
		"The overlap is over, and the old key is still used, or nobody can tell that it is not. It is kept for whoever uses it, and so for whoever has a copy of it.",
		"1. Find the consumer that still has the old key. 2. Restart it, or have it read its secret again. 3. 'keyturn status SECRET' shows when the key is no longer used.",
	},
	event.MilestonePrefix + string(event.Restored): {
		"A key that was disabled was missed by somebody, so it works again. The rotation waits for that consumer.",
		"1. Find the consumer that failed while the key was disabled. 2. Have it read its secret again. 3. If nobody owns up to it, the user may be a thief: keyturn revoke SECRET --key KEY.",
	},
	event.MilestonePrefix + string(event.RolledBack): {
		"Consumers are given an earlier key again, because the newer one was not good for them, or somebody asked for it.",
		"1. Compare what the newer key may do with what consumers need. 2. Mend it, and keyturn rotate SECRET.",
	},
	event.MilestonePrefix + string(event.Suspended): {
		"The service account is disabled, so that the tokens of an abused key die. Everything that signs in as it stands still until it is enabled again, which keyturn does by itself.",
		"1. Wait: it is enabled again once the tokens have died, an hour at most. 2. Meanwhile read in the audit log what was done with the account.",
	},
	event.MilestonePrefix + string(event.Exposed): {
		"A key works that is in the wrong hands: Google has found it in public, or somebody has enabled one again that was revoked. Whoever has it can use it until it is disabled.",
		"1. keyturn replaces and disables it by itself: 'keyturn status SECRET' shows how far that is. 2. Find where it leaked, or who enabled it, and stop that there. 3. Read in the audit log what was done with it since.",
	},
	event.MilestonePrefix + string(event.Broken): {
		"What consumers are given does not work: somebody has disabled or deleted the key, the version that holds it, or the service account, past keyturn. They fail now, or as soon as they sign in again.",
		"1. keyturn rotate SECRET gives them another. If it is the account that was deleted, 'keyturn status SECRET' tells how to bring it back. 2. Look in the audit log who disabled or deleted it, and why.",
	},
	event.MilestonePrefix + string(event.Overdue): {
		"What should have happened in the rotation by now has not: nothing calls keyturn for it, or every call fails. Keys grow older than their policy allows.",
		"1. Read the reason. 2. Look at the log of keyturn-rotate, and whether Cloud Scheduler's job keyturn-sweep runs. 3. keyturn rotate SECRET.",
	},
}
