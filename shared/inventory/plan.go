package inventory

import (
	"fmt"
	"strings"
)

// Plan is how a credential comes under rotation, or goes.
type Plan struct {
	Goal  string `json:"goal"`
	Steps []Step `json:"steps"`
}

// Step is one thing to do.
type Step struct {
	Do      string `json:"do"`
	Command string `json:"command,omitempty"` // for a shell; empty where there is none
}

// Plan proposes what to do about the credential. home is the project of keyturn's
// secrets. ok is false where there is nothing to do.
func (i Item) Plan(home string) (plan Plan, ok bool) {
	switch {
	case i.State == Exposed:
		return i.revoke(home), true
	case i.State == Managed:
		return Plan{}, false
	case i.State == Unclear:
		return Plan{"find out whether keyturn rotates it", []Step{{Do: "see to it that the inventory can read what it lists as not read (for secrets: secretmanager.secrets.list), and run it again"}}}, true
	case i.State == Expired, i.Disabled && i.Spare():
		return i.retire("it cannot be used: delete it"), true
	case i.Spare():
		return i.retire("nobody uses it: take it away"), true
	case i.Disabled:
		return Plan{"find out whether it may go: it is disabled, and nothing shows that nobody misses it", []Step{{Do: "ask those who used it"}}}, true
	case !i.Kind.Rotates():
		return i.replace(), true
	case i.Instead != "":
		return i.moveOver(), true
	}
	return i.adopt(home), true
}

// revoke is for what is in the wrong hands: the one reason to disable what is or may
// be in use. Nothing in use is deleted.
func (i Item) revoke(home string) Plan {
	if i.Secret != "" {
		return Plan{"revoke it: it is in the wrong hands", []Step{
			{"replace it, and take it away as soon as its replacement works", Command("keyturn", "revoke", last(i.Secret), "--key", i.ID, "--project", projectOf(i.Secret))},
		}}
	}
	p := i.retire("revoke it: it is in the wrong hands")
	if i.Spare() {
		return p
	}
	next := i.adopt(home)
	if i.Instead != "" {
		next = i.moveOver()
	}
	p.Steps = p.Steps[:0]
	if off, _ := i.commands(); !i.Disabled && off != "" {
		p.Steps = append(p.Steps, Step{"disable it, which its users notice at once, and which can be taken back", off})
	}
	p.Steps = append(p.Steps, next.Steps...)
	return p
}

// adopt brings it under rotation.
func (i Item) adopt(home string) Plan {
	secret := i.secretID(home)
	p := Plan{Goal: "have keyturn rotate it", Steps: []Step{
		{"make a secret for it; if one holds it already, leave this out, and register that one", Command("gcloud", "secrets", "create", secret, "--replication-policy", "automatic", "--project", home)},
	}}
	add := "gcloud secrets versions add " + quoted(secret) + " --project " + quoted(home) + " --data-file "
	if i.Kind == APIKeyKind {
		p.Steps = append(p.Steps,
			Step{"store it there", Command("gcloud", "services", "api-keys", "get-key-string", i.ID, "--project", i.Project, "--format", "value(keyString)") + " | " + add + "-"},
			Step{"register it", Command("keyturn", "adopt", secret, "--api-key", i.Name, "--project", home)})
		return p.handOver(secret)
	}
	if i.Keys >= keyLimit {
		p.Steps = append(p.Steps, Step{Do: fmt.Sprintf("make room: the account has %d keys, which is all that Google allows; delete one that nobody uses", i.Keys)})
	}
	p.Steps = append(p.Steps,
		Step{"store its key file there; without the file, leave this out: the next sweep makes a new key", add + "KEY_FILE"},
		Step{"register it", Command("keyturn", "adopt", secret, "--service-account", i.Account, "--project", home)})
	return p.handOver(secret)
}

// keyLimit is how many user-managed keys Google lets an account have.
const keyLimit = 10

func (p Plan) handOver(secret string) Plan {
	p.Steps = append(p.Steps, Step{Do: "have its users read version current of " + secret + ", and delete every other copy"})
	return p
}

// moveOver has its users go over to a credential of the same account.
func (i Item) moveOver() Plan {
	same := "a key of the same account"
	if i.Kind == APIKeyKind {
		same = "keys that keyturn makes as this one is"
	}
	return Plan{"move its users to " + i.Instead + ", which holds " + same, []Step{
		{Do: "have its users read version current of " + i.Instead}, later,
	}}
}

// later comes last where a credential is, or may be, in use.
var later = Step{Do: "run the inventory again when they have moved: once its record shows that nobody uses this one, it says how to take it away"}

// retire takes it away in a way that can be taken back for some time.
func (i Item) retire(goal string) Plan {
	p := Plan{Goal: goal}
	off, gone := i.commands()
	if !i.Disabled && off != "" {
		p.Steps = append(p.Steps, Step{"disable it", off})
	}
	do := "delete it"
	if len(p.Steps) > 0 {
		do = "a week later, if nobody missed it, delete it"
	}
	p.Steps = append(p.Steps, Step{do, gone})
	return p
}

// replace is for what keyturn does not rotate: by hand.
func (i Item) replace() Plan {
	create := Command("gcloud", "storage", "hmac", "create", i.Account, "--project", i.Project)
	if i.Kind == OAuthSecretKind {
		client, _, _ := strings.Cut(i.ID, "/")
		create = Command("gcloud", "iam", "oauth-clients", "credentials", "create", "NEW_ID", "--oauth-client", client, "--location", "global", "--project", i.Project)
	}
	return Plan{"replace it by hand: keyturn does not rotate this kind", []Step{
		{"make another one", create}, {Do: "have its users take the new one"}, later,
	}}
}

// commands disable and delete it. An API key cannot be disabled, but undeleted.
func (i Item) commands() (disable, remove string) {
	switch i.Kind {
	case AccountKeyKind:
		key := []string{i.ID, "--iam-account", i.Account, "--project", i.Project}
		return Command(append([]string{"gcloud", "iam", "service-accounts", "keys", "disable"}, key...)...),
			Command(append([]string{"gcloud", "iam", "service-accounts", "keys", "delete"}, key...)...)
	case APIKeyKind:
		return "", Command("gcloud", "services", "api-keys", "delete", i.ID, "--project", i.Project)
	case HMACKeyKind:
		return Command("gcloud", "storage", "hmac", "update", i.ID, "--deactivate", "--project", i.Project),
			Command("gcloud", "storage", "hmac", "delete", i.ID, "--project", i.Project)
	}
	return "", "" // of OAuth clients no use is known, so that none is ever certain to be unused
}

// secretID is a name for the credential's secret.
func (i Item) secretID(home string) string {
	name, _, _ := strings.Cut(i.Account, "@")
	if i.Kind == APIKeyKind {
		name = i.ID
	}
	if i.Project != home {
		name = i.Project + "-" + name
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(plainLetters, r) {
			return r
		}
		return '-'
	}, name) + "-key"
}

func projectOf(name string) string {
	project, _, _ := strings.Cut(strings.TrimPrefix(name, "projects/"), "/")
	return project
}
