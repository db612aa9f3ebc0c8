package rotate

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/event/eventtest"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// besieged is a function that trusts no message without a seal, as it is deployed, and
// whoever may publish to its topic.
type besieged struct {
	*env
	secret, account, key string // a credential, and its key in use
	seal                 []byte
}

func newBesieged(t *testing.T) besieged {
	t.Helper()
	b := besieged{env: newEnv(t), seal: []byte(strings.Repeat("s", 32))}
	b.secret, b.account = b.env.account("target", rotation.Upload)
	b.key = b.standing(b.secret).Current.ID
	seal := b.env.secret("keyturn-seal-commands", b.seal) + "/versions/latest"
	cloud, err := gcp.New(gcp.Config{Project: project, Endpoint: b.gcp.Addr(), SealCommands: seal, Wire: &gcp.Wire{Pause: dontWait}})
	must(t, err)
	t.Cleanup(func() { must(t, cloud.Close()) })
	b.f = New(Config{Cloud: cloud, Now: b.clock.Now, Pair: b.pair})
	b.published(event.TopicDead)
	return b
}

// sealed is a message as keyturn's own functions send it.
func (b besieged) sealed(topic string, attributes map[string]string, data string, expires time.Time) event.Message {
	out := event.Seal(event.Outgoing{Topic: topic, Attributes: attributes, Data: []byte(data)}, b.seal, expires)
	return event.Message{Attributes: out.Attributes, Data: out.Data}
}

// push hands the function a message as the framework does.
func (b besieged) push(m event.Message) error {
	m.ID, m.Topic, m.Subscription = "m1", "projects/"+project+"/topics/"+event.TopicRotate, "s"
	return b.f.HandleEvent(b.ctx, eventtest.Pushed(m))
}

// unharmed wants the credential to be as it was, and the message kept for people.
func (b besieged) unharmed(t *testing.T, dead int) {
	t.Helper()
	if s := b.standing(b.secret); s.Rotation != 0 || s.Current.ID != b.key || s.Incoming != nil || !slices.Equal(b.accountKeys(b.account), []string{b.key}) {
		t.Errorf("the credential was touched: %+v", s)
	}
	if got := b.published(event.TopicDead); len(got) != dead {
		t.Errorf("%d dead letters, want %d", len(got), dead)
	}
}

// TestAttacksByTopic tries what whoever may publish to keyturn-rotate can send.
func TestAttacksByTopic(t *testing.T) {
	b := newBesieged(t)
	soon := time.Now().Add(time.Minute)
	revoke := func() map[string]string {
		return map[string]string{"command": "revoke", "secret": b.secret, "key": b.key, "killTokens": "true"}
	}
	smuggled := b.sealed(event.TopicRotate, map[string]string{"command": "rotate", "secret": b.secret, "after": "0"}, "", soon)
	smuggled.Attributes["command"] = "revoke"
	added := b.sealed(event.TopicRotate, map[string]string{"command": "sweep"}, "", soon)
	added.Data = []byte(`{"command":"revoke","secret":"` + b.secret + `","key":"` + b.key + `"}`)
	google := b.sealed(event.TopicRotate, map[string]string{"command": "sweep"}, "", soon)
	google.Attributes["googclient_command"], google.Attributes["eventType"] = "revoke", "SECRET_ROTATE"
	for name, m := range map[string]event.Message{
		"no seal":                  {Attributes: revoke()},
		"no seal, as JSON":         {Data: []byte(`{"command":"revoke","secret":"` + b.secret + `","key":"` + b.key + `"}`)},
		"twice the command":        {Data: []byte(`{"command":"sweep","command":"revoke","secret":"` + b.secret + `","key":"` + b.key + `"}`)},
		"expired":                  b.sealed(event.TopicRotate, revoke(), "", time.Now().Add(-time.Second)),
		"sealed for another topic": b.sealed(event.TopicFindings, revoke(), "", soon),
		"an attribute changed":     smuggled,
		"data added to attributes": added,
		"a notice added":           google,
		"a path":                   {Attributes: map[string]string{"command": "continue", "secret": "projects/acme/secrets/../secrets/target"}},
		"a path, escaped":          {Attributes: map[string]string{"command": "continue", "secret": "projects/acme/secrets/%2e%2e%2ftarget"}},
		"letters that look alike":  {Attributes: map[string]string{"command": "continue", "secret": strings.Replace(b.secret, "a", "а", 1)}}, // Cyrillic
		"a line break":             {Attributes: map[string]string{"command": "continue", "secret": b.secret + "\nx"}},
		"a huge attribute":         {Attributes: map[string]string{"command": "continue", "secret": "projects/acme/secrets/" + strings.Repeat("a", 1<<20)}},
		"huge data":                {Data: []byte(`{"command":"` + strings.Repeat("a", 3<<20) + `"}`)},
		"compressed data":          {Data: []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"), Attributes: map[string]string{"Content-Encoding": "gzip"}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := b.push(m); err != nil {
				t.Errorf("it comes again for ever: %v", err)
			}
			b.unharmed(t, 1)
		})
	}
	many := event.Message{Attributes: map[string]string{"command": "continue", "secret": b.secret}}
	for i := range 1000 {
		many.Attributes["x"+strconv.Itoa(i)] = strings.Repeat("y", 1024)
	}
	must(t, b.push(many))
	b.unharmed(t, 1)
}

