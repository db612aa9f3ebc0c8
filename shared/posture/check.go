package posture

import (
	"cmp"
	"time"

	"example.com/keyturn/shared/detect"
)

// Check is one thing that is looked at.
type Check struct {
	ID       string          // such as cis-1.4 or unused-credential
	CIS      string          // number of the recommendation in versions 1.2 to 4.0 of the benchmark; empty if it is keyturn's own
	CIS5     string          // its number in version 5.0, which counts differently
	Title    string          // what ought to be
	Severity detect.Severity // of a failure
	Why      string          // it matters
	How      string          // it is decided
	Fix      string          // what to do about a failure
	Blind    string          // what it cannot know
	run      func(*judge, *project)
}

// Detector is the name that its failures have as findings.
func (c Check) Detector() string { return DetectorPrefix + c.ID }

// DetectorPrefix begins the detectors of posture's findings.
const DetectorPrefix = "posture-"

// Config says what is asked of credentials where that is a matter of taste. The
// periods of the benchmark are its own.
type Config struct {
	Unused      time.Duration // a credential that nobody used for this long is to go; 0 is 90 days
	MaxKeys     int           // of one service account; 0 is 2, which are those of an overlap
	MaxReaders  int           // principals that may read one secret; 0 is 5
	RequireCMEK bool          // secrets are to be encrypted with keys of one's own; false does not look
}

func (c Config) unused() time.Duration { return cmp.Or(c.Unused, quarter) }
func (c Config) maxKeys() int          { return cmp.Or(c.MaxKeys, 2) }
func (c Config) maxReaders() int       { return cmp.Or(c.MaxReaders, 5) }

// quarter is the benchmark's 90 days.
const quarter = 90 * 24 * time.Hour

// Checks are all of them, the benchmark's first.
func Checks() []Check {
	all := append(benchmark(), own()...)
	return append(all, organisation()...)
}

// Find returns the check of an id.
func Find(id string) (Check, bool) {
	for _, c := range Checks() {
		if c.ID == id {
			return c, true
		}
	}
	return Check{}, false
}

func benchmark() []Check {
	return []Check{
		{
			ID: "cis-1.4", CIS: "1.4", CIS5: "1.5", Severity: detect.Warning, run: onlyGoogleKeys,
			Title: "Service accounts have no user-managed keys",
			Why:   "Whoever has a key's private half is the service account, from anywhere, for as long as the key lives. Google's own keys never leave Google, and are rotated by it.",
			How:   "Fails for each service account that has a user-managed key, disabled and expired ones included, as `gcloud iam service-accounts keys list --managed-by=user` lists them. Default service accounts are looked at, too, which the benchmark's filter leaves out.",
			Fix:   "Have the program run as the service account (an attached account, or workload identity federation), then release the credential and delete the key; until then, have keyturn rotate it.",
			Blind: "Whether a key is still needed: see unused-credential.",
		},
		{
			ID: "cis-1.6", CIS: "1.6", CIS5: "1.7", Severity: detect.High, run: noImpersonationOfAll,
			Title: "Nobody has Service Account User or Token Creator on a whole project",
			Why:   "On a project these roles let their holder act as every service account in it, those of the future included.",
			How:   "Fails for each member of a binding of roles/iam.serviceAccountUser or roles/iam.serviceAccountTokenCreator in the project's allow policy, people, groups, service accounts and Google's service agents alike, with or without a condition, as the benchmark's audit lists every such binding.",
			Fix:   "Grant the role on the one service account that it is needed for, then take it away from the project.",
			Blind: "What folders and the organisation grant, who is in a group, and roles that include the same permissions (owner, editor, custom roles).",
		},
		{
			ID: "cis-1.7", CIS: "1.7", CIS5: "1.8", Severity: detect.Warning, run: keysRotated,
			Title: "User-managed keys of service accounts are at most 90 days old",
			Why:   "The older a key is, the more copies of it there are, and the longer a lost one is of use.",
			How:   "Fails for each user-managed key whose validAfterTime lies more than 90 days back, disabled and expired ones included.",
			Fix:   "Have keyturn rotate it; one that nobody uses, disable, then delete. An old key that keyturn has superseded it takes away by itself.",
			Blind: "When a key was uploaded: Google tells from when on its certificate is valid, which whoever made it chose.",
		},
		{
			ID: "cis-1.12", CIS: "1.12", CIS5: "1.13", Severity: detect.Warning, run: noAPIKeys,
			Title: "API keys exist for active services only",
			Why:   "An API key names nobody: whoever has it may call, and the log cannot tell who did.",
			How:   "Fails for each API key that is not deleted, as the benchmark's audit wants none to be listed; the reason tells whether it is used. Keep those that nothing else can stand in for, such as a mobile app's, and see to cis-1.13 to cis-1.15 for them.",
			Fix:   "Have the program use a service account, then release the credential and delete the key; exempt a key of browsers or apps, for which nothing else can stand in.",
			Blind: "Whether another way to authenticate would do, which is what the benchmark asks.",
		},
		{
			ID: "cis-1.13", CIS: "1.13", CIS5: "1.14", Severity: detect.Warning, run: restrictedToCallers,
			Title: "API keys are restricted to hosts and apps",
			Why:   "A key without a restriction works from wherever it is taken to.",
			How:   "Fails for each API key without an application restriction, with a referrer that is a wildcard (*, *.TLD or *.TLD/*), or with an address that is any (0.0.0.0, 0.0.0.0/0, ::0, ::/0).",
			Fix:   "Restrict the key to the sites, addresses or apps that use it.",
			Blind: "Whether the sites, addresses and apps are the right ones; referrers and app names can be forged.",
		},
		{
			ID: "cis-1.14", CIS: "1.14", CIS5: "1.15", Severity: detect.Warning, run: restrictedToAPIs,
			Title: "API keys are restricted to APIs",
			Why:   "A key without a restriction may call every API of the project that takes keys, those that are enabled later, such as Gemini, included.",
			How:   "Fails for each API key without API restrictions, or with cloudapis.googleapis.com among them, which stands for all of Google Cloud's.",
			Fix:   "Restrict the key to the APIs that its users call.",
			Blind: "Which APIs its users need.",
		},
		{
			ID: "cis-1.15", CIS: "1.15", CIS5: "1.16", Severity: detect.Warning, run: apiKeysRotated,
			Title: "API keys are at most 90 days old",
			Why:   "An API key never expires: one that was stolen works until somebody deletes it.",
			How:   "Fails for each API key that is not deleted and was created more than 90 days ago.",
			Fix:   "Have keyturn rotate it; one that nobody uses, delete. An old key that keyturn has superseded it takes away by itself.",
			Blind: "A key whose string was regenerated in the console keeps its time of creation.",
		},
	}
}

