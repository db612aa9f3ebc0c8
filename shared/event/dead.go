package event

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of Pub/Sub, with room for what a dead letter adds.
const (
	maxAttribute  = 1024 // bytes of an attribute's value
	maxAttributes = 94   // of 100
	maxData       = 9 << 20
)

// DeadLetter is a message that function ("rotate", "audit" or "alert") could not
// handle, on its way to the dead-letter topic: the data and attributes as they
// came, and attributes keyturn-function, -reason, -message-id and -topic.
// Attributes whose names Pub/Sub keeps to itself (goog…) come after "original-".
// It always fits into a message, or it would be redelivered for ever: data over
// 9 MiB is cut, and keyturn-size tells how long it was.
func DeadLetter(function string, m Message, reason error) Outgoing {
	out := Outgoing{Topic: TopicDead, Data: m.Data, Attributes: make(map[string]string, len(m.Attributes)+5)}
	for i, name := range slices.Sorted(maps.Keys(m.Attributes)) {
		if i == maxAttributes {
			break
		}
		out.Attributes[publishable(name)] = clip(m.Attributes[name], maxAttribute)
	}
	if len(m.Data) > maxData {
		out.Data = m.Data[:maxData]
		out.Attributes["keyturn-size"] = strconv.Itoa(len(m.Data))
	}
	out.Attributes["keyturn-function"] = function
	out.Attributes["keyturn-reason"] = clip(reason.Error(), maxAttribute)
	out.Attributes["keyturn-message-id"] = clip(m.ID, maxAttribute)
	out.Attributes["keyturn-topic"] = clip(m.Topic, maxAttribute)
	return out
}

func publishable(name string) string {
	if strings.HasPrefix(name, "goog") {
		name = "original-" + name
	}
	return clip(name, 256)
}

// clip makes s valid UTF-8 of at most n bytes.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	n -= len("…")
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
