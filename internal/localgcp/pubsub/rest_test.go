package pubsub_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"example.com/keyturn/internal/localgcp/pubsub"
)

type object = map[string]any

// TestREST sends what gcloud sends, in its order, to one Pub/Sub.
func TestREST(t *testing.T) {
	w := start(t, pubsub.Config{})
	topic := object{"name": "projects/local/topics/ttt"}
	sub := object{
		"name": "projects/local/subscriptions/sub", "topic": "projects/local/topics/ttt", "ackDeadlineSeconds": 30.0, "state": "ACTIVE",
		"pushConfig": object{}, "enableMessageOrdering": true, "filter": `attributes.a="b"`,
		"messageRetentionDuration": "604800s", "expirationPolicy": object{"ttl": "2678400s"},
		"deadLetterPolicy": object{"deadLetterTopic": "projects/local/topics/dlq", "maxDeliveryAttempts": 5.0},
	}
	push := object{
		"name": "projects/local/subscriptions/push", "topic": "projects/local/topics/ttt", "ackDeadlineSeconds": 10.0, "state": "ACTIVE",
		"messageRetentionDuration": "604800s", "expirationPolicy": object{"ttl": "2678400s"},
		"pushConfig": object{"oidcToken": object{"serviceAccountEmail": "a@b.iam.gserviceaccount.com"}, "pushEndpoint": "http://127.0.0.1:9/x"},
	}
	moved := with(push, "pushConfig", object{"pushEndpoint": "http://127.0.0.1:9/y"})
	for _, step := range []struct {
		method, path, body string
		code               int
		want               object
	}{
		{"PUT", "topics/ttt", `{"name":"projects/local/topics/ttt"}`, 200, topic},
		{"PUT", "topics/dlq", `{"name":"projects/local/topics/dlq"}`, 200, object{"name": "projects/local/topics/dlq"}},
		{"GET", "topics/ttt", ``, 200, topic},
		{"GET", "topics", ``, 200, object{"topics": []any{object{"name": "projects/local/topics/dlq"}, topic}}},
		{"PUT", "subscriptions/sub", `{"ackDeadlineSeconds":30,"deadLetterPolicy":{"deadLetterTopic":"projects/local/topics/dlq","maxDeliveryAttempts":5},` +
			`"enableMessageOrdering":true,"filter":"attributes.a=\"b\"","name":"projects/local/subscriptions/sub","topic":"projects/local/topics/ttt"}`, 200, sub},
		{"PUT", "subscriptions/push", `{"name":"projects/local/subscriptions/push","pushConfig":{"oidcToken":{"serviceAccountEmail":"a@b.iam.gserviceaccount.com"},` +
			`"pushEndpoint":"http://127.0.0.1:9/x"},"topic":"projects/local/topics/ttt"}`, 200, push},
		{"POST", "subscriptions/push:modifyPushConfig", `{"pushConfig":{"pushEndpoint":"http://127.0.0.1:9/y"}}`, 200, object{}},
		{"GET", "subscriptions/push", ``, 200, moved},
		{"GET", "subscriptions", ``, 200, object{"subscriptions": []any{moved, sub}}},
		{"DELETE", "subscriptions/push", ``, 200, object{}},
		{"POST", "topics/ttt:publish", `{"messages":[{"attributes":{"a":"b"},"data":"aGk=","orderingKey":"k"}]}`, 200, object{"messageIds": []any{"1"}}},
		{"POST", "subscriptions/sub:pull", `{"maxMessages":1,"returnImmediately":false}`, 200, object{"receivedMessages": []any{object{
			"ackId": "1:1", "deliveryAttempt": 1.0,
			"message": object{"messageId": "1", "data": "aGk=", "attributes": object{"a": "b"}, "orderingKey": "k"},
		}}}},
		{"POST", "subscriptions/sub:acknowledge", `{"ackIds":["1:1"]}`, 200, object{}},
		{"POST", "subscriptions/sub:pull", `{"maxMessages":1,"returnImmediately":true}`, 200, object{}},
		{"PATCH", "subscriptions/sub", `{"subscription":{"ackDeadlineSeconds":20},"updateMask":"ackDeadlineSeconds"}`, 200, with(sub, "ackDeadlineSeconds", 20.0)},
		{"DELETE", "subscriptions/sub", ``, 200, object{}},
		{"GET", "subscriptions/sub", ``, 404, failed(404, "NOT_FOUND", "Resource not found (resource=sub).")},
		{"PUT", "topics/ttt", `{"name":"projects/local/topics/ttt"}`, 409, failed(409, "ALREADY_EXISTS", "Resource already exists in the project (resource=ttt).")},
		{"DELETE", "topics/ttt", ``, 200, object{}},
		{"DELETE", "topics/ttt", ``, 404, failed(404, "NOT_FOUND", "Resource not found (resource=ttt).")},
		{"GET", "snapshots", ``, 200, object{}},
	} {
		code, got := w.rest(step.method, "/v1/projects/local/"+step.path+"?alt=json", step.body)
		ignoreTimes := cmpopts.IgnoreMapEntries(func(k string, _ any) bool { return k == "publishTime" })
		if d := cmp.Diff(step.want, got, ignoreTimes); code != step.code || d != "" {
			t.Errorf("%s %s: %d, want %d\n(-want +got)\n%s", step.method, step.path, code, step.code, d)
		}
	}
}

func with(o object, key string, value any) object {
	changed := object{key: value}
	for k, v := range o {
		if k != key {
			changed[k] = v
		}
	}
	return changed
}

func failed(code int, status, message string) object {
	return object{"error": object{"code": float64(code), "status": status, "message": message}}
}
