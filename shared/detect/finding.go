package detect

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
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
	Count       int       `json:"count"`                // distinct permissions, or permissions on distinct targets
	Permissions []string  `json:"permissions,omitempty"`
	Targets     []string  `json:"targets,omitempty"`
	FirstSeen   time.Time `json:"first_seen"`
	LastSeen    time.Time `json:"last_seen"`
	Reason      string    `json:"reason"`
	Advice      string    `json:"advice"`            // what to do next
	Runbook     string    `json:"runbook,omitempty"` // how to look into findings of this detector
	Link        string    `json:"link"`              // to the entries in Logs Explorer
	Evidence    []string  `json:"evidence"`          // insertIds of entries
}

// Bounds of a finding.
const (
	maxSubject  = 256 // bytes
	maxListed   = 50  // permissions, targets
	maxEvidence = 20
	maxLinked   = 10 // insertIds in the link
)

// describe makes the finding of a state's episode out of what was seen in it.
func describe(l Limits, key Key, s State, seen []Sighting, e Entry) Finding {
	ep := s.Episode
	f := Finding{
		Detector: key.Detector, Severity: ep.Severity, Update: ep.Revision > 1,
		Subject: visible(key.Subject, maxSubject), Project: visible(e.Project, maxName), Key: s.KeyName,
		Time: ep.Last, FirstSeen: ep.First, LastSeen: ep.Last, Count: len(distinct(seen)),
	}
	permissions, targets, evidence := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, sighting := range seen {
		permissions[sighting.Item.Permission] = true
		targets[sighting.Item.Target] = true
		evidence[sighting.InsertID] = true
	}
	f.ID = identify(key, ep)
	f.Permissions, f.Targets, f.Evidence = list(permissions, maxListed), list(targets, maxListed), list(evidence, maxEvidence)
	f.Reason = f.reason(l)
	f.Advice = f.advice()
	f.Link = f.link()
	return f
}

// identify goes by subject, beginning and revision, so that the same entries
// read again, by another instance too, make the same id.
func identify(key Key, ep Episode) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%q\n%s\n%d", key.Detector, key.Subject, ep.First.UTC().Format(time.RFC3339Nano), ep.Revision))
	return hex.EncodeToString(sum[:16])
}

// list sorts the names other than "" and keeps the first limit.
func list(set map[string]bool, limit int) []string {
	delete(set, "")
	names := slices.Sorted(maps.Keys(set))
	return names[:min(len(names), limit)]
}

func (f Finding) reason(l Limits) string {
	span, window := short(f.LastSeen.Sub(f.FirstSeen)), short(l.Window)
	if f.Detector == TokenMinting {
		return fmt.Sprintf("%s was denied %d kinds of tokens and signatures of service accounts (%s) within %s; from %d within %s on it is taken for somebody trying which account can be impersonated",
			f.Subject, f.Count, counted(len(f.Targets), "account"), span, l.Distinct, window)
	}
	return fmt.Sprintf("%s was denied %d distinct permissions within %s; from %d within %s on it is taken for probing, because a retry loop repeats the same few",
		f.Subject, f.Count, span, l.Distinct, window)
}

// short writes ten minutes as 10m rather than 10m0s.
func short(d time.Duration) string {
	s := d.Round(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	return s
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if n == maxListed {
		return fmt.Sprintf("at least %d %ss", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

var keyID = regexp.MustCompile(`/keys/([0-9a-f]{40})$`)

// advice never puts what came from outside into a command, but for a key's id.
func (f Finding) advice() string {
	if m := keyID.FindStringSubmatch(f.Key); m != nil {
		return "keyturn revoke SECRET --key " + m[1] + "  (SECRET is the one for which 'keyturn status' shows this key)"
	}
	if strings.HasSuffix(f.Subject, ".gserviceaccount.com") {
		return "keyturn revoke SECRET  (SECRET is the one for which 'keyturn status' shows a key of this account), unless its owner knows of this"
	}
	return "open the link, ask the owner of the subject whether this was meant, and if not take its access away"
}

// link opens the evidence in Logs Explorer.
func (f Finding) link() string {
	ids := make([]string, 0, maxLinked)
	for _, id := range f.Evidence[:min(len(f.Evidence), maxLinked)] {
		ids = append(ids, strconv.Quote(id))
	}
	query := "insertId=(" + strings.Join(ids, " OR ") + ")"
	return "https://console.cloud.google.com/logs/query;query=" + url.PathEscape(query) +
		";startTime=" + f.FirstSeen.Add(-time.Minute).UTC().Format(time.RFC3339) +
		";endTime=" + f.LastSeen.Add(time.Minute).UTC().Format(time.RFC3339) +
		"?project=" + url.QueryEscape(f.Project)
}

// visible makes s safe to show: what does not print, such as a line break or a
// change of writing direction, is escaped, and what exceeds n bytes is cut.
func visible(s string, n int) string {
	var b strings.Builder
	for _, r := range s {
		if b.Len() > n {
			break
		}
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
	}
	return cut(b.String(), n)
}

// cut returns s if it is of at most n bytes, or else its beginning and an ellipsis.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n -= len("…")
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
