package deployment

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// gcloud is a command line for a shell.
func (s Site) gcloud(words ...string) string { return s.line("gcloud", words) }

// keyturn is one, too.
func (s Site) keyturn(words ...string) string { return s.line("keyturn", words) }

func (s Site) line(program string, words []string) string {
	line := []string{program}
	for _, w := range append(words, "--project="+s.Project) {
		line = append(line, quoted(w))
	}
	return strings.Join(line, " ")
}

// quoted is a word as a shell reads it.
func quoted(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_=./:@,+%", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	if name, value, ok := strings.Cut(word, "="); ok && strings.HasPrefix(name, "--") {
		return name + "='" + strings.ReplaceAll(value, "'", `'\''`) + "'"
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// bind and unbind change one binding of a resource's policy.
func (s Site) bind(who, role, on string) string { return s.binding("add", who, role, on, "") }

func (s Site) unbind(who, role, on, condition string) string {
	return s.binding("remove", who, role, on, condition)
}

func (s Site) binding(verb, who, role, on, condition string) string {
	id := path.Base(on)
	change, rest := verb+"-iam-policy-binding", []string{"--member=" + who, "--role=" + role}
	kind := path.Base(path.Dir(on))
	if kind == "services" && role == roleInvoker {
		return s.gcloud("functions", verb+"-invoker-policy-binding", id, "--region="+s.Region, "--member="+who)
	}
	switch kind {
	case "folders", "organizations":
		line := append([]string{"gcloud"}, strings.Fields(map[string]string{"folders": "resource-manager folders", "organizations": "organizations"}[kind])...)
		return strings.Join(append(line, change, id, quoted("--member="+who), "--role="+role, "--condition=None"), " ")
	case "projects":
		only := "--condition=None"
		if condition != "" {
			only = "--all"
		}
		line := []string{"gcloud", "projects", change, s.Project, "--member=" + who, "--role=" + role, only}
		for i, w := range line {
			line[i] = quoted(w)
		}
		return strings.Join(line, " ")
	case "services":
		rest = append(rest, "--region="+s.Region)
	}
	if condition != "" {
		rest = append(rest, "--all")
	}
	words := map[string][]string{
		"topics": {"pubsub", "topics"}, "subscriptions": {"pubsub", "subscriptions"}, "secrets": {"secrets"},
		"services": {"run", "services"}, "serviceAccounts": {"iam", "service-accounts"},
	}[kind]
	return s.gcloud(slices.Concat(words, []string{change, id}, rest)...)
}

// build deploys everything again. What it deploys is where it is carried out.
func (s Site) build() string {
	return "cd SOURCE_TREE_OF_KEYTURN && " + s.gcloud("builds", "submit", "--config=cloudbuild.yaml", "--substitutions=_REGION="+s.Region)
}

// subscribe delivers a function's topic to it, as Eventarc does when the function is
// deployed.
func (s Site) subscribe(f Function, uri string) []string {
	create := s.gcloud("pubsub", "subscriptions", "create", f.Name, "--topic="+f.Topic, "--push-endpoint="+uri, "--push-auth-service-account="+s.Email(Trigger),
		fmt.Sprintf("--ack-deadline=%d", int(AckDeadline.Seconds())), "--min-retry-delay=10s", "--max-retry-delay=600s", "--expiration-period=never",
		"--dead-letter-topic="+s.Topic(DeadLetters), fmt.Sprintf("--max-delivery-attempts=%d", Attempts))
	return []string{create, s.bind(s.Expand(pubsubAgent), roleSubscriber, s.Resource()+"/subscriptions/"+f.Name)}
}

// some are the first of many names.
func some(names []string) string {
	const shown = 3
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:shown], ", ") + " and others"
}

// who is a member as people say it.
func who(member string) string {
	_, name, _ := strings.Cut(member, ":")
	id, _, _ := strings.Cut(name, "@")
	return cmp.Or(id, member)
}

// short is the last part of a full name, with what it is.
func short(on string) string {
	kinds := map[string]string{
		"topics": "topic ", "subscriptions": "subscription ", "secrets": "secret ", "services": "function ", "serviceAccounts": "service account ", "projects": "project ",
		"folders": "folder ", "organizations": "organisation ",
	}
	return kinds[path.Base(path.Dir(on))] + path.Base(on)
}
