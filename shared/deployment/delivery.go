package deployment

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// How messages and log entries come to the functions, and when jobs fire.

// feeds is the name of the function that a subscription delivers to; empty is none.
func (e examination) feeds(s Subscription) string {
	for _, f := range Functions {
		uri := e.Functions.Value[e.Function(f.Name)].URI
		if f.Topic != "" && uri != "" && s.Topic == e.Topic(f.Topic) && strings.HasPrefix(s.Endpoint, uri) {
			return f.Name
		}
	}
	return ""
}

func (e examination) subscriptions() []Problem {
	if e.Subscriptions.Unread != nil || e.Functions.Unread != nil {
		return nil
	}
	var all []Problem
	for _, f := range Functions {
		if f.Topic == "" {
			continue
		}
		i := slices.IndexFunc(e.Subscriptions.Value, func(s Subscription) bool { return e.feeds(s) == f.Name && !s.Detached })
		var found []Problem
		if i < 0 {
			found = []Problem{wrong(Broken, checkSubscription, e.Topic(f.Topic), fmt.Sprintf("no subscription delivers topic %s to function %s", f.Topic, f.Name), f.without(), e.deliver(f)...)}
		} else {
			found = e.subscription(f, e.Subscriptions.Value[i])
		}
		for _, p := range found {
			all = append(all, p.after(apiPubSub, e.Topic(f.Topic), e.Function(f.Name), apiFunctions))
		}
	}
	return append(all, e.deadLetters()...)
}

// deliver are the commands by which messages come to a function again.
func (e examination) deliver(f Function) []string {
	uri := e.Functions.Value[e.Function(f.Name)].URI
	if uri == "" || e.Number == "" {
		return []string{e.build()}
	}
	return e.subscribe(f, uri)
}

// subscription judges the one that starts a function.
func (e examination) subscription(f Function, s Subscription) []Problem {
	id := s.Name[strings.LastIndexByte(s.Name, '/')+1:]
	var all []Problem
	report := func(check, problem, consequence string, flags ...string) {
		all = append(all, wrong(Broken, check, s.Name, fmt.Sprintf("subscription %s, which starts %s, %s", id, f.Name, problem), consequence,
			e.gcloud(append([]string{"pubsub", "subscriptions", "update", id}, flags...)...)))
	}
	if s.AckDeadline < f.TimeLimit() {
		report(checkSubscription, fmt.Sprintf("waits %v, and the function may take %v", s.AckDeadline, f.TimeLimit()), "a message comes again while it is being handled",
			fmt.Sprintf("--ack-deadline=%d", int(AckDeadline.Seconds())))
	}
	if want := e.Email(Trigger); s.Account != want {
		report(checkSubscription, fmt.Sprintf("calls it as %q, not as %s", s.Account, want), "Cloud Run refuses the calls, and no message is handled", "--push-auth-service-account="+want)
	}
	if !s.HasRetry {
		report(checkSubscription, "makes no pause before it delivers a message again", "a function that fails is called without end, and a message is soon a dead letter", "--min-retry-delay=10s", "--max-retry-delay=600s")
	}
	if s.ExpiresAfter > 0 {
		report(checkSubscription, fmt.Sprintf("expires when it is not used for %v", s.ExpiresAfter), "after a quiet time nothing starts the function any more", "--expiration-period=never")
	}
	if want := e.Topic(DeadLetters); s.DeadLetter != want || s.Attempts <= 0 {
		report(checkDeadLetter, "does not send to "+DeadLetters+" what the function does not take", "such a message is tried for a week, before others, and then lost",
			"--dead-letter-topic="+want, fmt.Sprintf("--max-delivery-attempts=%d", Attempts))
		all[len(all)-1] = all[len(all)-1].after(want)
	}
	return all
}

