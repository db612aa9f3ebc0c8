package deployment

import (
	"path"
	"slices"
)

// Undo is the reverse of Make: what is there of it is taken away. What others may use, or
// holds what nobody can make again, stays; Kept says what.
func (s Setup) Undo() []Group {
	s.Number = shellVariable(NumberRead)
	first := []Group{
		s.described(),
		s.without(s.sinksRead(), "log sink", []string{SinkName}, "logging", "sinks", "delete"),
	}
	pool := Group{Title: "the workload identity pool", Readings: []Reading{s.poolsRead()}, Steps: []Step{{
		Makes: "workload identity pool " + Pool, Only: Pool + " ACTIVE", Commands: []string{s.gcloud("iam", "workload-identity-pools", "delete", Pool, "--location=global", "--quiet")},
	}}}
	rest := []Group{
		pool,
		s.without(s.subscriptionsRead(), "subscription", []string{DeadLetters}, "pubsub", "subscriptions", "delete"),
		s.without(s.topicsRead(), "topic", ids(Topics, func(t Topic) string { return t.ID }), "pubsub", "topics", "delete"),
		s.without(s.secretsRead(), "secret", Seals, "secrets", "delete"),
		s.without(s.rolesRead(), "role", ids(Roles, func(r Role) string { return r.ID }), "iam", "roles", "delete"),
		s.without(s.accountsRead(), "service account", ids(Accounts, func(a Account) string { return s.Email(a.ID) }), "iam", "service-accounts", "delete"),
	}
	return slices.Concat(first, s.ungrants(), rest)
}

func ids[T any](all []T, id func(T) string) []string {
	var names []string
	for _, t := range all {
		names = append(names, id(t))
	}
	return names
}

// without deletes those of a kind that are there.
func (s Setup) without(read Reading, kind string, names []string, command ...string) Group {
	p := Group{Title: kind + "s", Readings: []Reading{read}}
	for _, name := range names {
		line := map[string]string{"role": name + " live", "subscription": name + " " + name}[kind]
		if line == "" {
			line = name
		}
		p.Steps = append(p.Steps, Step{Makes: kind + " " + s.plain(name), Only: line, Commands: []string{s.gcloud(append(slices.Clone(command), name, "--quiet")...)}})
	}
	return p
}

// ungrants takes away what is granted on what stays.
func (s Setup) ungrants() []Group {
	all := []Group{{Title: "buckets", Readings: []Reading{s.bucketsRead()}}}
	s.Alerts, s.Repository = "", nil // of a repository the whole pool goes
	grants := append(s.before(), s.Federated()...)
	for _, on := range []string{s.Resource(), s.Bucket()} {
		p := Group{Title: "who may do what with " + short(on), Readings: []Reading{s.policyRead(on)}}
		if on == s.Bucket() {
			p.If = "buckets"
		}
		for _, g := range grants {
			if g.On == on {
				p.Steps = append(p.Steps, Step{
					Makes: s.says(g), Only: bindingLine(g),
					Commands: []string{s.unbind(g.Member, g.Role, g.On, "")},
				})
			}
		}
		all = append(all, p)
	}
	return all
}

// Kept is what Undo leaves, and the commands that take it away, for those who know that
// nobody else needs it.
func (s Setup) Kept() []string {
	return []string{
		"credentials, their secrets and keys: keyturn release SECRET forgets one",
		"functions and jobs, which 'gcloud builds submit' made: gcloud functions delete NAME --gen2 --region=" + s.Region + " --project=" + s.Project,
		"Firestore's database, whose documents expire by themselves",
		"Data Access logs, which others may go by",
		"the bucket of builds: " + s.gcloud("storage", "rm", "--recursive", "gs://"+path.Base(s.Bucket())),
		"APIs, which others may use: " + s.gcloud("services", "disable", "NAME"),
	}
}
