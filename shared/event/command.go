package event

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
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
	Status   Verb = "status"   // tell how one credential stands; changes nothing
)

// Command is what a person or a machine asks of the rotate function, through
// either of its doors.
type Command struct {
	Verb   Verb   `json:"command"`
	Secret string `json:"secret,omitempty"` // projects/P/secrets/S; Sweep takes none, Inspect may have one, every other verb needs it
	After  *int   `json:"after,omitempty"`  // Rotate, Rollback: only if this is the latest rotation's number, so that a duplicate does nothing; nil is whatever it is
	Key    string `json:"key,omitempty"`    // the id of a key: 40 hex digits, or an API key's full name or its last part. Revoke needs it; Rotate begins nothing unless this key is in use
	// KillTokens, of Revoke, also disables the service account for the life of
	// the tokens that the key has minted.
	KillTokens bool `json:"killTokens,omitempty"`
}

// guarded are the verbs that must not be carried out twice.
var guarded = []Verb{Rotate, Rollback}

// Drastic reports whether a command is one that only keyturn itself and people may
// give: it does what is not due by itself.
func (c Command) Drastic() bool { return slices.Contains([]Verb{Rotate, Rollback, Revoke}, c.Verb) }

// ErrIgnored means that a message is well formed and not for keyturn to act on,
// such as Secret Manager's echo of keyturn's own writes.
var ErrIgnored = errors.New("nothing to do for this message")

var keyID = regexp.MustCompile(`^[A-Za-z0-9:./_-]{1,256}$`)

var secretName = regexp.MustCompile(`^projects/[a-z0-9][a-z0-9:.-]{0,61}(/locations/[a-z0-9-]{1,40})?/secrets/[A-Za-z0-9_-]{1,255}$`)

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
	c := Command{Verb: Verb(attributes["command"]), Secret: attributes["secret"], Key: attributes["key"]}
	if after, ok := attributes["after"]; ok {
		n, err := strconv.Atoi(after)
		if err != nil {
			return Command{}, fmt.Errorf("attribute after is %.80q: want the number of a rotation", after)
		}
		c.After = &n
	}
	if kill, ok := attributes["killTokens"]; ok {
		if kill != "true" {
			return Command{}, fmt.Errorf("attribute killTokens is %.80q: want true, or no such attribute", kill)
		}
		c.KillTokens = true
	}
	for name := range attributes {
		known := slices.Contains([]string{"command", "secret", "key", "after", "killTokens"}, name)
		if !known && !strings.HasPrefix(name, "googclient_") { // the prefix is Pub/Sub's own
			return Command{}, fmt.Errorf("attribute %.80q belongs to no command: the message is not for keyturn", name)
		}
	}
	return valid(c)
}

// valid is the command, or nothing of it and what is wrong.
func valid(c Command) (Command, error) {
	if err := c.Validate(); err != nil {
		return Command{}, err
	}
	return c, nil
}

// Attributes is the command in the form that DecodeCommand reads from attributes.
func (c Command) Attributes() map[string]string {
	a := map[string]string{"command": string(c.Verb)}
	if c.Secret != "" {
		a["secret"] = c.Secret
	}
	if c.Key != "" {
		a["key"] = c.Key
	}
	if c.After != nil {
		a["after"] = strconv.Itoa(*c.After)
	}
	if c.KillTokens {
		a["killTokens"] = "true"
	}
	return a
}

// Validate reports what is missing or does not belong together.
func (c Command) Validate() error {
	bare := c == Command{Verb: c.Verb}
	switch {
	case !slices.Contains([]Verb{Sweep, Inspect, Continue, Rotate, Rollback, Revoke, Status}, c.Verb):
		return fmt.Errorf("command %.40q is none of sweep, inspect, continue, rotate, rollback, revoke, status", c.Verb)
	case c.Verb == Sweep && !bare:
		return errors.New("command sweep takes no secret, key or after: it looks at all of them")
	case bare && (c.Verb == Sweep || c.Verb == Inspect):
		return nil
	case !secretName.MatchString(c.Secret):
		return fmt.Errorf("secret %.80q is not a secret's full name: give projects/PROJECT/secrets/SECRET", c.Secret)
	case c.Verb == Revoke && c.Key == "":
		return errors.New("command revoke needs the key's id: 'keyturn status' shows it")
	case c.Key != "" && !keyID.MatchString(c.Key):
		return fmt.Errorf("key %.80q is not the id of a key: 'keyturn status' shows it", c.Key)
	case c.Verb != Revoke && c.KillTokens, c.Verb != Revoke && c.Verb != Rotate && c.Key != "":
		return fmt.Errorf("command %s takes no key and kills no tokens", c.Verb)
	case !slices.Contains(guarded, c.Verb) && c.After != nil:
		return fmt.Errorf("command %s takes no after", c.Verb)
	case c.After != nil && *c.After < 0:
		return fmt.Errorf("after is %d: want the number of a rotation", *c.After)
	}
	return nil
}

// Outgoing is the command as a message to the rotate function.
func (c Command) Outgoing() Outgoing {
	return Outgoing{Topic: TopicRotate, Attributes: c.Attributes()}
}
