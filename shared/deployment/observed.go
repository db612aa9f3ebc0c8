package deployment

import "time"

// Part is something that was looked at: its value, or why it is not known.
type Part[T any] struct {
	Value  T
	Unread *Unread // nil if it was read
}

// Unread is why something is not known. The zero Unread says nothing.
type Unread struct {
	Why    string // for people
	API    string // that is disabled, if it is that
	Denied bool   // the caller lacks a permission
}

// Observed is what a deployment was found to be. Of what does not exist a map has no
// entry, or a pointer is nil; what could not be read has a Part that says why.
type Observed struct {
	Now           time.Time // policy time, by which jobs fire
	Caller        Part[Caller]
	Skew          Part[time.Duration] // of this machine's clock: positive is ahead of Google's
	Project       Part[Project]
	APIs          Part[map[string]bool]     // whether they are enabled, by name
	Accounts      Part[map[string]bool]     // whether they are disabled, by e-mail address
	Topics        Part[map[string]bool]     // by full name
	Functions     Part[map[string]Deployed] // of the region, by full name
	Subscriptions Part[[]Subscription]
	Sink          Part[*Sink]
	Jobs          Part[map[string]JobState] // of the region, by full name
	Seals         map[string]Part[*Seal]    // by full name of the secret
	Ancestors     Part[[]string]            // folders/N and organizations/N above the project, the nearest first
	Policies      map[string]Part[Policy]   // by full name of the resource; none of one that does not exist
	Roles         map[string]Part[RoleState]
	Credentials   Part[[]Credential] // that keyturn manages
	Exceeded      Part[[]string]     // quotas that calls were refused by within the last hour
}

// Caller is who asks.
type Caller struct {
	Name string // e-mail address; empty is not known
	// Lacks says why there are no credentials that work; empty if there are.
	Lacks string
	// KeyFile is the path of the user-managed key that is called with, and that somebody
	// has allowed; empty is none.
	KeyFile string
	// Unreachable says that Google did not answer, so that nothing is known of them.
	Unreachable bool
}

// Project is what there is to know of one.
type Project struct {
	Number string
	Gone   string // why it cannot be used: it does not exist, may not be seen, or is being deleted; empty if it can
	// AuditLogs are the types of Data Access logs that are on, by service; those of
	// Part Policies are not known without them.
	AuditLogs map[string][]string
}

// Deployed is a function as it is deployed.
type Deployed struct {
	State       string // ACTIVE, FAILED, DEPLOYING, DELETING
	Messages    []string
	Entry       string
	Account     string // e-mail address
	Timeout     time.Duration
	Topic       string // full name; empty without an event trigger
	Retries     bool   // whether an event that failed comes again
	Environment map[string]string
	Refused     string // what the function will say of its environment; empty if it takes it
	URI         string
	Revision    string
	Behind      bool // whether requests go to another revision than the latest
	Updated     time.Time
}

// Subscription is one of Pub/Sub's.
type Subscription struct {
	Name, Topic  string // full names
	Endpoint     string // that it pushes to; empty is pulled
	Account      string // e-mail address whose token a push has
	AckDeadline  time.Duration
	DeadLetter   string // full name of the topic; empty is none
	Attempts     int    // before a message is a dead letter
	HasRetry     bool   // whether there is a pause before a message comes again
	Detached     bool
	ExpiresAfter time.Duration // without use; zero is never
}

// Sink is a log sink.
type Sink struct {
	Destination, Filter, Writer string
	Disabled                    bool
}

// Job is one of Cloud Scheduler's, as scheduler.yaml has it.
type Job struct {
	Name, Schedule, TimeZone, Topic string // Name and Topic in full
	Attributes                      string // KEY=VALUE, in order, with commas between
	Retries                         int
}

// JobState is one that is there.
type JobState struct {
	Job
	Enabled     bool
	LastAttempt time.Time // zero is never
	Failure     string    // of the last attempt; empty if it worked
	Next        time.Time // when it fires; zero is not known
}

// Seal is a secret that seals messages.
type Seal struct {
	State string // of its latest version: ENABLED, DISABLED, DESTROYED; empty without a version
}

// Policy is who may do what, by a resource's own allow policy.
type Policy struct {
	Bindings []Binding
}

// Binding gives a role to members.
type Binding struct {
	Role      string
	Members   []string
	Condition string // its title or expression; empty without one
}

// RoleState is what a role holds.
type RoleState struct {
	Gone        bool // it was deleted, or never was: it grants nothing
	Deleted     bool // Gone, and can be brought back
	Permissions []string
}

// Credential is one that keyturn manages.
type Credential struct {
	Secret  string // full name
	Account string // full name of the service account whose keys it is; empty for other kinds
	Gone    bool   // the account does not exist
	Unread  string // why that is not known
	Broken  string // why its registration cannot be read; empty if it can
}
