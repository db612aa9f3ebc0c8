package detect

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/keyturn/shared/lazyregexp"
)

// Finding is what a detector concluded, with its evidence. Its texts are
// printable and of bounded length, whatever the entries held.
type Finding struct {
	ID          string    `json:"id"`   // the same whenever the same entries lead to it
	Time        time.Time `json:"time"` // of the latest entry
	Detector    string    `json:"detector"`
	Severity    Severity  `json:"severity"`
	Score       float64   `json:"score"`               // how far beyond what is normal: 1 is where the detector begins to tell
	Technique   string    `json:"technique,omitempty"` // of MITRE ATT&CK
	Update      bool      `json:"update,omitempty"`    // tells more about an episode that was told before
	Subject     string    `json:"subject"`
	Project     string    `json:"project,omitempty"`
	Credential  string    `json:"credential,omitempty"` // projects/P/secrets/S, when it is known
	Key         string    `json:"key,omitempty"`        // full name of the key that was used, when it is known
	From        []string  `json:"from,omitempty"`       // addresses and user agents that it came from
	Delegation  []string  `json:"delegation,omitempty"` // who impersonated whom to act as the subject, first caller first
	Count       int       `json:"count"`                // of what the detector's unit says
	Permissions []string  `json:"permissions,omitempty"`
	Targets     []string  `json:"targets,omitempty"`
	FirstSeen   time.Time `json:"first_seen"`
	LastSeen    time.Time `json:"last_seen"`
	Reason      string    `json:"reason"`            // why it is not normal, in numbers
	Advice      string    `json:"advice"`            // what to do next
	Runbook     string    `json:"runbook,omitempty"` // how to look into findings of this detector
	Link        string    `json:"link"`              // to the entries in Logs Explorer
	Evidence    []string  `json:"evidence"`          // insertIds of entries, the first ones; empty where none shows it, as of a silence
	Entries     int       `json:"entries"`           // that show it and have an insertId
	Linked      int       `json:"linked,omitempty"`  // of Entries that Link opens, where those are not all

	Labels map[string]string `json:"labels,omitempty"` // that the owner of the credential gave its secret

	Standing Standing `json:"standing,omitzero"`     // what Key is now in the rotation of its credential
	Radius   Radius   `json:"blast_radius,omitzero"` // who uses Key, and stops working if it is revoked now
}

// Bounds of a finding.
const (
	maxSubject  = 256 // bytes
	maxListed   = 50  // permissions, targets
	maxEvidence = 20
	maxLinked   = 20 // insertIds in the link
)

// finding writes a verdict down.
func (g *Engine) finding(s *subject, v verdict, t told, update bool) Finding {
	f := Finding{
		ID: identify(s.name, v.by.Name, t, update), Detector: v.by.Name, Severity: v.severity, Technique: v.by.Technique, Runbook: v.by.Runbook,
		Score: math.Round(v.score*100) / 100, Update: update,
		Subject: visible(s.shown(), maxSubject), Project: s.notes[noteProject].text, Key: s.notes[noteKey].text,
		Time: instant(v.last), FirstSeen: instant(v.start), LastSeen: instant(v.last), Count: v.count, Reason: v.reason() + s.attribution(v.seen),
	}
	f.Key = g.ledger.fullName(v.key, f.Key)
	f.Credential = cmp.Or(v.credential, g.ledger.credential(f.Key))
	f.Labels = g.ledger.labels(f.Credential)
	f.Standing = g.standing(f.Key)
	f.Subject = cmp.Or(visible(v.subject, maxSubject), f.Subject)
	if from := s.notes[noteFrom].text; from != "" {
		f.From = []string{from}
	}
	if len(v.from) > 0 {
		f.From = s.origins(v)
	}
	if chain := s.notes[noteChain].text; chain != "" {
		f.Delegation = strings.Split(chain, chainSeparator)
	}
	f.Radius = g.radius(&f, v.start, v.last)
	f.list(v.seen)
	if f.Advice = v.advice; f.Advice == "" {
		f.Advice = f.advice()
		f.Reason += f.unlisted()
	}
	if f.Link = v.link; f.Link == "" {
		f.link(v.query, v.asked)
	}
	return f
}

// shown is what the subject is called in findings.
func (s *subject) shown() string {
	if _, group, ok := ruleSubject(s.name); ok {
		return group
	}
	return strings.TrimLeft(s.name, strangerSubject+addressSubject)
}

func instant(t int64) time.Time { return time.UnixMilli(t).UTC() }