// deadLetters wants the dead letters to be kept.
func (e examination) deadLetters() []Problem {
	name := e.Topic(DeadLetters)
	if slices.ContainsFunc(e.Subscriptions.Value, func(s Subscription) bool { return s.Topic == name && !s.Detached }) {
		return nil
	}
	return []Problem{wrong(Broken, checkDeadLetter, name, "topic "+DeadLetters+" has no subscription", "what no function could handle is lost, and nobody learns of it",
		e.keepDead()).after(apiPubSub, name)}
}

// keepDead makes the subscription of dead letters.
func (s Site) keepDead() string {
	return s.gcloud("pubsub", "subscriptions", "create", DeadLetters, "--topic="+DeadLetters, "--expiration-period=never")
}

func (e examination) sink() []Problem {
	if e.Sink.Unread != nil {
		return nil
	}
	const consequence = "audit log entries do not reach the detectors until the hourly sweep, or at all"
	destination := e.sinkDestination()
	var p Problem
	switch s := e.Sink.Value; {
	case s == nil && e.fedFromAbove():
		p = e.cannot("the log sink", &Unread{Why: "topic " + LogTopic + " is fed by the sink of a folder or an organisation"}, "")
	case s == nil:
		p = wrong(Broken, checkSink, SinkName, "log sink "+SinkName+" does not exist", consequence, e.createSink(e.Filter))
	case s.Disabled:
		p = wrong(Broken, checkSink, SinkName, "log sink "+SinkName+" is disabled", consequence, e.gcloud("logging", "sinks", "update", SinkName, "--no-disabled"))
	case s.Destination != destination:
		p = wrong(Broken, checkSink, SinkName, fmt.Sprintf("log sink %s sends to %s", SinkName, s.Destination), consequence, e.gcloud("logging", "sinks", "update", SinkName, destination))
	case s.Filter != e.Filter:
		p = wrong(Exposed, checkSink, SinkName, "log sink "+SinkName+" has another filter than this version of keyturn wants", "detectors lack entries that they judge by, or are sent what none reads",
			e.gcloud("logging", "sinks", "update", SinkName, "--log-filter="+e.Filter))
	default:
		return nil
	}
	return []Problem{p.after(apiLogging, e.Topic(LogTopic))}
}

// sinkDestination is where the log sink sends to.
func (s Site) sinkDestination() string { return "pubsub.googleapis.com/" + s.Topic(LogTopic) }

// createSink makes the log sink.
func (s Site) createSink(filter string) string {
	return s.gcloud("logging", "sinks", "create", SinkName, s.sinkDestination(), "--log-filter="+filter)
}

// fedFromAbove reports whether the sink of a folder or an organisation may publish to
// the topic of log entries.
func (e examination) fedFromAbove() bool {
	return slices.ContainsFunc(e.Policies[e.Topic(LogTopic)].Value.Bindings, func(b Binding) bool {
		return slices.ContainsFunc(b.Members, func(m string) bool {
			return strings.HasPrefix(m, "serviceAccount:service-org-") || strings.HasPrefix(m, "serviceAccount:service-folder-")
		})
	})
}

func (e examination) auditLogs() []Problem {
	if e.Policies[e.Resource()].Unread != nil {
		return nil
	}
	var all []Problem
	for _, l := range AuditLogs {
		lacking := l.lacking(e.Observed.Project.Value.AuditLogs)
		if len(lacking) == 0 {
			continue
		}
		all = append(all, wrong(Exposed, checkAuditLog, l.Service, fmt.Sprintf("Data Access logs of %s lack %s", l.Service, strings.Join(lacking, " and ")), l.Why, e.switchOn(l)))
	}
	return all
}

