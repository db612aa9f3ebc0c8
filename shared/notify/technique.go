package notify

import (
	"strings"

	"example.com/keyturn/shared/lazyregexp"
)

var technique = lazyregexp.New(`^T\d{4}(\.\d{3})?$`)

// techniques are the names of the techniques of MITRE ATT&CK that detectors have, by
// their id (attack.mitre.org/techniques).
var techniques = map[string]string{
	"T1069.003": "Permission Groups Discovery: Cloud Groups",
	"T1078":     "Valid Accounts",
	"T1078.004": "Valid Accounts: Cloud Accounts",
	"T1087.004": "Account Discovery: Cloud Account",
	"T1098.001": "Account Manipulation: Additional Cloud Credentials",
	"T1098.003": "Account Manipulation: Additional Cloud Roles",
	"T1110":     "Brute Force",
	"T1530":     "Data from Cloud Storage",
	"T1548":     "Abuse Elevation Control Mechanism",
	"T1552.001": "Unsecured Credentials: Credentials In Files",
	"T1555.006": "Credentials from Password Stores: Cloud Secrets Management Stores",
	"T1562.008": "Impair Defenses: Disable or Modify Cloud Logs",
	"T1580":     "Cloud Infrastructure Discovery",
}

// attackURL is where a technique is described; empty for what is no technique's id.
func attackURL(id string) string {
	if !technique.MatchString(id) {
		return ""
	}
	return "https://attack.mitre.org/techniques/" + strings.ReplaceAll(id, ".", "/") + "/"
}
