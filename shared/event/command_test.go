package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

const aSecret = "projects/p/secrets/s"

func number(n int) *int { return &n }

// commands are one of each form.
func commands() map[string]Command {
	return map[string]Command{
		"sweep":          {Verb: Sweep},
		"continue":       {Verb: Continue, Secret: aSecret},
		"rotate":         {Verb: Rotate, Secret: aSecret, After: number(3)},
		"first rotate":   {Verb: Rotate, Secret: "projects/123/secrets/S_1-a", After: number(0)},
		"revoke":         {Verb: Revoke, Secret: aSecret, Key: strings.Repeat("0af", 13) + "b"},
		"inspect":        {Verb: Inspect},
		"inspect one":    {Verb: Inspect, Secret: aSecret},
		"rollback":       {Verb: Rollback, Secret: aSecret, After: number(7)},
		"kill tokens":    {Verb: Revoke, Secret: aSecret, Key: strings.Repeat("a", 40), KillTokens: true},
		"revoke API key": {Verb: Revoke, Secret: aSecret, Key: "projects/p/locations/global/keys/keyturn-0123"},
		"status":         {Verb: Status, Secret: "projects/example.com:p/locations/europe-west1/secrets/s"},
		"plan":           {Verb: Plan},
		"plan one":       {Verb: Plan, Secret: aSecret, By: "ada"},
		"pause":          {Verb: Pause, Secret: aSecret, Why: "Übergabe: \"freeze\"", By: "ada@example.com", Until: time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)},
		"pause for good": {Verb: Pause, Secret: aSecret, Why: "freeze", ID: " the 1st~"},
		"resume":         {Verb: Resume, Secret: aSecret, ID: strings.Repeat("i", 128)},
		"release":        {Verb: Release, Secret: aSecret, Leave: true, Why: strings.Repeat("w", 256)},
		"dry sweep":      {Verb: Sweep, DryRun: true, By: strings.Repeat("b", 128)},
		"dry revoke":     {Verb: Revoke, Secret: aSecret, Key: "k", KillTokens: true, DryRun: true, ID: "1", Why: "leaked"},
	}
}

func TestCommandsRoundTrip(t *testing.T) {
	for name, c := range commands() {
		t.Run(name, func(t *testing.T) {
			out := c.Outgoing()
			if out.Topic != TopicRotate || len(out.Data) > 0 {
				t.Errorf("goes out as %+v", out)
			}
			wantCommand(t, c, Message{Attributes: out.Attributes})
			data, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			wantCommand(t, c, Message{Data: data})
			got, err := DecodeCommandJSON(bytes.NewReader(data))
			if err != nil || !reflect.DeepEqual(got, c) {
				t.Errorf("decoded %+v, %v, want %+v", got, err, c)
			}
		})
	}
}

func wantCommand(t *testing.T, want Command, m Message) {
	t.Helper()
	got, err := DecodeCommand(m)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s %v is decoded to %+v, %v, want %+v", m.Data, m.Attributes, got, err, want)
	}
}

func TestDecodeCommandOfOthers(t *testing.T) {
	withPubSubs := Command{Verb: Sweep}.Attributes()
	maps.Copy(withPubSubs, map[string]string{"googclient_schemaencoding": "JSON"})
	wantCommand(t, Command{Verb: Sweep}, Message{Attributes: withPubSubs})
	rotate := map[string]string{"eventType": "SECRET_ROTATE", "secretId": "projects/123/secrets/s", "dataFormat": "JSON_API_V1", "timestamp": "t"}
	wantCommand(t, Command{Verb: Continue, Secret: "projects/123/secrets/s"}, Message{Attributes: rotate, Data: []byte(`{"name":"projects/123/secrets/s"}`)})
	for _, kind := range []string{"TOPIC_CONFIGURED", "SECRET_UPDATE", "SECRET_VERSION_ADD", "SECRET_VERSION_DESTROY_SCHEDULED", "secret_rotate", ""} {
		c, err := DecodeCommand(Message{Attributes: map[string]string{"eventType": kind}, Data: []byte(`{"command":"sweep"}`)})
		if !errors.Is(err, ErrIgnored) || c != (Command{}) {
			t.Errorf("event %q: %+v, %v, want %v", kind, c, err, ErrIgnored)
		}
	}
}

func TestDecodeCommandRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		m    Message
		want string
	}{
		"nothing":            {Message{}, `command "" is none of sweep, inspect, continue, rotate, rollback, revoke, pause, resume, release, status, plan`},
		"unknown verb":       {Message{Attributes: map[string]string{"command": "delete"}}, `command "delete" is none`},
		"verb in capitals":   {Message{Data: []byte(`{"command":"Sweep"}`)}, `command "Sweep" is none`},
		"unknown attribute":  {Message{Attributes: map[string]string{"command": "sweep", "colour": "red"}}, `attribute "colour" belongs to no command`},
		"after in words":     {Message{Attributes: map[string]string{"command": "rotate", "secret": aSecret, "after": "three"}}, `attribute after is "three"`},
		"huge after":         {Message{Attributes: map[string]string{"after": strings.Repeat("9", 5000)}}, "attribute after is"},
		"rotate any time":    {Message{Attributes: Command{Verb: Rotate, Secret: aSecret}.Attributes()}, "needs after"},
		"rollback any time":  {Message{Attributes: Command{Verb: Rollback, Secret: aSecret}.Attributes()}, "needs after"},
		"until some day":     {Message{Attributes: map[string]string{"command": "pause", "secret": aSecret, "why": "w", "until": "tomorrow"}}, `attribute until is "tomorrow"`},
		"dry, perhaps":       {Message{Attributes: map[string]string{"command": "sweep", "dry_run": "false"}}, `attribute dry_run is "false"`},
		"leave, perhaps":     {Message{Attributes: map[string]string{"command": "release", "secret": aSecret, "leave": ""}}, `attribute leave is ""`},
		"dry run misspelt":   {Message{Data: []byte(`{"command":"sweep","dryRun":true}`)}, `"dryRun"`},
		"until in words":     {Message{Data: []byte(`{"command":"pause","until":"tomorrow"}`)}, "JSON object"},
		"kill, perhaps":      {Message{Attributes: map[string]string{"command": "revoke", "secret": aSecret, "key": "k", "killTokens": "no"}}, `attribute killTokens is "no"`},
		"the same in JSON":   {Message{Data: []byte(`{"command":"rotate","secret":"` + aSecret + `"}`)}, "needs after"},
		"rotate of nothing":  {Message{Attributes: map[string]string{"eventType": "SECRET_ROTATE"}}, "continue needs a secret's full name"},
		"text":               {Message{Data: []byte("sweep")}, `send for example {"command":"sweep"}`},
		"array":              {Message{Data: []byte(`[]`)}, "JSON object"},
		"half":               {Message{Data: []byte(`{"command":`)}, "JSON object"},
		"unknown field":      {Message{Data: []byte(`{"command":"sweep","secrets":[]}`)}, `"secrets"`},
		"two commands":       {Message{Data: []byte(`{"command":"sweep"}{"command":"sweep"}`)}, "and nothing after it"},
		"trailing text":      {Message{Data: []byte(`{"command":"sweep"} now`)}, "and nothing after it"},
		"fraction of a turn": {Message{Data: []byte(`{"command":"rotate","secret":"` + aSecret + `","after":1.5}`)}, "JSON object"},
		"null":               {Message{Data: []byte(`null`)}, `command "" is none`},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := DecodeCommand(tt.m)
			if err == nil || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 400 {
				t.Errorf("error %v, want a short one that says %q", err, tt.want)
			}
			if c != (Command{}) {
				t.Errorf("an error and command %+v", c)
			}
		})
	}
}

// TestPeopleRotateAnyTime sends by HTTP, which nothing delivers twice.
func TestPeopleRotateAnyTime(t *testing.T) {
	c, err := DecodeCommandJSON(strings.NewReader(`{"command":"rotate","secret":"` + aSecret + `"}`))
	if err != nil || c != (Command{Verb: Rotate, Secret: aSecret}) {
		t.Errorf("decoded %+v, %v", c, err)
	}
}

