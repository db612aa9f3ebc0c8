package event

import (
	"encoding/hex"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"
)

func sealed(key string, expires time.Time) Message {
	out := Seal(Outgoing{Topic: TopicRotate, Data: []byte("data"), Attributes: map[string]string{"command": "revoke", "key": "k"}}, []byte(key), expires)
	return Message{Data: out.Data, Attributes: out.Attributes}
}

func TestSeal(t *testing.T) {
	now := time.Unix(1_900_000_000, 0)
	for name, c := range map[string]struct {
		change func(*Message)
		key    string
		topic  string
		after  time.Duration
		want   string // empty when it holds
	}{
		"as it was sent":             {},
		"with what Pub/Sub adds":     {change: func(m *Message) { m.Attributes["googclient_x"] = "y" }},
		"another key":                {key: "another", want: "let nobody but keyturn publish"},
		"another topic":              {topic: TopicFindings, want: "let nobody but keyturn publish"},
		"other data":                 {change: func(m *Message) { m.Data = []byte("date") }, want: "let nobody"},
		"another value":              {change: func(m *Message) { m.Attributes["key"] = "l" }, want: "let nobody"},
		"another attribute":          {change: func(m *Message) { m.Attributes["killTokens"] = "true" }, want: "let nobody"},
		"parts moved":                {change: func(m *Message) { delete(m.Attributes, "key"); m.Attributes["keyk"] = "" }, want: "let nobody"},
		"data moved into attributes": {change: func(m *Message) { m.Data = nil; m.Attributes["z"] = "data" }, want: "let nobody"},
		"a longer life":              {change: func(m *Message) { m.Attributes[attributeExpires] = "1999999999" }, want: "let nobody"},
		"no seal":                    {change: func(m *Message) { delete(m.Attributes, attributeSeal) }, want: "let nobody"},
		"no hexadecimal":             {change: func(m *Message) { m.Attributes[attributeSeal] = "v1=zz" }, want: "let nobody"},
		"nothing at all":             {change: func(m *Message) { *m = Message{} }, want: "let nobody"},
		"too late":                   {after: time.Minute, want: "expired"},
	} {
		m := sealed("key", now.Add(time.Minute))
		if c.change != nil {
			c.change(&m)
		}
		key, topic := "key", TopicRotate
		if c.key != "" {
			key = c.key
		}
		if c.topic != "" {
			topic = c.topic
		}
		err := CheckSeal(m, topic, []byte(key), now.Add(c.after))
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, ErrUnsealed) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestASealWithoutALifeIsNone(t *testing.T) {
	m := Message{Attributes: map[string]string{}}
	out := Outgoing{Topic: TopicRotate, Attributes: map[string]string{}}
	m.Attributes[attributeSeal] = "v1=" + hex.EncodeToString(sealOf(out.Topic, out.Attributes, nil, []byte("key")))
	if err := CheckSeal(m, TopicRotate, []byte("key"), time.Unix(0, 0)); !errors.Is(err, ErrUnsealed) {
		t.Errorf("error %v", err)
	}
}

func TestUnseal(t *testing.T) {
	m := sealed("key", time.Now())
	if got := m.Unseal().Attributes; !maps.Equal(got, map[string]string{"command": "revoke", "key": "k"}) || len(m.Attributes) != 4 {
		t.Errorf("without its seal: %v", got)
	}
	if out := Seal(Outgoing{}, nil, time.Time{}); len(out.Attributes) != 2 {
		t.Errorf("attributes %v", out.Attributes)
	}
}