// TestAReplayedCommandRotatesOnce, however often a message that once was right comes.
func TestAReplayedCommandRotatesOnce(t *testing.T) {
	b := newBesieged(t)
	m := b.sealed(event.TopicRotate, map[string]string{"command": "rotate", "secret": b.secret, "after": "0"}, "", time.Now().Add(time.Minute))
	for range 4 {
		must(t, b.push(event.Message{Attributes: maps.Clone(m.Attributes)}))
		b.clock.Advance(lag)
	}
	if n := b.standing(b.secret).Rotation; n != 1 {
		t.Errorf("%d rotations by one command", n)
	}
}

// TestCommandsForAnotherProject end where the account of the function has no permission.
func TestCommandsForAnotherProject(t *testing.T) {
	e := newEnv(t)
	secret, account := e.account("theirs", rotation.Upload)
	other, err := e.iam.CreateServiceAccount(e.ctx, newAccount("elsewhere"))
	must(t, err)
	file := e.keyFileOf(other.GetName())
	cloud, err := gcp.New(gcp.Config{Project: "mine", Endpoint: e.gcp.Addr(), KeyFile: file, Wire: &gcp.Wire{Pause: dontWait}})
	must(t, err)
	t.Cleanup(func() { must(t, cloud.Close()) })
	f := New(Config{Cloud: cloud, Now: e.clock.Now, Pair: e.pair, TrustTopic: true}) // the worst: the command is believed
	e.clock.Advance(72 * time.Hour)
	for _, c := range []event.Command{{Verb: event.Continue, Secret: secret}, {Verb: event.Revoke, Secret: secret, Key: e.standing(secret).Current.ID}, {Verb: event.Release, Secret: secret, Why: "x"}} {
		if _, err := f.Do(e.ctx, c); !gcp.IsPermissionDenied(err) {
			t.Errorf("%s: %v", c.Verb, err)
		}
	}
	if s := e.standing(secret); s.Rotation != 0 || len(e.accountKeys(account)) != 1 {
		t.Errorf("the credential was touched: %+v", s)
	}
}

// TestProbesOfAForgedPolicy go nowhere inside: whoever may edit the annotations of a
// secret chooses its probe URL.
func TestProbesOfAForgedPolicy(t *testing.T) {
	e := newEnv(t)
	secret, _ := e.account("forged", rotation.Upload)
	e.edit(secret, "annotations", func(s *secretmanagerpb.Secret) {
		s.Annotations[rotation.AnnotationPolicy] = strings.Replace(s.Annotations[rotation.AnnotationPolicy], "{", `{"probeURL":"https://169.254.169.254/computeMetadata/v1/",`, 1)
	})
	cloud, err := gcp.New(gcp.Config{Project: project, Endpoint: e.gcp.Addr(), Wire: &gcp.Wire{Pause: dontWait}}) // whose calls nothing of the test stands between
	must(t, err)
	t.Cleanup(func() { must(t, cloud.Close()) })
	e.f = New(Config{TrustTopic: true, Cloud: cloud, Now: e.clock.Now, Pair: e.pair})
	e.do(event.Command{Verb: event.Rotate, Secret: secret})
	e.clock.Advance(lag)
	_, err = e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
	if err == nil || !strings.Contains(err.Error(), "metadata addresses are not connected to") {
		t.Errorf("error %v", err)
	}
}