// switchOn turns on the logs of services, besides those that are on. gcloud has no
// command for it, but it can read a policy and write it, as long as nobody has changed it
// in between: the etag says so. What could not be read is not written: input fails on nothing.
func (s Site) switchOn(logs ...AuditLog) string {
	var all []string
	for _, l := range logs {
		var types []string
		for _, t := range l.Types {
			types = append(types, `{logType:"`+t+`"}`)
		}
		all = append(all, `{service:"`+l.Service+`",auditLogConfigs:[`+strings.Join(types, ",")+`]}`)
	}
	merge := `input | .auditConfigs = ([.auditConfigs[]?, ` + strings.Join(all, ", ") + `] | group_by(.service) | ` +
		`map({service: .[0].service, auditLogConfigs: (map(.auditLogConfigs[]) | group_by(.logType) | map(add))}))`
	return "policy=$(gcloud projects get-iam-policy " + s.Project + " --format=json | jq -n " + quoted(merge) + `) && printf '%s\n' "$policy" | gcloud projects set-iam-policy ` + s.Project + " /dev/stdin"
}

// patience is how late a job may be.
const patience = 15 * time.Minute

func (e examination) jobs() []Problem {
	if e.Observed.Jobs.Unread != nil {
		return nil
	}
	var all []Problem
	for _, want := range e.Wanted.Jobs {
		if p, found := e.job(want); found {
			all = append(all, p.after(apiScheduler, want.Topic))
		}
	}
	return all
}

func (e examination) job(want Job) (Problem, bool) {
	id := want.Name[strings.LastIndexByte(want.Name, '/')+1:]
	have, exists := e.Observed.Jobs.Value[want.Name]
	const consequence = "what it starts is not done by itself"
	at := "--location=" + e.Region
	switch {
	case !exists:
		return wrong(Broken, checkJob, want.Name, "job "+id+" does not exist", consequence, e.gcloud(want.flags("create", id, at)...)), true
	case have.Job != want:
		return wrong(Broken, checkJob, want.Name, "job "+id+" differs from scheduler.yaml: "+have.differs(want), consequence, e.gcloud(want.flags("update", id, at)...)), true
	case !have.Enabled:
		return wrong(Broken, checkJob, want.Name, "job "+id+" is paused", consequence, e.gcloud("scheduler", "jobs", "resume", id, at)), true
	case have.Failure != "":
		return wrong(Broken, checkFiring, want.Name, fmt.Sprintf("job %s failed at %s: %s", id, have.LastAttempt.UTC().Format(time.RFC3339), have.Failure), consequence,
			e.gcloud("scheduler", "jobs", "run", id, at)), true
	case !have.Next.IsZero() && e.Now.Sub(have.Next) > patience:
		return wrong(Broken, checkFiring, want.Name, fmt.Sprintf("job %s was to fire at %s and did not", id, have.Next.UTC().Format(time.RFC3339)), consequence,
			e.gcloud("scheduler", "jobs", "run", id, at)), true
	}
	return Problem{}, false
}

// flags are a job's as gcloud takes them.
func (j Job) flags(verb, id, location string) []string {
	attributes := "--attributes="
	if verb == "update" {
		attributes = "--update-attributes="
	}
	return []string{
		"scheduler", "jobs", verb, "pubsub", id, location, "--schedule=" + j.Schedule, "--time-zone=" + j.TimeZone, "--topic=" + j.Topic, attributes + j.Attributes,
		fmt.Sprintf("--max-retry-attempts=%d", j.Retries), "--min-backoff=5s", "--max-backoff=60s", "--max-doublings=3",
	}
}

// differs says in what.
func (j Job) differs(want Job) string {
	var all []string
	for _, field := range []struct{ name, have, want string }{
		{"schedule", j.Schedule, want.Schedule}, {"time zone", j.TimeZone, want.TimeZone}, {"topic", j.Topic, want.Topic}, {"attributes", j.Attributes, want.Attributes},
		{"retries", fmt.Sprint(j.Retries), fmt.Sprint(want.Retries)},
	} {
		if field.have != field.want {
			all = append(all, fmt.Sprintf("%s %q, not %q", field.name, field.have, field.want))
		}
	}
	return strings.Join(all, ", ")
}
