package gcp

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"example.com/keyturn/shared/event"
	"google.golang.org/genproto/googleapis/cloud/audit"
	logtype "google.golang.org/genproto/googleapis/logging/type"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func TestPublish(t *testing.T) {
	w := newWorld(t, 0)
	w.topic("keyturn-findings")
	pull, err := pubsub.NewSubscriptionAdminClient(t.Context(), w.options()...)
	must(t, err)
	t.Cleanup(func() { must(t, pull.Close()) })
	const subscription = "projects/acme/subscriptions/all"
	_, err = pull.CreateSubscription(t.Context(), &pubsubpb.Subscription{Name: subscription, Topic: "projects/acme/topics/keyturn-findings"})
	must(t, err)
	must(t, w.Publish(t.Context(), event.Outgoing{Topic: "keyturn-findings", Data: []byte("data"), Attributes: map[string]string{"a": "b"}}))
	r, err := pull.Pull(t.Context(), &pubsubpb.PullRequest{Subscription: subscription, MaxMessages: 10})
	must(t, err)
	if len(r.GetReceivedMessages()) != 1 {
		t.Fatalf("pulled %v", r)
	}
	if m := r.GetReceivedMessages()[0].GetMessage(); string(m.GetData()) != "data" || m.GetAttributes()["a"] != "b" || len(m.GetAttributes()) != 1 {
		t.Errorf("pulled %v", m)
	}
	err = w.Publish(t.Context(), event.Outgoing{Topic: "nosuch", Data: []byte(canary)})
	says(t, err, "publishing to topic nosuch")
	if !IsNotFound(err) || strings.Contains(err.Error(), canary) {
		t.Errorf("error %v, want NOT_FOUND and nothing of the message", err)
	}
}

// entry writes an audit entry of an error that Cloud Logging receives now.
func (w *world) entry(log, id string, happened time.Time, payload *audit.AuditLog) {
	w.Helper()
	w.graded(log, id, logtype.LogSeverity_ERROR, happened, payload)
}

func (w *world) graded(log, id string, severity logtype.LogSeverity, happened time.Time, payload *audit.AuditLog) {
	w.Helper()
	packed, err := anypb.New(payload)
	must(w.T, err)
	w.gcp.Logging.WriteEntry(&loggingpb.LogEntry{
		LogName: "projects/acme/logs/" + log, InsertId: id, Timestamp: timestamppb.New(happened), Severity: severity,
		Payload: &loggingpb.LogEntry_ProtoPayload{ProtoPayload: packed},
	})
}

const (
	activity   = "cloudaudit.googleapis.com%2Factivity"
	dataAccess = "cloudaudit.googleapis.com%2Fdata_access"
)

// entries are the ids of the entries in a window, as Entries yields them.
func (w *world) entries(since, until time.Time) []string {
	w.Helper()
	var ids []string
	must(w.T, w.Entries(w.Context(), since, until, func(line []byte) error {
		var e struct {
			ID      string `json:"insertId"`
			Payload struct {
				Method string `json:"methodName"`
			} `json:"protoPayload"`
		}
		if err := json.Unmarshal(line, &e); err != nil || e.Payload.Method == "" {
			w.Errorf("line %s, %v", line, err)
		}
		ids = append(ids, e.ID)
		return nil
	}))
	return ids
}

func TestEntries(t *testing.T) {
	w := newWorld(t, 0)
	start := w.clock.Now()
	call := &audit.AuditLog{MethodName: "m"}
	w.entry(activity, "before", start, call)
	w.clock.Advance(time.Minute)
	since := w.clock.Now()
	w.entry(activity, "late", start.Add(-time.Hour), call) // received in the window, happened before it
	w.entry(dataAccess, "denied", since.Add(2), call)
	w.entry("cloudaudit.googleapis.com%2Fpolicy", "first", since.Add(1), call)
	w.entry("run.googleapis.com%2Frequests", "other log", since, call)
	w.clock.Advance(time.Minute)
	until := w.clock.Now()
	w.entry(activity, "after", until, call)
	if got := w.entries(since, until); !slices.Equal(got, []string{"late", "first", "denied"}) {
		t.Errorf("entries %q", got)
	}
	if got := w.entries(until, until); len(got) > 0 {
		t.Errorf("entries of no time: %q", got)
	}
}

