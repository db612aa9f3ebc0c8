package notify

import (
	"strings"

	"example.com/keyturn/shared/alerting"
)

// doubt is said of what anybody may have made up who can publish to keyturn's topic.
const doubt = "not known to come from keyturn itself: its seal is missing, broken or too old; verify before you act"

// doubtful reports whether it is not known that keyturn itself has found what an
// alert tells. What the alert function makes itself, such as a digest, has no seal.
func doubtful(a alerting.Alert) bool {
	return !a.Proven && (a.Rule == alerting.RuleFinding || a.Rule == alerting.RuleRotation)
}

// Advised is an alert with no other advice than what its reader can follow: a key
// that has stopped working is not revoked again, and no stranger says what to do,
// or where to look.
func Advised(a alerting.Alert) alerting.Alert {
	if doubtful(a) {
		a.Next, a.Runbook = "keyturn status", Explain(a.Detector).Runbook
		if !strings.HasPrefix(a.Link, "https://console.cloud.google.com/") {
			a.Link = ""
		}
	}
	if a.State == alerting.Acknowledged || a.State == alerting.Resolved {
		a.Next = "keyturn alerts list"
		if IsIncident(a.Incident) {
			a.Next = "keyturn alerts show " + a.Incident
		}
	}
	if a.State == alerting.Resolved {
		a.Runbook = ""
	}
	return a
}