func TestValidate(t *testing.T) {
	for name, c := range commands() {
		if err := c.Validate(); err != nil {
			t.Errorf("%s: error %v", name, err)
		}
	}
	long := strings.Repeat("k", 5000)
	for name, tt := range map[string]struct {
		c    Command
		want string
	}{
		"no verb":            {Command{}, "none of"},
		"long verb":          {Command{Verb: Verb(long)}, "none of"},
		"sweep of a secret":  {Command{Verb: Sweep, Secret: aSecret}, "sweep takes no secret; it looks at all of them"},
		"sweep of a key":     {Command{Verb: Sweep, Key: "k"}, "sweep takes no key"},
		"sweep after":        {Command{Verb: Sweep, After: number(1)}, "sweep takes no after"},
		"inspect of a key":   {Command{Verb: Inspect, Key: "k"}, "inspect takes no key; it takes secret"},
		"status that kills":  {Command{Verb: Status, Secret: aSecret, KillTokens: true}, "takes no killTokens"},
		"no secret":          {Command{Verb: Status}, "projects/PROJECT/secrets/SECRET"},
		"short name":         {Command{Verb: Status, Secret: "s"}, `secret "s" is not`},
		"version":            {Command{Verb: Status, Secret: aSecret + "/versions/1"}, "is not a secret's full name"},
		"two lines":          {Command{Verb: Status, Secret: aSecret + "\n"}, "is not a secret's full name"},
		"project with slash": {Command{Verb: Status, Secret: "projects/p/q/secrets/s"}, "is not a secret's full name"},
		"long secret":        {Command{Verb: Status, Secret: aSecret + long}, "is not a secret's full name"},
		"revoke nothing":     {Command{Verb: Revoke, Secret: aSecret}, "needs the key's id"},
		"revoke text":        {Command{Verb: Revoke, Secret: aSecret, Key: "the old one"}, `key "the old one" is not the id`},
		"revoke much":        {Command{Verb: Revoke, Secret: aSecret, Key: long}, "is not the id of a key"},
		"revoke after":       {Command{Verb: Revoke, Secret: aSecret, Key: "k", After: number(1)}, "revoke takes no after"},
		"key of a status":    {Command{Verb: Status, Secret: aSecret, Key: "k"}, "status takes no key"},
		"rotate text":        {Command{Verb: Rotate, Secret: aSecret, Key: "the old one"}, `key "the old one" is not the id`},
		"tokens of a rotate": {Command{Verb: Rotate, Secret: aSecret, Key: "k", KillTokens: true}, "takes no killTokens"},
		"continue after":     {Command{Verb: Continue, Secret: aSecret, After: number(1)}, "continue takes no after"},
		"before the first":   {Command{Verb: Rotate, Secret: aSecret, After: number(-1)}, "after is -1"},
		"pause for nothing":  {Command{Verb: Pause, Secret: aSecret}, "pause needs why"},
		"plan of a key":      {Command{Verb: Plan, Key: "k"}, "plan takes no key"},
		"sweep once":         {Command{Verb: Sweep, ID: "1"}, "sweep takes no id"},
		"status once":        {Command{Verb: Status, Secret: aSecret, ID: "1"}, "status takes no id"},
		"rotate until":       {Command{Verb: Rotate, Secret: aSecret, Until: time.Unix(1, 0)}, "rotate takes no until"},
		"revoke and leave":   {Command{Verb: Revoke, Secret: aSecret, Key: "k", Leave: true}, "revoke takes no leave"},
		"id of two lines":    {Command{Verb: Rotate, Secret: aSecret, ID: "1\n"}, "id is longer"},
		"id of letters":      {Command{Verb: Rotate, Secret: aSecret, ID: "ü"}, "id is longer"},
		"long id":            {Command{Verb: Rotate, Secret: aSecret, ID: long}, "id is longer"},
		"long why":           {Command{Verb: Rotate, Secret: aSecret, Why: long}, "why is longer"},
		"why with colours":   {Command{Verb: Rotate, Secret: aSecret, Why: "\x1b[31m"}, "why is longer"},
		"long by":            {Command{Verb: Sweep, By: long}, "by is longer"},
		"by of no text":      {Command{Verb: Sweep, By: "\xff"}, "by is longer"},
		"for ever and a day": {Command{Verb: Pause, Secret: aSecret, Why: "w", Until: time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -7200))}, "until is after"},
	} {
		t.Run(name, func(t *testing.T) {
			err := tt.c.Validate()
			if err == nil || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 300 {
				t.Errorf("error %v, want a short one that says %q", err, tt.want)
			}
		})
	}
}

