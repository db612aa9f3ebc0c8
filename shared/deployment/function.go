package deployment

import (
	"cmp"
	"time"

	"example.com/keyturn/shared/event"
)

// Function is one that is deployed.
type Function struct {
	Name    string        // of the function and of its Cloud Run service
	Entry   string        // entry point, as functions.go registers it
	Topic   string        // short id of the topic whose messages start it; empty: it is called by HTTP
	Account string        // short id of the service account that it runs as
	Timeout time.Duration // for one call; zero is the platform's 60 s
	// Check is a command, as JSON, that changes nothing, and that a revision which works
	// answers with 200. A new revision of a function that has one gets requests by and
	// by ('keyturn rollout'). Those that take events have none: they are deployed once
	// these have shown that the same upload works as the same accounts, and the messages
	// of a topic go to one revision.
	Check string
	// Environment are the variables that it must have, and their values as in
	// cloudbuild.yaml.
	Environment map[string]string
}

// TimeLimit is how long one call may take.
func (f Function) TimeLimit() time.Duration { return cmp.Or(f.Timeout, time.Minute) }

// What the subscription of a function that takes events has.
const (
	// AckDeadline is Pub/Sub's longest: a rotation may take nearly as long.
	AckDeadline = 10 * time.Minute
	// Attempts are how often a message is delivered before it is a dead letter.
	Attempts = 10
)

// State is the variable that says where a function's instances share what they know.
const State = "KEYTURN_STATE"

// CheckedBy is the variable that says that Cloud Run checks every caller: of a
// function that has it nothing but that keeps strangers out who make up a token.
const CheckedBy = "KEYTURN_CHECKED_BY"

// The secrets that seal what the functions tell each other.
const (
	SealCommands = "keyturn-seal-commands"
	SealFindings = "keyturn-seal-findings"
)

// Seals are both.
var Seals = []string{SealCommands, SealFindings}

// Version is the latest version of a secret of the project, as variables name it.
func Version(secret string) string {
	return "projects/${PROJECT_ID}/secrets/" + secret + "/versions/latest"
}

// longest is how long a rotation may take that is asked for at once.
const longest = 540 * time.Second

// Functions are all of them. cloudbuild.yaml deploys the same.
var Functions = []Function{
	{Name: "keyturn-rotate", Entry: "Rotate", Topic: event.TopicRotate, Account: Rotate, Timeout: longest, Environment: variables()},
	{Name: "keyturn-audit", Entry: "Audit", Topic: event.TopicLogs, Account: Audit, Environment: variables(State)},
	{Name: "keyturn-audit-sweep", Entry: "Audit", Topic: event.TopicAudit, Account: Audit, Environment: variables(State)},
	{Name: "keyturn-alert", Entry: "Alert", Topic: event.TopicFindings, Account: Alert, Environment: variables(State, "KEYTURN_ALERTS", "KEYTURN_REGION")},
	{Name: "keyturn-rotate-http", Entry: "RotateHTTP", Account: Rotate, Timeout: longest, Check: `{"command":"sweep","dry_run":true}`, Environment: called("keyturn-rotate-http")},
	{Name: "keyturn-audit-http", Entry: "AuditHTTP", Account: Audit, Check: `{"command":"scan","entries":[]}`, Environment: called("keyturn-audit-http")},
	{Name: "keyturn-alert-http", Entry: "AlertHTTP", Account: Alert, Check: `{"command":"list"}`, Environment: called("keyturn-alert-http", State, "KEYTURN_ALERTS", "KEYTURN_REGION")},
}

// values are all that a variable may be set to when keyturn is deployed as a whole.
var values = map[string]string{
	State: "firestore", "KEYTURN_ALERTS": "${ALERTS}", "KEYTURN_REGION": "${REGION}",
	CheckedBy: "cloud-run", "KEYTURN_CALLERS": "${CALLERS}",
}

// variables are those of every function, and the ones named.
func variables(more ...string) map[string]string {
	all := map[string]string{
		"KEYTURN_PROJECT":       "${PROJECT_ID}",
		"KEYTURN_SEAL_COMMANDS": Version(SealCommands),
		"KEYTURN_SEAL_FINDINGS": Version(SealFindings),
	}
	for _, name := range more {
		all[name] = values[name]
	}
	return all
}

// called are the variables of a function that people call, and the ones named.
func called(name string, more ...string) map[string]string {
	all := variables(append(more, CheckedBy, "KEYTURN_CALLERS")...)
	all["KEYTURN_AUDIENCES"] = "https://" + name + "-${PROJECT_NUMBER}.${REGION}.run.app https://${REGION}-${PROJECT_ID}.cloudfunctions.net/" + name + " ${AUDIENCES}"
	return all
}
