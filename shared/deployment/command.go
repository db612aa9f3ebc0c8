package deployment

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"example.com/keyturn/shared/lazyregexp"
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

// variable is one of a shell's, which has what was read before (see Reading).
var variable = lazyregexp.New(`\$\{[a-z_]+\}`)

// quoted is a word as a shell reads it. Variables stay variables.
func quoted(word string) string {
	if variable.MatchString(word) {
		return `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`, "`", "\\`").Replace(word) + `"`
	}
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
	case "buckets":
		id = "gs://" + id
	case "cryptoKeys":
		id = on
	}
	switch {
	case condition != "":
		rest = append(rest, "--all")
	case kind != "topics" && kind != "subscriptions": // whose policies have no conditions
		rest = append(rest, "--condition=None")
	}
	return s.gcloud(slices.Concat(commandsOf[kind], []string{change, id}, rest)...)
}

// commandsOf are gcloud's for what has a policy of its own, by its collection.
var commandsOf = map[string][]string{
	"projects": {"projects"}, "topics": {"pubsub", "topics"}, "subscriptions": {"pubsub", "subscriptions"}, "secrets": {"secrets"},
	"services": {"run", "services"}, "serviceAccounts": {"iam", "service-accounts"}, "buckets": {"storage", "buckets"}, "cryptoKeys": {"kms", "keys"},
}

// build deploys everything again. What it deploys is where it is carried out.
func (s Site) build() string {
	return "cd SOURCE_TREE_OF_KEYTURN && " + s.gcloud("builds", "submit", "--config=cloudbuild.yaml", "--substitutions=_REGION="+s.Region)
}

// subscribe delivers a function's topic to it, as Eventarc does when the function is
// deployed.
func (s Site) subscribe(f Function, uri string) []string {
	words := []string{"pubsub", "subscriptions", "create", f.Name, "--topic=" + f.Topic, "--push-endpoint=" + uri, "--push-auth-service-account=" + s.Email(Trigger)}
	consumer := s.consumer(s.Resource() + "/subscriptions/" + f.Name)
	return []string{s.gcloud(append(words, deliveryFlags(s)...)...), s.bind(consumer.Member, consumer.Role, consumer.On)}
}

// deliveryFlags are those of a subscription that starts a function.
func deliveryFlags(s Site) []string {
	return []string{
		fmt.Sprintf("--ack-deadline=%d", int(AckDeadline.Seconds())), "--min-retry-delay=10s", "--max-retry-delay=600s", "--expiration-period=never",
		"--dead-letter-topic=" + s.Topic(DeadLetters), fmt.Sprintf("--max-delivery-attempts=%d", Attempts),
	}
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
		"buckets": "bucket ", "cryptoKeys": "key ", "topics": "topic ", "subscriptions": "subscription ", "secrets": "secret ", "services": "function ", "serviceAccounts": "service account ", "projects": "project ",
		"folders": "folder ", "organizations": "organisation ",
	}
	return kinds[path.Base(path.Dir(on))] + path.Base(on)
}
