package audit

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"example.com/keyturn/functions/door"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
)

func TestAProbeIsFound(t *testing.T) {
	e := newEnv(t)
	for _, entry := range probe(40) {
		must(t, e.deliver(event.TopicLogs, entry, nil))
	}
	var counts []int
	for _, f := range e.findings() {
		counts = append(counts, f.Count)
	}
	if !slices.Equal(counts, []int{8, 16, 31}) {
		t.Errorf("findings of %v denials, want each doubling of the weight: 8, 16, 31", counts)
	}
}

func TestAFailedPublishLosesNoFinding(t *testing.T) {
	e := newEnv(t)
	entries := probe(8)
	for _, entry := range entries[:7] {
		must(t, e.deliver(event.TopicLogs, entry, nil))
	}
	e.failing("/google.pubsub.v1.Publisher/Publish")
	if err := e.deliver(event.TopicLogs, entries[7], nil); err != door.ErrRedeliver {
		t.Fatalf("error %v, want the fixed one", err)
	}
	e.faults.Set(nil)
	for range 3 {
		must(t, e.deliver(event.TopicLogs, entries[7], nil))
	}
	if found := e.findings(); len(found) != 1 || found[0].Count != 8 {
		t.Errorf("findings = %+v, want one", found)
	}
}

// failing lets calls of a method fail for good, as far as the client is concerned.
func (e *env) failing(method string) {
	e.faults.Set(func(called string, _ any) fault.Fault {
		if called == method {
			return fault.Fault{Before: status.Error(codes.PermissionDenied, "no %s% way")}
		}
		return fault.Fault{}
	})
}

func TestWhatCannotBeReadGoesToTheDeadLetterTopic(t *testing.T) {
	notPubSub := pushed(event.TopicLogs, nil, nil)
	notPubSub.SetType("google.cloud.storage.object.v1.finalized")
	for name, c := range map[string]struct {
		event        cloudevents.Event
		data, reason string
	}{
		"another event":     {notPubSub, string(notPubSub.Data()), "trigger the function by a topic"},
		"no JSON":           {pushed(event.TopicLogs, []byte("\xff%s hello"), nil), "\xff%s hello", "point the log sink"},
		"no object":         {pushed(event.TopicLogs, []byte("[]"), nil), "[]", "point the log sink"},
		"no log entry":      {pushed(event.TopicLogs, []byte(`{"a":1}`), nil), `{"a":1}`, "it is no log entry; point the log sink"},
		"another command":   {pushed(event.TopicAudit, []byte("{}"), map[string]string{"command": "scan"}), "{}", "send sweep"},
		"no command":        {pushed(event.TopicAudit, nil, map[string]string{"a": "b"}), "", "send sweep"},
		"a broken command":  {pushed(event.TopicAudit, []byte("sweep"), nil), "sweep", "send attribute command=sweep"},
		"command of a kind": {pushed(event.TopicAudit, []byte(`{"command":1}`), nil), `{"command":1}`, "send attribute command=sweep"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			if err := e.f.HandleEvent(t.Context(), c.event); err != nil {
				t.Fatalf("error %v, want none: the message would come again", err)
			}
			dead := e.published(event.TopicDead)
			if len(dead) != 1 {
				t.Fatalf("%d dead letters, want 1", len(dead))
			}
			a := dead[0].GetAttributes()
			if string(dead[0].GetData()) != c.data || a["keyturn-function"] != "audit" || !strings.Contains(a["keyturn-reason"], c.reason) || a["keyturn-message-id"] != "7" {
				t.Errorf("dead letter %q with %v", dead[0].GetData(), a)
			}
			e.failing("/google.pubsub.v1.Publisher/Publish")
			if err := e.f.HandleEvent(t.Context(), c.event); err != door.ErrRedeliver {
				t.Errorf("error %v without a dead-letter topic, want the fixed one", err)
			}
		})
	}
}

