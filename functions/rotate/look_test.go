package rotate

import (
	"bytes"
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
)

func (e *env) standing(secret string) *Standing {
	e.Helper()
	return e.do(event.Command{Verb: event.Status, Secret: secret}).Journal
}

func (e *env) target(secret string) string {
	e.Helper()
	return e.standing(secret).Target
}

// payload is what a version hands out.
func (e *env) payload(secret, version string) []byte {
	e.Helper()
	payload, err := e.cloud.AccessVersion(e.ctx, secret, version)
	must(e.T, err)
	return payload
}

// works checks that what a version hands out authenticates.
func (e *env) works(secret, version string) {
	e.Helper()
	payload, err := e.cloud.AccessVersion(e.ctx, secret, version)
	if err == nil && strings.HasPrefix(string(payload), "{") {
		err = e.cloud.ProbeAccountKey(e.ctx, e.target(secret), payload)
	} else if err == nil {
		err = e.cloud.ProbeAPIKey(e.ctx, string(payload))
	}
	if err != nil {
		e.Errorf("%s of %s does not authenticate: %v", version, path.Base(secret), err)
	}
}

// bothWork checks what the two kinds of readers get.
func (e *env) bothWork(secret string) {
	e.Helper()
	e.works(secret, "latest")
	if !bytes.Equal(e.payload(secret, "latest"), e.payload(secret, "current")) {
		e.works(secret, "current")
	}
}

// fails checks that a key has stopped working.
func (e *env) fails(secret, id string) {
	e.Helper()
	if strings.Contains(id, "/") {
		// Only a known key is blocked: ask as a caller would.
		if code := e.call("X-Goog-Api-Key", e.keyString(id), "curl", ""); code != http.StatusForbidden {
			e.Errorf("the disabled API key is answered HTTP %d", code)
		}
		return
	}
	keys, err := e.cloud.AccountKeys(e.ctx, e.target(secret))
	must(e.T, err)
	for _, k := range keys {
		if k.ID == id && !k.Disabled {
			e.Errorf("key %s is not disabled", id)
		}
	}
}

func (e *env) keyString(name string) string {
	e.Helper()
	s, err := e.keys.GetKeyString(e.ctx, &apikeyspb.GetKeyStringRequest{Name: name})
	must(e.T, err)
	return s.GetKeyString()
}

// accountKeys are the ids of an account's user-managed keys.
func (e *env) accountKeys(account string) []string {
	e.Helper()
	keys, err := e.cloud.AccountKeys(e.ctx, account)
	must(e.T, err)
	var ids []string
	for _, k := range keys {
		ids = append(ids, k.ID)
	}
	slices.Sort(ids)
	return ids
}

// aliases are those of a secret.
func (e *env) aliases(secret string) map[string]string {
	e.Helper()
	s, err := e.cloud.Secret(e.ctx, secret)
	must(e.T, err)
	return s.Aliases
}

// enabled are the numbers of the versions that can be read, newest first.
func (e *env) enabled(secret string) []string {
	e.Helper()
	numbers, err := e.cloud.EnabledVersions(e.ctx, secret)
	must(e.T, err)
	return numbers
}

// noneStaged checks that no staged private half is left of a credential.
func (e *env) noneStaged(secret string) {
	e.Helper()
	versions, err := e.cloud.Versions(e.ctx, secret+rotation.StagingSuffix)
	must(e.T, err)
	for _, v := range versions {
		if !v.Destroyed {
			e.Errorf("staged version %s was left behind", v.Number)
		}
	}
}

// published takes what was published to a topic.
func (e *env) published(topic string) []*pubsubpb.PubsubMessage {
	e.Helper()
	var got []*pubsubpb.PubsubMessage
	for {
		//lint:ignore SA1019 a test that finds nothing must not wait for it
		r, err := e.pull.Pull(e.ctx, &pubsubpb.PullRequest{Subscription: subscription(topic), MaxMessages: 100, ReturnImmediately: true})
		must(e.T, err)
		if len(r.GetReceivedMessages()) == 0 {
			return got
		}
		for _, m := range r.GetReceivedMessages() {
			got = append(got, m.GetMessage())
			must(e.T, e.pull.Acknowledge(e.ctx, &pubsubpb.AcknowledgeRequest{Subscription: subscription(topic), AckIds: []string{m.GetAckId()}}))
		}
	}
}

// events takes what was told since the last time.
func (e *env) events() []event.Rotation {
	e.Helper()
	var all []event.Rotation
	for _, m := range e.published(event.TopicFindings) {
		r, err := event.DecodeRotation(event.Message{Data: m.GetData()})
		must(e.T, err)
		all = append(all, r)
	}
	return all
}

func (e *env) milestones() string {
	e.Helper()
	var got []string
	for _, r := range e.events() {
		got = append(got, string(r.Milestone))
	}
	return strings.Join(got, " ")
}

// told takes what was told, which must be one event of that milestone.
func (e *env) told(m event.Milestone) event.Rotation {
	e.Helper()
	all := e.events()
	if len(all) != 1 || all[0].Milestone != m {
		e.Fatalf("told %+v, want one event: %s", all, m)
	}
	return all[0]
}

// commands takes the commands that were sent to the function itself.
func (e *env) commands() []event.Command {
	e.Helper()
	var all []event.Command
	for _, m := range e.published(event.TopicRotate) {
		c, err := event.DecodeCommand(event.Message{Attributes: m.GetAttributes(), Data: m.GetData()})
		if !errors.Is(err, event.ErrIgnored) {
			must(e.T, err)
			all = append(all, c)
		}
	}
	return all
}

func steps(r Report) string {
	var got []string
	for _, s := range r.Steps {
		result := ""
		if s.Result != "done" {
			result = "(" + s.Result + ")"
		}
		got = append(got, string(s.Step)+result)
	}
	return strings.Join(got, " ")
}

func wantSteps(t *testing.T, r Report, want string) {
	t.Helper()
	if got := steps(r); got != want {
		t.Errorf("steps %q, want %q", got, want)
	}
}

// says checks that an error is there and says all that is wanted.
func says(t *testing.T, err error, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}