func own() []Check {
	return []Check{
		{
			ID: "unused-credential", Severity: detect.Warning, run: used,
			Title: "Credentials are used",
			Why:   "A credential that nobody uses does no good, and nobody would miss it but a thief.",
			How:   "Fails for each service-account key, HMAC key and API key that works and was not used for 90 days (`--unused`), by Cloud Monitoring's record of uses, in which a failed use counts, too, and of service-account keys by Policy Analyzer's, which reaches further back. Unknown where neither reaches back that far. A key that keyturn has superseded passes: it takes it away by itself.",
			Fix:   "Disable it, wait, then delete it; one that keyturn rotates, release first.",
			Blind: "Uses that Google does not record, such as calls of APIs other than Google Cloud's; OAuth client secrets, of whose use there is no record, are left out.",
		},
		{
			ID: "too-many-keys", Severity: detect.Warning, run: fewKeys,
			Title: "A service account has no more keys than a rotation needs",
			Why:   "Each key is one more to lose. A rotation needs two; more are copies that nobody keeps account of, and at ten no rotation is possible.",
			How:   "Fails for each service account with more than 2 user-managed keys (`--max-keys`), disabled ones included. Those that keyturn has superseded do not count: it takes them away by itself.",
			Fix:   "Disable the oldest that nobody uses, later delete it; have those rotated that are used.",
			Blind: "Which of them is whose.",
		},
		{
			ID: "key-without-expiry", Severity: detect.Warning, run: expires,
			Title: "Service-account keys expire",
			Why:   "A key that expires stops by itself, even if everybody forgets it.",
			How:   "Fails for each user-managed key that is enabled and never expires.",
			Fix:   "Have keyturn upload keys, which expire (keyMode upload), or set the organisation policy iam.serviceAccountKeyExpiryHours for new keys.",
			Blind: "API keys, which cannot expire, are left out.",
		},
		{
			ID: "broad-secret-readers", Severity: detect.High, run: fewReaders,
			Title: "Those who may read a secret are those who use it",
			Why:   "Whoever reads the secret has the credential. A grant to everybody, to a domain, or to an account that every machine runs as, is a grant to whoever breaks into any of them.",
			How:   "Looks at the secrets that keyturn manages, and at their staging secrets. Fails if the allow policy of the secret, or of its project, lets allUsers, allAuthenticatedUsers, a domain, a whole identity pool, all project editors or viewers, or a default service account read versions; or if more than 5 principals (`--max-readers`) may, a group being one. A role lets read if it has secretmanager.versions.access, as owner, secretmanager.secretAccessor and secretmanager.admin do.",
			Fix:   "Grant roles/secretmanager.secretAccessor on the secret to each consumer's own account, and take the broad grant away.",
			Blind: "What folders and the organisation grant, who is in a group, who may impersonate a reader, and whether a condition is met: a binding with one counts.",
		},
		{
			ID: "rotation-overdue", Severity: detect.High, run: onTime,
			Title: "Credentials are rotated when their policy says",
			Why:   "A rotation that does not happen leaves a credential older than its owner believes.",
			How:   "Fails for each credential whose journal says that a rotation is due for longer than a tenth of its period, or a day, or that a rotation or a retirement is stuck; and for one whose registration cannot be read.",
			Fix:   "See what the rotate function says of it, then rotate it.",
			Blind: "Credentials that keyturn does not manage: see cis-1.7 and cis-1.15.",
		},
		{
			ID: "secret-without-cmek", Severity: detect.Warning, run: ownKeys,
			Title: "Secrets are encrypted with keys of one's own",
			Why:   "With a key of Cloud KMS of one's own, destroying or disabling that key takes the secret away from everybody, Google included.",
			How:   "Looked at with `--require-cmek` only. Fails for each secret of the project of which a replica has no Cloud KMS key.",
			Fix:   "Make the secret anew with a key, or add one to its replication: it is used for versions added from then on.",
			Blind: "Under which key older versions are encrypted, and who may use that key.",
		},
	}
}
