package abuse

import (
	"cmp"
	"strings"
	"time"

	"example.com/keyturn/shared/detect"
)

// Comparator is how somebody else detects abuse.
type Comparator struct {
	Name   string
	Source string // where the rules are published
	Rules  []Rule
}

// Rule is one of a comparator's. Its settings go from the published one, which
// is the first, to ever stricter ones; one watcher watches at all of them.
type Rule struct {
	Name     string
	Settings []float64
	Watch    func(settings []float64) Watcher
}

// Comparators are the others. Who is not named goes by address wherever the
// published rule does not ask for a user.
func Comparators() []Comparator {
	return []Comparator{static(), panther(), chronicle(), elastic(), sigma()}
}

func static() Comparator {
	return Comparator{"static", "N denials in 5 minutes, N the best of the tuning seeds", []Rule{
		counted("denials in 5 min", denials, 5*time.Minute, 3, 5, 8, 10, 15, 20, 30, 50, 100, 200, 400),
	}}
}

// counted is a rule of so many matching entries in a window.
func counted(name string, group func(*detect.Entry) (string, bool), window time.Duration, settings ...float64) Rule {
	return measured(name, group, window, number, settings...)
}

// measured is a rule of something else than the number of entries.
func measured(name string, group func(*detect.Entry) (string, bool), window time.Duration, measure func([]*Event) int, settings ...float64) Rule {
	return Rule{name, settings, func(settings []float64) Watcher {
		return &counter{group: group, window: window, measure: measure, thresholds: settings}
	}}
}

func panther() Comparator {
	return Comparator{"Panther", "panther-labs/panther-analysis: denied accounts, VPC Service Controls, accounts and keys created, granted permissions", []Rule{
		counted("IAM_PERMISSION_DENIED in 5 min", pantherDenied, 5*time.Minute, 30, 50, 100, 200, 400),
		counted("VPC_SERVICE_CONTROLS", func(e *detect.Entry) (string, bool) {
			return caller(e), e.Code == 7 && e.Violation == "VPC_SERVICE_CONTROLS"
		}, time.Hour, 1, 10, 100, 1000),
		counted("account or key created", func(e *detect.Entry) (string, bool) {
			return caller(e), strings.Contains(e.Method, "CreateServiceAccount") && !strings.HasSuffix(e.Principal, ".gserviceaccount.com")
		}, time.Hour, 1, 2, 3),
		grantedRule("iam.serviceAccountKeys.create"), grantedRule("iam.serviceAccounts.getAccessToken"), grantedRule("iam.serviceAccounts.signBlob"),
		grantedRule("iam.serviceAccounts.signJwt"), grantedRule("serviceusage.apiKeys.create"), grantedRule("storage.hmacKeys.create"),
	}}
}

// pantherDenied is a denial whose details hold the reason IAM_PERMISSION_DENIED:
// in public samples only IAM itself writes it.
func pantherDenied(e *detect.Entry) (string, bool) {
	return caller(e), e.Code == 7 && (e.Service == "iam.googleapis.com" || e.Service == "iamcredentials.googleapis.com")
}

// grantedRule tells each use of a permission that was granted.
func grantedRule(permission string) Rule {
	return counted(permission+" granted", func(e *detect.Entry) (string, bool) {
		for _, p := range e.Permissions {
			if p.Name == permission && p.Granted {
				return caller(e), true
			}
		}
		return "", false
	}, time.Hour, 1, 3, 10)
}

func chronicle() Comparator {
	named := func(e *detect.Entry) (string, bool) { return e.Principal, e.Code == 7 && e.Principal != "" }
	return Comparator{"Chronicle", "chronicle/detection-rules: excessive permission denied events", []Rule{
		measured("denials in 1 h", named, time.Hour, spread, 6, 8, 10, 15, 20, 30, 50, 100, 200, 400),
	}}
}

// spread is the number of entries if they are of several services and methods.
func spread(events []*Event) int {
	if len(events) == 0 || !differ(events, service) || !differ(events, method) {
		return 0
	}
	return len(events)
}

func elastic() Comparator {
	enumeration := Rule{"enumeration: actions in 6 min", []float64{6, 8, 10, 15, 20, 30, 50}, func(settings []float64) Watcher {
		return &counter{group: visitor, window: 6 * time.Minute, every: 5 * time.Minute, measure: actions, thresholds: settings}
	}}
	return Comparator{"Elastic", "elastic/detection-rules: endpoint permission enumeration, request failure burst and rapid secret GET of GKE, key creation", []Rule{
		enumeration,
		counted("failures in 5 min", refusedVisitor, 5*time.Minute, 10, 20, 50, 100, 200),
		measured("secrets read in 6 min", secretReader, 6*time.Minute, func(events []*Event) int { return distinct(events, resource) }, 3, 5, 10, 20, 30, 50),
		counted("key created", func(e *detect.Entry) (string, bool) {
			return caller(e), e.Code == 0 && strings.HasSuffix(e.Method, ".CreateServiceAccountKey")
		}, time.Hour, 1),
	}}
}

// actions is how many there are on more than three resources, refused and other
// ones, in fewer than 75 entries: to count retries not at all, and because what
// is larger turned out to be machinery.
func actions(events []*Event) int {
	if len(events) >= 75 || !differ(events, outcome) || distinct(events, resource) <= 3 {
		return 0
	}
	return distinct(events, method)
}

func sigma() Comparator {
	named := func(e *detect.Entry) (string, bool) {
		name := cmp.Or(e.Principal, e.PrincipalSubject)
		return name, name != ""
	}
	return Comparator{"mean+3sd", "GoogleCloudPlatform/security-analytics 4.01: unusually high API usage, over 7 days", []Rule{
		{"sigmas of calls a day", []float64{3, 4, 5, 6, 8, 12, 20, 50, 200}, func(settings []float64) Watcher { return &baseline{group: named, sigmas: settings} }},
	}}
}

// denials are by who or, where nobody is named, from where.
func denials(e *detect.Entry) (string, bool) { return caller(e), e.Code == 7 }

func caller(e *detect.Entry) string {
	return cmp.Or(e.Principal, e.PrincipalSubject, e.KeyName, e.CallerIP)
}

// visitor is a caller at one address with one program.
func visitor(e *detect.Entry) (string, bool) {
	return e.Principal + " " + e.CallerIP + " " + e.UserAgent, e.Code == 0 || e.Code == 7
}

func refusedVisitor(e *detect.Entry) (string, bool) {
	name, _ := visitor(e)
	return name, e.Code == 7
}

func secretReader(e *detect.Entry) (string, bool) {
	name, _ := visitor(e)
	return name, e.Code == 0 && strings.HasSuffix(e.Method, ".AccessSecretVersion")
}

func outcome(e *detect.Entry) string {
	if e.Code == 0 {
		return "allowed"
	}
	return "refused"
}

func service(e *detect.Entry) string  { return e.Service }
func method(e *detect.Entry) string   { return e.Method }
func resource(e *detect.Entry) string { return e.Resource }
