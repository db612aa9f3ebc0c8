package event

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Verb is what a command asks for.
type Verb string

// The verbs of the rotate function.
const (
	Sweep    Verb = "sweep"    // find every credential that has something due, and send each a Continue
	Continue Verb = "continue" // do what is due for one credential
	Inspect  Verb = "inspect"  // compare what Google says of a credential with its journal and tell what is wrong; without a secret, send each credential an Inspect
	Rotate   Verb = "rotate"   // begin a rotation of one credential now
	Rollback Verb = "rollback" // give consumers the previous key again
	Revoke   Verb = "revoke"   // make one key stop working, after replacing it where it is in use
	Pause    Verb = "pause"    // have the schedule leave one credential alone
	Resume   Verb = "resume"   // end a pause
	Release  Verb = "release"  // forget one credential; no key and no version is touched
	Status   Verb = "status"   // tell how one credential stands; changes nothing
	Plan     Verb = "plan"     // tell what is going to be done for one credential, or without a secret for all, when, why and by which calls; changes nothing
)

// Command is what a person or a machine asks of the rotate function, through
// either of its doors.
type Command struct {
	Verb   Verb   `json:"command"`
	Secret string `json:"secret,omitempty"` // projects/P/secrets/S; Sweep takes none, Inspect and Plan may have one, every other verb needs it
	After  *int   `json:"after,omitempty"`  // Rotate, Rollback: only if this is the latest rotation's number, so that a duplicate does nothing; nil is whatever it is
	Key    string `json:"key,omitempty"`    // the id of a key: 40 hex digits, or an API key's full name or its last part. Revoke needs it; Rotate begins nothing unless this key is in use
	// KillTokens, of Revoke, also disables the service account for the life of
	// the tokens that the key has minted.
	KillTokens bool      `json:"killTokens,omitempty"`
	Why        string    `json:"why,omitempty"`   // the reason, for the journal and for people: Pause needs one; up to 256 printable bytes
	Until      time.Time `json:"until,omitzero"`  // Pause: when it ends by itself; zero is when somebody resumes
	Leave      bool      `json:"leave,omitempty"` // Release: although a rotation is in flight or old keys are there still, which are then nobody's
	// By is who asks, for the journal and for people: up to 256 printable bytes. A
	// door that knows who it is puts it here, whatever was sent.
	By string `json:"by,omitempty"`
	// ID makes a request one that is carried out once: the same ID again is answered
	// with what was done the first time. Up to 128 printable ASCII characters, chosen
	// by whoever asks. Only verbs that change a credential take one.
	ID string `json:"id,omitempty"`
	// DryRun has nothing written and nothing called that changes anything: the answer
	// says what would be done. Every verb takes it.
	DryRun bool `json:"dry_run,omitempty"`
}

// guarded are the verbs that must not be carried out twice.
var guarded = []Verb{Rotate, Rollback}

// Drastic reports whether a command is one that only keyturn itself and people may
// give: it does what is not due by itself.
func (c Command) Drastic() bool {
	return slices.Contains([]Verb{Rotate, Rollback, Revoke, Pause, Resume, Release}, c.Verb)
}

// Digest tells apart commands of one verb that ask for different things of a key, in
// 12 hex digits: who asks, why, and in which run does not matter, but why something is
// paused does, because the pause shows it.
func (c Command) Digest() string {
	c.Secret, c.Key, c.After, c.By, c.ID, c.DryRun = "", "", nil, "", "", false
	if c.Verb != Pause {
		c.Why = ""
	}
	a := c.Attributes()
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(a)) {
		fmt.Fprintf(&text, "%s=%q\n", name, a[name])
	}
	sum := sha256.Sum256([]byte(text.String()))
	return hex.EncodeToString(sum[:6])
}

// ErrIgnored means that a message is well formed and not for keyturn to act on,
// such as Secret Manager's echo of keyturn's own writes.
var ErrIgnored = errors.New("nothing to do for this message")

// DecodeCommand reads a command from a Pub/Sub message: from Secret Manager's
// rotation notice, from the attributes alone (as Cloud Scheduler sends it), or
// from a JSON body. A message may be delivered twice, so a command to rotate or
// to roll back must say after which rotation it is meant.
func DecodeCommand(m Message) (Command, error) {
	c, err := decodeCommand(m)
	if err == nil && slices.Contains(guarded, c.Verb) && c.After == nil && c.Key == "" {
		return Command{}, fmt.Errorf("command %s needs after, the number of the latest rotation, so that a duplicate does nothing: 'keyturn status' shows it", c.Verb)
	}
	return c, err
}