// identify goes by subject, detector, and the day on which the episode began, so
// that the same entries read again, by another instance too, make the same id.
func identify(subject, detector string, t told, update bool) string {
	text := fmt.Sprintf("%s\n%q\n%d\n%d", detector, subject, t.what, dayOf(t.start))
	if update {
		text += fmt.Sprintf("\n%d\n%d", t.level, t.severity)
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// list fills in what was sighted, the earliest entries first.
func (f *Finding) list(seen []sighting) {
	f.Evidence = []string{} // in JSON a list, of what no entry shows, too
	seen = slices.Clone(seen)
	slices.SortFunc(seen, func(a, b sighting) int {
		return cmp.Or(cmp.Compare(a.first.at, b.first.at), cmp.Compare(a.what, b.what), cmp.Compare(a.kind, b.kind))
	})
	permissions, targets, entries := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, s := range seen {
		if s.kind.permission() {
			permissions[s.name] = true
		}
		targets[s.first.target] = true
		entries[s.first.id], entries[s.won.id] = true, true
		if id := s.first.id; len(f.Evidence) < maxEvidence && id != "" && !slices.Contains(f.Evidence, id) {
			f.Evidence = append(f.Evidence, id)
		}
		if id := s.won.id; id != "" && !slices.Contains(f.Evidence, id) {
			f.Evidence = append(f.Evidence, id)
		}
	}
	delete(entries, "")
	f.Entries = len(entries)
	f.Permissions, f.Targets = sorted(permissions), sorted(targets)
}

// sorted lists the first of the names other than "".
func sorted(set map[string]bool) []string {
	delete(set, "")
	names := slices.Sorted(maps.Keys(set))
	return names[:min(len(names), maxListed)]
}

var keyID = lazyregexp.New(`/keys/([0-9a-f]{40})$`)

// keyOf is the id in a key's full name; "" if it has none.
func keyOf(name string) string {
	if m := keyID.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	return ""
}

// advice never puts what came from outside into a command, but for a key's id and
// account that cannot be anything else.
func (f Finding) advice() string {
	if f.Severity == Info {
		return "nothing, unless the calls were meant to succeed: then have the policy's owner let them through"
	}
	if id := keyOf(f.Key); id != "" {
		return f.revokeKey(id)
	}
	if strings.HasSuffix(f.Subject, ".gserviceaccount.com") {
		return "ask the owner of the account; unless they know of this, revoke the secret for which 'keyturn status --json' shows it as target"
	}
	return "open the link, ask the owner of the subject whether this was meant, and if not take its access away"
}

// revokeKey is the command that stops the key of an id: keyturn's if a ledger knows
// it, and else Google's.
func (f Finding) revokeKey(id string) string {
	if f.Credential != "" {
		return "keyturn revoke " + f.Credential + " --key " + id
	}
	if m := accountName.FindStringSubmatch(strings.TrimSuffix(f.Key, "/keys/"+id)); m != nil {
		return disableKey(id, m[1])
	}
	return "keyturn status --key " + id
}

// unlisted is what a reason adds about a key that no ledger has, for which there is
// general advice: keyturn may manage it nevertheless.
func (f Finding) unlisted() string {
	id := keyOf(f.Key)
	if id == "" || f.Credential != "" || f.Severity == Info {
		return ""
	}
	return "; its key is in no ledger that was read: if 'keyturn status --key " + id + "' shows its secret, revoke that, and consumers get a new key"
}

// disableKey is the command that stops a key which keyturn does not know.
func disableKey(id, account string) string {
	return fmt.Sprintf("gcloud iam service-accounts keys disable %s --iam-account=%s", id, account)
}

// link makes the link to what query finds in a time, or as long as the episode lasts;
// "" is the evidence.
func (f *Finding) link(query string, asked [2]int64) {
	from, to := f.FirstSeen.Add(-time.Minute), f.LastSeen.Add(time.Minute)
	if asked[1] != 0 {
		from, to = instant(asked[0]), instant(asked[1])
	}
	if query == "" {
		ids := make([]string, 0, maxLinked)
		for _, id := range f.Evidence[:min(len(f.Evidence), maxLinked)] {
			ids = append(ids, strconv.Quote(id))
		}
		query = "insertId=(" + strings.Join(ids, " OR ") + ")"
		if len(ids) < f.Entries {
			f.Linked = len(ids)
		}
	}
	f.Link = "https://console.cloud.google.com/logs/query;query=" + url.PathEscape(query) +
		";startTime=" + from.UTC().Format(time.RFC3339) +
		";endTime=" + to.UTC().Format(time.RFC3339) +
		"?project=" + url.QueryEscape(f.Project)
}
