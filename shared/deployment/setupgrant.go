package deployment

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// sink sends audit log entries to the functions.
func (s Setup) sink() []Group {
	return []Group{
		{Title: "the log sink", Readings: []Reading{s.sinksRead()}, Steps: []Step{{Makes: "log sink " + SinkName, There: absent(SinkName), Commands: []string{s.createSink(s.Filter)}}}},
		{
			Title: "what the log sink sends",
			Readings: []Reading{
				{writerRead, s.gcloud("logging", "sinks", "describe", SinkName, listing("writerIdentity"))},
				{"sink", s.gcloud("logging", "sinks", "describe", SinkName, listing("destination", "disabled.yesno(yes=disabled,no=enabled)", "filter"))},
			},
			Steps: []Step{{
				Makes: "filter and destination of log sink " + SinkName, There: absent(s.sinkDestination() + " enabled " + s.Filter),
				Commands: []string{s.gcloud("logging", "sinks", "update", SinkName, s.sinkDestination(), "--log-filter="+s.Filter, "--no-disabled")},
			}},
		},
	}
}

func (s Setup) sinksRead() Reading {
	return Reading{"sinks", s.gcloud("logging", "sinks", "list", listing("name"))}
}

// before are the grants that can be given before anything is deployed.
func (s Setup) before() []Grant {
	all := s.Granted(shellVariable(writerRead), nil)
	all = append(all, Grant{Member: "serviceAccount:" + s.Email(Deploy), Role: "roles/storage.objectUser", On: s.Bucket()})
	if s.Alerts != "" {
		all = append(all, s.alertsGrant(s.Secret(s.Alerts)))
	}
	if s.Repository != nil {
		all = append(all, s.Federated()...)
		all = append(all, s.Repository.grant(s.Site))
	}
	return slices.DeleteFunc(all, func(g Grant) bool { return path.Base(path.Dir(g.On)) == "services" })
}

// alertsGrant lets the alert function read the secret that holds alerts.yaml.
func (s Site) alertsGrant(name string) Grant {
	return Grant{s.Expand(member(Alert)), roleAccessor, name, []Permission{{Name: mayAccess, Why: "reads who is told of what"}}}
}

// grants are these, resource by resource, in the order of the table.
func (s Setup) grants() []Group {
	byResource, names := map[string][]Grant{}, []string{}
	for _, g := range s.before() {
		if byResource[g.On] == nil {
			names = append(names, g.On)
		}
		byResource[g.On] = append(byResource[g.On], g)
	}
	var all []Group
	for _, on := range names {
		all = append(all, s.grantsOn(on, byResource[on]))
	}
	return all
}

// grantsOn are the grants of one resource.
func (s Setup) grantsOn(on string, grants []Grant) Group {
	p := Group{Title: "who may do what with " + s.plain(short(on)), Readings: []Reading{s.policyRead(on)}}
	for _, g := range grants {
		p.Steps = append(p.Steps, Step{
			Makes: s.says(g), There: absent(bindingLine(g)),
			Commands: append(s.identity(g.Member), s.bind(g.Member, g.Role, g.On)),
		})
	}
	return p
}

// says is a grant for people.
func (s Site) says(g Grant) string {
	to := s.plain(strings.TrimPrefix(g.Member, "serviceAccount:"))
	if _, agent, ok := strings.Cut(to, "@"); ok {
		to = "Google's " + strings.TrimSuffix(agent, ".iam.gserviceaccount.com")
	}
	if strings.HasPrefix(to, "principalSet:") {
		to = "the repository"
	}
	return fmt.Sprintf("%s: %s on %s", to, path.Base(g.Role), s.plain(short(g.On)))
}

// plain takes the project's part off the e-mail addresses of its accounts.
func (s Site) plain(text string) string {
	return strings.TrimSuffix(text, "@"+s.Project+".iam.gserviceaccount.com")
}

// bindingLine is a binding without a condition as policyRead has it.
func bindingLine(g Grant) string { return g.Role + " " + g.Member + " always" }