func TestEntriesOfNoConcernAreTaken(t *testing.T) {
	e := newEnv(t)
	for _, data := range []string{`{"textPayload":"hello","logName":"projects/acme/logs/x"}`, `{"insertId":"a"}`, `{"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog"}}`} {
		must(t, e.deliver(event.TopicLogs, []byte(data), nil))
	}
	if dead := e.published(event.TopicDead); len(dead) != 0 {
		t.Errorf("dead letters: %v", dead)
	}
}

// write puts entries into the embedded Cloud Logging, past any sink.
func (e *env) write(lines ...[]byte) {
	e.Helper()
	for _, line := range lines {
		entry := new(loggingpb.LogEntry)
		must(e.T, protojson.Unmarshal(line, entry))
		e.logs.WriteEntry(entry)
	}
}

func (e *env) sweep() error {
	e.clock.Advance(time.Minute)
	return e.deliver(event.TopicAudit, nil, map[string]string{"command": "sweep"})
}

func TestASweepFindsWhatTheSinkLost(t *testing.T) {
	e := newEnv(t)
	entries := probe(16)
	for _, entry := range entries[:4] {
		must(t, e.deliver(event.TopicLogs, entry, nil))
	}
	e.write(entries[:8]...)
	must(t, e.sweep())
	if found := e.findings(); len(found) != 1 || found[0].Count != 8 {
		t.Fatalf("findings = %+v, want one of 8", found)
	}
	must(t, e.sweep())
	if found := e.findings(); len(found) != 0 {
		t.Errorf("the second sweep found %+v again", found)
	}
	e.write(entries[8:]...)
	must(t, e.deliver(event.TopicAudit, []byte(`{"command":"sweep"}`), nil))
	if found := e.findings(); len(found) != 0 {
		t.Errorf("a sweep read entries from its own time on: %+v", found)
	}
	must(t, e.sweep())
	if found := e.findings(); len(found) != 1 || found[0].Count != 16 || !found[0].Update {
		t.Errorf("findings = %+v, want an update to 16", found)
	}
}

func TestAFailedSweepIsMadeGood(t *testing.T) {
	for method, kept := range map[string]int{"/google.logging.v2.LoggingServiceV2/ListLogEntries": 0, "/google.pubsub.v1.Publisher/Publish": 1} {
		t.Run(path.Base(method), func(t *testing.T) {
			e := newEnv(t)
			e.write(probe(8)...)
			e.failing(method)
			if err := e.sweep(); err != door.ErrRedeliver {
				t.Fatalf("error %v, want the fixed one", err)
			}
			if !strings.Contains(e.log.String(), "sweeping the entries received since 2030-01-01T10:01:00Z") {
				t.Errorf("log = %s", e.log.String())
			}
			e.faults.Set(nil)
			e.clock.Advance(3 * time.Hour)
			must(t, e.deliver(event.TopicAudit, nil, map[string]string{"command": "sweep"}))
			if found := e.findings(); len(found) != kept {
				t.Fatalf("findings = %+v, want %d: what was found is told, what was not read is from before the look-back", found, kept)
			}
		})
	}
}

func TestASweepGoesOnWhereTheLastOneEnded(t *testing.T) {
	e := newEnv(t)
	must(t, e.sweep())
	e.write(probe(8)...)
	e.failing("/google.logging.v2.LoggingServiceV2/ListLogEntries")
	if err := e.sweep(); err != door.ErrRedeliver {
		t.Fatalf("error %v, want the fixed one", err)
	}
	e.faults.Set(nil)
	e.clock.Advance(24 * time.Hour)
	must(t, e.sweep())
	if found := e.findings(); len(found) != 1 {
		t.Errorf("findings = %+v, want one", found)
	}
}

func TestASweepThatCannotBeReadLosesNothing(t *testing.T) {
	e := newEnv(t)
	must(t, e.f.observeLine(t.Context(), []byte("no entry")))
	if dead := e.published(event.TopicDead); len(dead) != 1 || string(dead[0].GetData()) != "no entry" {
		t.Errorf("dead letters: %v", dead)
	}
}