// FuzzDecodeCommand holds that what is decoded, in whichever form it came, is
// the same after each of the forms in which it can be sent on.
func FuzzDecodeCommand(f *testing.F) {
	for _, c := range commands() {
		data, err := json.Marshal(c)
		if err != nil {
			f.Fatal(err)
		}
		a := c.Attributes()
		f.Add("", string(c.Verb), c.Secret, c.Key, a["after"], a["why"], a["until"], a["by"], a["id"], a["dry_run"], []byte(nil))
		f.Add("", "", "", "", "", "", "", "", "", "", data)
	}
	f.Add("SECRET_ROTATE", "", aSecret, "", "", "", "", "", "", "", []byte(nil))
	f.Add("TOPIC_CONFIGURED", "", "", "", "", "", "", "", "", "", []byte(nil))
	f.Add("", "rotate", aSecret, "", "-0", "", "", "", "", "", []byte(`{"command":"sweep","Command":"rotate","after":null}`))
	f.Add("", "pause", aSecret, "", "", "w", "9999-12-31T23:59:59-12:00", "\u2028", "\x7f", "true", []byte(nil))
	f.Fuzz(func(t *testing.T, kind, verb, secret, key, after, why, until, by, id, dry string, data []byte) {
		a := map[string]string{
			"eventType": kind, "secretId": secret, "command": verb, "secret": secret, "key": key, "after": after,
			"why": why, "until": until, "by": by, "id": id, "dry_run": dry,
		}
		for name, value := range a {
			if value == "" || (kind == "") == (name == "eventType" || name == "secretId") {
				delete(a, name)
			}
		}
		c, err := DecodeCommand(Message{Data: data, Attributes: a})
		if err != nil {
			if c != (Command{}) {
				t.Errorf("an error and command %+v", c)
			}
			return
		}
		sendOn(t, c)
	})
}

func FuzzDecodeCommandJSON(f *testing.F) {
	for _, c := range commands() {
		data, err := json.Marshal(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, data := range []string{"", "null", "[]", `{"command":"sweep"}x`, `{"command":"sweep","after":1e99}`, `{"command":"pause","secret":"` + aSecret + `","why":"w","until":"2030-01-01T00:00:00.5+01:00"}`, `{"command":"revoke","secret":"` + aSecret + `","key":"\ud800"}`} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := DecodeCommandJSON(bytes.NewReader(data))
		switch {
		case err != nil && c != (Command{}):
			t.Errorf("an error and command %+v", c)
		case err == nil && (!slices.Contains(guarded, c.Verb) || c.After != nil): // a message must say after which
			sendOn(t, c)
		}
	})
}

// sendOn encodes a command in each form.
func sendOn(t *testing.T, c Command) {
	t.Helper()
	wantCommand(t, c, Message{Attributes: c.Attributes()})
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	wantCommand(t, c, Message{Data: data})
}

func TestDigestsTellCommandsApart(t *testing.T) {
	seen := map[string]Command{}
	for name, c := range commands() {
		d := c.Digest()
		if other, ok := seen[d]; len(d) != 12 || ok && (other.Verb != c.Verb || other.Until != c.Until || other.KillTokens != c.KillTokens || other.Leave != c.Leave) {
			t.Errorf("%s has the digest %q of %+v", name, d, other)
		}
		seen[d] = c
		same := c
		same.By, same.ID, same.DryRun, same.Key = "somebody", "else", !c.DryRun, "k"
		if same.Digest() != d {
			t.Errorf("%s: who asks, and of which key, changes its digest", name)
		}
	}
}
