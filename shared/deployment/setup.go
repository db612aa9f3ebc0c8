package deployment

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Setup is what an owner makes once, before a deployment, and after it for what is only
// then there.
type Setup struct {
	Site
	Filter     string      // of the log sink
	Database   string      // location of the Firestore database
	Key        string      // full name of the Cloud KMS key of the secrets; empty is Google's own
	Alerts     string      // short id of the secret that holds alerts.yaml; empty is none
	Repository *Repository // whose CI may deploy; nil is none
}

// Reading is what a command prints. Later commands and lines name it as a variable of the
// shell, ${Name}.
type Reading struct {
	Name    string `json:"name"`
	Command string `json:"command"`
}

// Step makes one thing, or takes it away.
type Step struct {
	Makes string `json:"makes"`
	// There says that there is nothing to do: when, of each of these, one is a line of
	// what was read.
	There [][]string `json:"-"`
	// Only is a line without which there is nothing to do, either; empty is none.
	Only     string   `json:"-"`
	Commands []string `json:"commands"` // for a shell, in order
}

// Group is what belongs together, by one look at what is there.
type Group struct {
	Title string `json:"title"`
	// If names a reading of an earlier group that must not be empty; else there is nothing
	// to do yet, and Wait says why. Empty is none.
	If       string    `json:"-"`
	Wait     string    `json:"-"`
	Readings []Reading `json:"readings"` // the steps go by the last one
	Steps    []Step    `json:"steps"`
}

// The readings that others go by.
const (
	NumberRead = "project_number" // by which Google calls its own accounts
	writerRead = "sink_writer"    // the account that the log sink writes as
)

// shellVariable is a reading as commands name it.
func shellVariable(name string) string { return "${" + name + "}" }

// Make is what there is to make, in order. What is there already is left as it is.
func (s Setup) Make() []Group {
	s.Number = shellVariable(NumberRead)
	all := []Group{s.apis(), s.described(), s.accounts(), s.roles()}
	return slices.Concat(all, s.permissions(), s.topics(), s.secrets(), s.documents(), []Group{s.bucket()}, s.sink(), s.grants(), []Group{s.auditLogs()}, s.federation(), s.deliveries())
}

// described reads the project's number.
func (s Setup) described() Group {
	return Group{Title: "the project", Readings: []Reading{{NumberRead, s.gcloud("projects", "describe", s.Project, listing("projectNumber"))}}}
}

// listing is how gcloud prints one line for each thing, of the fields named.
func listing(fields ...string) string {
	if len(fields) == 1 {
		return "--format=value(" + fields[0] + ")"
	}
	return `--format=value[separator=" "](` + strings.Join(fields, ",") + ")"
}

// absent are the lines of which none is there.
func absent(lines ...string) [][]string { return [][]string{lines} }

// maxEnable is how many APIs can be enabled at once.
const maxEnable = 20

func (s Setup) apis() Group {
	p := Group{Title: "APIs", Readings: []Reading{{"apis", s.gcloud("services", "list", "--enabled", listing("config.name"))}}}
	names := []string{}
	for _, a := range APIs {
		names = append(names, a.Name)
	}
	if s.Repository != nil {
		names = append(names, "iamcredentials.googleapis.com", "sts.googleapis.com")
	}
	if s.Key != "" {
		names = append(names, "cloudkms.googleapis.com")
	}
	for some := range slices.Chunk(names, maxEnable) {
		step := Step{Makes: "APIs", Commands: []string{s.gcloud(append([]string{"services", "enable"}, some...)...)}}
		for _, name := range some {
			step.There = append(step.There, []string{name})
		}
		p.Steps = append(p.Steps, step)
	}
	return p
}

func (s Setup) accountsRead() Reading {
	return Reading{"accounts", s.gcloud("iam", "service-accounts", "list", listing("email"))}
}

func (s Setup) accounts() Group {
	p := Group{Title: "service accounts", Readings: []Reading{s.accountsRead()}}
	for _, a := range Accounts {
		p.Steps = append(p.Steps, Step{
			Makes: "service account " + a.ID + ": " + a.Why, There: absent(s.Email(a.ID)),
			Commands: []string{s.gcloud("iam", "service-accounts", "create", a.ID, "--display-name="+a.Why)},
		})
	}
	return p
}

// rolesRead are the custom roles, those that were deleted and can be brought back as well.
func (s Setup) rolesRead() Reading {
	return Reading{"roles", s.gcloud("iam", "roles", "list", "--show-deleted", listing("name.basename()", "deleted.yesno(yes=deleted,no=live)"))}
}

func (s Setup) roles() Group {
	p := Group{Title: "custom roles", Readings: []Reading{s.rolesRead()}}
	for _, r := range Roles {
		p.Steps = append(p.Steps,
			Step{Makes: "role " + r.ID, There: absent(r.ID+" live", r.ID+" deleted"), Commands: []string{s.createRole(r)}},
			Step{Makes: "role " + r.ID + ", which was deleted", Only: r.ID + " deleted", Commands: []string{s.gcloud("iam", "roles", "undelete", r.ID)}})
	}
	return p
}

// permissions has each role hold what it is to hold, and no more.
func (s Setup) permissions() []Group {
	var all []Group
	for _, r := range Roles {
		names, _ := explain(r.Permissions)
		slices.Sort(names)
		all = append(all, Group{
			Title:    "what role " + r.ID + " holds",
			Readings: []Reading{{"permissions", s.gcloud("iam", "roles", "describe", r.ID, listing("includedPermissions.sort()"))}},
			Steps: []Step{{
				Makes: "permissions of role " + r.ID, There: absent(strings.Join(names, ";")),
				Commands: []string{s.gcloud("iam", "roles", "update", r.ID, "--permissions="+strings.Join(names, ","))},
			}},
		})
	}
	return all
}