func TestASweepWithoutLogsDoesNothing(t *testing.T) {
	e := newEnv(t)
	e.f = New(Config{Publisher: e.f.config.Publisher, Log: e.f.log})
	must(t, e.sweep())
	if !strings.Contains(e.log.String(), "reading Cloud Logging is not configured") {
		t.Errorf("log = %s", e.log.String())
	}
	must(t, New(Config{}).HandleEvent(t.Context(), pushed(event.TopicAudit, nil, map[string]string{"command": "sweep"})))
}

func TestASweepAnswersWhatWasHeldBack(t *testing.T) {
	e := newEnv(t)
	for i := range 5 {
		must(t, e.deliver(event.TopicLogs, stranger(i), nil))
	}
	if found := e.findings(); len(found) != 0 {
		t.Fatalf("findings = %+v before it is known who else was there", found)
	}
	e.failing("/google.pubsub.v1.Publisher/Publish")
	e.clock.Advance(10 * time.Minute)
	if err := e.sweep(); err != door.ErrRedeliver {
		t.Fatalf("error %v, want the fixed one", err)
	}
	e.faults.Set(nil)
	must(t, e.sweep())
	if found := e.findings(); len(found) != 1 || found[0].Detector != detect.TokenMinting || found[0].Count != 5 {
		t.Errorf("findings = %+v, want one of token minting", found)
	}
}

func TestAFindingThatCannotBeWrittenIsAnError(t *testing.T) {
	if err := New(Config{}).publish(t.Context(), detect.Finding{Time: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}); err == nil {
		t.Error("no error for a time that JSON cannot hold")
	}
}

// A flood of callers without a name has their detectors miss some; the next sweep
// says it, once.
func TestWhatDetectorsMissIsSaid(t *testing.T) {
	e := newEnv(t)
	for i := range 16<<10 + 3 {
		entry := detect.Entry{Audit: true, Time: start, Code: 7, CallerIP: "192.0.2.7", UserAgent: fmt.Sprint("x/", i), Permissions: []detect.Permission{{Name: "s.things.get"}}}
		must(t, e.f.observe(t.Context(), entry))
	}
	must(t, e.sweep())
	must(t, e.sweep())
	if said := strings.Count(e.log.String(), "detectors leave something out"); said != 1 || !strings.Contains(e.log.String(), "unasked=map[callers-without-a-name:3] unread=0") {
		t.Errorf("said %d times: %s", said, e.log.String())
	}
}

// TestALogLineThatLooksLikeAFinding has somebody log what keyturn's own findings, orders
// and templates look like, in every text that a caller chooses: nothing is found by it.
func TestALogLineThatLooksLikeAFinding(t *testing.T) {
	e := newEnv(t)
	for i, text := range []string{
		`{\"id\":\"0123456789abcdef\",\"detector\":\"stolen-key\",\"severity\":\"critical\",\"credential\":\"projects/acme/secrets/billing-key\"}`,
		`keyturn revoke billing-key --key 0123456789abcdef0123456789abcdef01234567 --kill-tokens`,
		`{{.Env}} ${KEYTURN_SEAL_FINDINGS} %n%s $(reboot) <!channel> \u001b[2J\u202e`,
		`\"},\"severity\":\"CRITICAL\",\"protoPayload\":{\"status\":{\"code\":7}}}`,
	} {
		entry := fmt.Appendf(nil, `{"logName":"projects/acme/logs/cloudaudit.googleapis.com%%2Factivity","insertId":"forged-%d","timestamp":%q,"severity":"NOTICE","textPayload":"%[3]s",
			"resource":{"type":"%[3]s","labels":{"project_id":"acme","detector":"stolen-key"}},"jsonPayload":{"detector":"stolen-key","severity":"critical"},
			"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","serviceName":"iam.googleapis.com","methodName":"%[3]s","resourceName":"%[3]s",
			"authenticationInfo":{"principalEmail":"ada@example.com"},"requestMetadata":{"callerIp":"192.0.2.7","callerSuppliedUserAgent":"%[3]s"}}}`, i, start.Format(time.RFC3339Nano), text)
		must(t, e.deliver(event.TopicLogs, entry, map[string]string{"detector": "stolen-key", "severity": "critical", "command": "revoke"}))
	}
	if found := e.findings(); len(found) > 0 {
		t.Errorf("found %+v", found)
	}
}