// policyRead are the bindings of a resource's policy.
func (s Site) policyRead(on string) Reading {
	id, kind := path.Base(on), path.Base(path.Dir(on))
	flags := []string{"--flatten=bindings[].members", listing("bindings.role", "bindings.members", "bindings.condition.yesno(yes=conditional,no=always)")}
	switch kind {
	case "buckets":
		id = "gs://" + id
	case "cryptoKeys":
		id = on
	case "services":
		flags = append(flags, "--region="+s.Region)
	}
	return Reading{"policy", s.gcloud(slices.Concat(commandsOf[kind], []string{"get-iam-policy", id}, flags)...)}
}

// identity makes one of Google's own accounts, which need not be there before somebody
// asks for it.
func (s Site) identity(member string) []string {
	for agent, api := range map[string]string{pubsubAgent: apiPubSub, secretsAgent: apiSecrets} {
		if member == s.Expand(agent) {
			return []string{s.line("gcloud beta", []string{"services", "identity", "create", "--service=" + api})}
		}
	}
	return nil
}

// auditLogs turns on those that detectors need, and leaves alone those that are on.
func (s Setup) auditLogs() Group {
	step := Step{Makes: "Data Access logs", Commands: []string{s.switchOn(AuditLogs...)}}
	for _, l := range AuditLogs {
		for _, t := range l.Types {
			step.There = append(step.There, []string{l.Service + " " + t, "allServices " + t})
		}
	}
	return Group{Title: "logs that are off by default", Steps: []Step{step}, Readings: []Reading{{
		"logged", s.gcloud("projects", "get-iam-policy", s.Project, "--flatten=auditConfigs[].auditLogConfigs", listing("auditConfigs.service", "auditConfigs.auditLogConfigs.logType")),
	}}}
}

// deliveries mends what Eventarc makes when functions are deployed: it knows nothing of
// dead letters, and gives nobody the right to start a function.
func (s Setup) deliveries() []Group {
	var all []Group
	found := []Reading{s.subscriptionsRead()}
	for _, f := range Functions {
		if f.Topic == "" {
			continue
		}
		name := strings.ReplaceAll(f.Name, "-", "_")
		found = append(found, Reading{name, fmt.Sprintf(`printf '%%s\n' "$subscriptions" | awk '$1 == "%s" && ($2 ~ /^eventarc-/ || $2 == "%s") { print $2; exit }'`, f.Topic, f.Name)})
		all = append(all, s.delivery(f, name)...)
	}
	return append([]Group{{Title: "what starts functions", Readings: found}}, all...)
}

// named tells people what a group is about whose grants are on something without a name
// that is known.
func (g Group) named(what string) Group {
	g.Title = "who may take messages off " + what
	for i := range g.Steps {
		g.Steps[i].Makes, _, _ = strings.Cut(g.Steps[i].Makes, " on ")
		g.Steps[i].Makes += " on " + what
	}
	return g
}

func (s Setup) delivery(f Function, read string) []Group {
	id := shellVariable(read)
	fields := []string{"ackDeadlineSeconds", "deadLetterPolicy.deadLetterTopic", "deadLetterPolicy.maxDeliveryAttempts", "retryPolicy.minimumBackoff", "retryPolicy.maximumBackoff", "expirationPolicy.ttl"}
	groups := []Group{
		{
			Title:    "what starts " + f.Name,
			Readings: []Reading{{"delivery", s.gcloud("pubsub", "subscriptions", "describe", id, listing(fields...))}},
			Steps: []Step{{
				Makes: "deadline, pauses and dead letters of what starts " + f.Name, There: absent(fmt.Sprintf("%d %s %d 10s 600s ", int(AckDeadline.Seconds()), s.Topic(DeadLetters), Attempts)),
				Commands: []string{s.gcloud(append([]string{"pubsub", "subscriptions", "update", id}, deliveryFlags(s.Site)...)...)},
			}},
		},
		s.grantsOn(s.Resource()+"/subscriptions/"+id, []Grant{s.consumer(s.Resource() + "/subscriptions/" + id)}).named("what starts " + f.Name),
		s.grantsOn(s.Service(f.Name), slices.DeleteFunc(s.Granted("", nil), func(g Grant) bool { return g.On != s.Service(f.Name) })),
	}
	for i := range groups {
		groups[i].If = read
	}
	groups[0].Wait = "function " + f.Name + " is not deployed"
	return groups
}
