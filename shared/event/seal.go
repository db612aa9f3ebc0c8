package event

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The attributes of a sealed message.
const (
	attributeExpires = "keyturn-expires" // Unix time, in seconds
	attributeSeal    = "keyturn-seal"    // "v1=" and HMAC-SHA256 in hexadecimal
)

// ErrUnsealed means that a message is not known to come from keyturn, or comes too late.
var ErrUnsealed = errors.New("the message has no seal of keyturn's that holds")

// Seal signs a message, so that those who have the key can tell that it comes from
// another one who has, that nobody has changed it, that it was meant for its topic,
// and that it is not too old to be acted upon.
func Seal(out Outgoing, key []byte, expires time.Time) Outgoing {
	out.Attributes = maps.Clone(out.Attributes)
	if out.Attributes == nil {
		out.Attributes = make(map[string]string, 2)
	}
	out.Attributes[attributeExpires] = strconv.FormatInt(expires.Unix(), 10)
	out.Attributes[attributeSeal] = "v1=" + hex.EncodeToString(sealOf(out.Topic, out.Attributes, out.Data, key))
	return out
}

// CheckSeal returns an error that is ErrUnsealed unless a message, which came by the
// topic of that short id, is sealed by key and not expired.
func CheckSeal(m Message, topic string, key []byte, now time.Time) error {
	given, err := hex.DecodeString(strings.TrimPrefix(m.Attributes[attributeSeal], "v1="))
	if err != nil || !hmac.Equal(given, sealOf(topic, m.Attributes, m.Data, key)) {
		return fmt.Errorf("%w: let nobody but keyturn publish to %s", ErrUnsealed, topic)
	}
	expires, err := strconv.ParseInt(m.Attributes[attributeExpires], 10, 64)
	if err != nil || !now.Before(time.Unix(expires, 0)) {
		return fmt.Errorf("%w: it expired before it came", ErrUnsealed)
	}
	return nil
}

// Unseal returns a message without the attributes of a seal.
func (m Message) Unseal() Message {
	m.Attributes = maps.Clone(m.Attributes)
	delete(m.Attributes, attributeSeal)
	delete(m.Attributes, attributeExpires)
	return m
}

// sealOf signs all that a publisher says; each part goes with its length, so that
// nothing can be moved from one to another. What Pub/Sub adds begins with "goog".
func sealOf(topic string, attributes map[string]string, data, key []byte) []byte {
	mac := hmac.New(sha256.New, key)
	part := func(s string) {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s))))
		mac.Write([]byte(s))
	}
	part(topic)
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if name != attributeSeal && !strings.HasPrefix(name, "goog") {
			part(name)
			part(attributes[name])
		}
	}
	part("")
	part(string(data))
	return mac.Sum(nil)
}