func decodeCommand(m Message) (Command, error) {
	m = m.Unseal()
	if kind, ok := m.Attributes["eventType"]; ok {
		return decodeSecretEvent(kind, m.Attributes["secretId"])
	}
	if len(m.Data) > 0 {
		return DecodeCommandJSON(bytes.NewReader(m.Data))
	}
	return decodeAttributes(m.Attributes)
}

// decodeSecretEvent takes SECRET_ROTATE and leaves every other event alone:
// most of them are the echo of what keyturn itself wrote.
func decodeSecretEvent(kind, secret string) (Command, error) {
	if kind != "SECRET_ROTATE" {
		return Command{}, ErrIgnored
	}
	return valid(Command{Verb: Continue, Secret: secret})
}

// DecodeCommandJSON reads one JSON command and refuses what it does not know.
func DecodeCommandJSON(r io.Reader) (Command, error) {
	var c Command
	if err := DecodeObject(r, &c, `{"command":"sweep"}`); err != nil {
		return Command{}, err
	}
	return valid(c)
}

func decodeAttributes(attributes map[string]string) (Command, error) {
	c := Command{
		Verb: Verb(attributes["command"]), Secret: attributes["secret"], Key: attributes["key"],
		Why: attributes["why"], By: attributes["by"], ID: attributes["id"],
	}
	if err := c.decodeValues(attributes); err != nil {
		return Command{}, err
	}
	for name := range attributes {
		known := slices.Contains(attributeNames, name)
		if !known && !strings.HasPrefix(name, "googclient_") { // the prefix is Pub/Sub's own
			return Command{}, fmt.Errorf("attribute %.80q belongs to no command: the message is not for keyturn", name)
		}
	}
	return valid(c)
}

var attributeNames = []string{"command", "secret", "key", "after", "killTokens", "why", "until", "leave", "by", "id", "dry_run"}

// decodeValues reads the attributes that are no plain text.
func (c *Command) decodeValues(attributes map[string]string) error {
	if after, ok := attributes["after"]; ok {
		n, err := strconv.Atoi(after)
		if err != nil {
			return fmt.Errorf("attribute after is %.80q: want the number of a rotation", after)
		}
		c.After = &n
	}
	if until, ok := attributes["until"]; ok {
		at, err := time.Parse(time.RFC3339Nano, until)
		if err != nil {
			return fmt.Errorf("attribute until is %.80q: want a time such as 2026-01-31T08:00:00Z", until)
		}
		c.Until = at
	}
	for name, flag := range map[string]*bool{"killTokens": &c.KillTokens, "leave": &c.Leave, "dry_run": &c.DryRun} {
		text, ok := attributes[name]
		if ok && text != "true" {
			return fmt.Errorf("attribute %s is %.80q: want true, or no such attribute", name, text)
		}
		*flag = ok
	}
	return nil
}

// valid is the command, or nothing of it and what is wrong.
func valid(c Command) (Command, error) {
	if err := c.Validate(); err != nil {
		return Command{}, err
	}
	c.Until = c.Until.UTC()
	return c, nil
}

// Attributes is the command in the form that DecodeCommand reads from attributes.
func (c Command) Attributes() map[string]string {
	a := map[string]string{"command": string(c.Verb)}
	for name, text := range map[string]string{"secret": c.Secret, "key": c.Key, "why": c.Why, "by": c.By, "id": c.ID} {
		if text != "" {
			a[name] = text
		}
	}
	if c.After != nil {
		a["after"] = strconv.Itoa(*c.After)
	}
	if !c.Until.IsZero() {
		a["until"] = c.Until.Format(time.RFC3339Nano)
	}
	for name, flag := range map[string]bool{"killTokens": c.KillTokens, "leave": c.Leave, "dry_run": c.DryRun} {
		if flag {
			a[name] = "true"
		}
	}
	return a
}

// Outgoing is the command as a message to the rotate function.
func (c Command) Outgoing() Outgoing {
	return Outgoing{Topic: TopicRotate, Attributes: c.Attributes()}
}