// TestReadsThatDetectorsGoBy are selected although they succeeded, and no others.
func TestReadsThatDetectorsGoBy(t *testing.T) {
	w := newWorld(t, 0)
	start := w.clock.Now()
	who := &audit.AuthenticationInfo{PrincipalEmail: "e@acme.iam.gserviceaccount.com"}
	withKey := &audit.AuthenticationInfo{PrincipalEmail: who.GetPrincipalEmail(), ServiceAccountKeyName: "//iam.googleapis.com/projects/acme/serviceAccounts/e/keys/k"}
	const secrets = "google.cloud.secretmanager.v1.SecretManagerService."
	for id, call := range map[string]*audit.AuditLog{
		"a secret":         {ServiceName: "secretmanager.googleapis.com", MethodName: secrets + "AccessSecretVersion", AuthenticationInfo: who},
		"a test":           {ServiceName: "cloudresourcemanager.googleapis.com", MethodName: "google.cloud.resourcemanager.v3.Projects.TestIamPermissions", AuthenticationInfo: who},
		"a bucket's test":  {ServiceName: "storage.googleapis.com", MethodName: "storage.testIamPermissions", AuthenticationInfo: who},
		"a token":          {ServiceName: "iamcredentials.googleapis.com", MethodName: "GenerateAccessToken", AuthenticationInfo: who},
		"an exchange":      {ServiceName: "sts.googleapis.com", MethodName: "google.identity.sts.v1.SecurityTokenService.ExchangeToken"},
		"by a key":         {ServiceName: "storage.googleapis.com", MethodName: "storage.objects.get", AuthenticationInfo: withKey},
		"not: by no key":   {ServiceName: "storage.googleapis.com", MethodName: "storage.objects.get", AuthenticationInfo: who},
		"not: by nobody":   {ServiceName: "storage.googleapis.com", MethodName: "storage.objects.get"},
		"not: a list":      {ServiceName: "secretmanager.googleapis.com", MethodName: secrets + "ListSecrets", AuthenticationInfo: who},
		"not: of a policy": {ServiceName: "cloudresourcemanager.googleapis.com", MethodName: "GetIamPolicy", AuthenticationInfo: who},
	} {
		w.graded(dataAccess, id, logtype.LogSeverity_INFO, start, call)
	}
	got := w.entries(start, start.Add(time.Hour))
	slices.Sort(got)
	if want := []string{"a bucket's test", "a secret", "a test", "a token", "an exchange", "by a key"}; !slices.Equal(got, want) {
		t.Errorf("entries %q, want %q", got, want)
	}
}

func TestEntriesOfManyPages(t *testing.T) {
	w := newWorld(t, 0)
	start := w.clock.Now()
	for range 2500 {
		w.entry(activity, "", start, &audit.AuditLog{MethodName: "m"})
	}
	if n := len(w.entries(start, start.Add(time.Hour))); n != 2500 {
		t.Errorf("%d entries, want 2500", n)
	}
}

func TestEntriesStopAtTheFirstError(t *testing.T) {
	w := newWorld(t, 0)
	start := w.clock.Now()
	for range 3 {
		w.entry(activity, "", start, &audit.AuditLog{})
	}
	stop := errors.New("stop")
	n := 0
	err := w.Entries(t.Context(), start, start.Add(time.Hour), func([]byte) error { n++; return stop })
	if n != 1 || !errors.Is(err, stop) {
		t.Errorf("yielded %d entries, error %v", n, err)
	}
}

// TestEntriesEmbedMessagesOfEveryService has entries, such as every change of a
// policy writes, whose embedded message this program does not know.
func TestEntriesEmbedMessagesOfEveryService(t *testing.T) {
	w := newWorld(t, 0)
	start := w.clock.Now()
	unknown := &anypb.Any{TypeUrl: "type.googleapis.com/google.iam.v1.logging.AuditData", Value: []byte{0x12, 0x02, 'h', 'i'}}
	w.entry(activity, "unknown", start, embedding(unknown))
	w.entry(activity, "garbage", start, embedding(&anypb.Any{TypeUrl: unknown.GetTypeUrl(), Value: []byte{0xff}}))
	if got := w.entries(start, start.Add(time.Hour)); !slices.Equal(got, []string{"garbage", "unknown"}) {
		t.Errorf("entries %q", got)
	}
}

func embedding(message *anypb.Any) *audit.AuditLog {
	//lint:ignore SA1019 Google goes on writing it
	return &audit.AuditLog{MethodName: "SetIamPolicy", ServiceData: message}
}