func (s Setup) topicsRead() Reading {
	return Reading{"topics", s.gcloud("pubsub", "topics", "list", listing("name.basename()"))}
}

// subscriptionsRead are the subscriptions behind their topics.
func (s Setup) subscriptionsRead() Reading {
	return Reading{"subscriptions", s.gcloud("pubsub", "subscriptions", "list", listing("topic.basename()", "name.basename()"))}
}

func (s Setup) topics() []Group {
	topics := Group{Title: "topics", Readings: []Reading{s.topicsRead()}}
	for _, t := range Topics {
		topics.Steps = append(topics.Steps, Step{Makes: "topic " + t.ID + ": " + t.Why, There: absent(t.ID), Commands: []string{s.gcloud("pubsub", "topics", "create", t.ID)}})
	}
	return []Group{topics, {
		Title: "where dead letters can be looked at", Readings: []Reading{s.subscriptionsRead()},
		Steps: []Step{{Makes: "subscription " + DeadLetters, There: absent(DeadLetters + " " + DeadLetters), Commands: []string{s.keepDead()}}},
	}}
}

func (s Setup) secretsRead() Reading {
	return Reading{"secrets", s.gcloud("secrets", "list", listing("name.basename()"))}
}

// secrets are the seals. Their values come from the machine's random numbers by a pipe,
// and stand nowhere else.
func (s Setup) secrets() []Group {
	var all []Group
	secrets := Group{Title: "secrets that seal what functions tell each other", Readings: []Reading{s.secretsRead()}}
	create := []string{"--replication-policy=automatic"}
	if s.Key != "" {
		create = append(create, "--kms-key-name="+s.Key)
		all = append(all, s.grantsOn(s.Key, []Grant{{Member: s.Expand(secretsAgent), Role: "roles/cloudkms.cryptoKeyEncrypterDecrypter", On: s.Key}}))
	}
	for _, id := range Seals {
		secrets.Steps = append(secrets.Steps, Step{Makes: "secret " + id, There: absent(id), Commands: []string{s.gcloud(append([]string{"secrets", "create", id}, create...)...)}})
	}
	all = append(all, secrets)
	for _, id := range Seals {
		all = append(all, Group{
			Title: "the value of secret " + id, Readings: []Reading{{"latest", s.gcloud("secrets", "versions", "list", id, "--limit=1", listing("state"))}},
			Steps: []Step{{Makes: "random version of secret " + id, There: absent("enabled"), Commands: []string{s.reseal(id)}}},
		})
	}
	return all
}

// reseal gives a secret that seals another value.
func (s Site) reseal(id string) string {
	return entropy + s.gcloud("secrets", "versions", "add", id, "--data-file=-")
}

// documents is where instances of functions share what they know.
func (s Setup) documents() []Group {
	database := Group{
		Title:    "what functions' instances share",
		Readings: []Reading{{"databases", s.gcloud("firestore", "databases", "list", listing("name.basename()", "type"))}},
		Steps: []Step{{
			Makes: "Firestore's default database, in native mode", There: absent("(default) FIRESTORE_NATIVE"),
			Commands: []string{s.gcloud("firestore", "databases", "create", "--location="+s.Database, "--type=firestore-native")},
		}},
	}
	expiry := Group{Title: "which of that expires", Readings: []Reading{{"expiring", s.gcloud("firestore", "fields", "ttls", "list", listing("name.segment(5)", "name.basename()"))}}}
	indexes := Group{Title: "which of that nobody asks by", Readings: []Reading{{
		"indexed", s.gcloud("firestore", "indexes", "fields", "list", listing("name.segment(5)", "name.basename()", "indexConfig.indexes.yesno(yes=indexed,no=unindexed)")),
	}}}
	for _, c := range Collections {
		expiry.Steps = append(expiry.Steps, Step{
			Makes: fmt.Sprintf("expiry of documents in %s by %s", c.ID, c.Expires), There: absent(c.ID + " " + c.Expires),
			Commands: []string{s.gcloud("firestore", "fields", "ttls", "update", c.Expires, "--collection-group="+c.ID, "--enable-ttl", "--async")},
		})
		indexes.Steps = append(indexes.Steps, Step{
			Makes: fmt.Sprintf("no index of %s in %s", c.Unindexed, c.ID), There: absent(c.ID + " " + c.Unindexed + " unindexed"),
			Commands: []string{s.gcloud("firestore", "indexes", "fields", "update", c.Unindexed, "--collection-group="+c.ID, "--disable-indexes", "--async")},
		})
	}
	return []Group{database, expiry, indexes}
}

// Bucket is the full name of the one that builds leave things in.
func (s Site) Bucket() string { return "projects/_/buckets/" + s.Project + "-keyturn-builds" }

func (s Setup) bucketsRead() Reading {
	id := path.Base(s.Bucket())
	return Reading{"buckets", s.gcloud("storage", "buckets", "list", "--filter=name="+id, listing("name"))}
}

func (s Setup) bucket() Group {
	id := path.Base(s.Bucket())
	return Group{Title: "where builds leave what they wrote", Readings: []Reading{s.bucketsRead()}, Steps: []Step{{
		Makes: "bucket " + id, There: absent(id),
		Commands: []string{s.gcloud("storage", "buckets", "create", "gs://"+id, "--location="+s.Region, "--uniform-bucket-level-access", "--public-access-prevention")},
	}}}
}
