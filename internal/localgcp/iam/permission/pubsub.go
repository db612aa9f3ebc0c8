package permission

import (
	"strings"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/iam/access"
)

const (
	pubsubAPI = "pubsub.googleapis.com"
	attach    = "pubsub.topics.attachSubscription"
	consume   = "pubsub.subscriptions.consume"
)

var publisher = service{
	api: pubsubAPI, audited: "google.pubsub.v1.Publisher.", resource: pubsubResource, refuse: pubsubRefusal,
	rules: map[string]access.Rule{
		"CreateTopic":            write("pubsub.topics.create"),
		"UpdateTopic":            write("pubsub.topics.update"),
		"Publish":                message("pubsub.topics.publish"),
		"GetTopic":               read("pubsub.topics.get"),
		"ListTopics":             read("pubsub.topics.list"),
		"ListTopicSubscriptions": read("pubsub.topics.get"),
		"ListTopicSnapshots":     read("pubsub.topics.get"),
		"DeleteTopic":            write("pubsub.topics.delete"),
		"DetachSubscription":     write("pubsub.topics.detachSubscription"),
	},
}

var subscriber = service{
	api: pubsubAPI, audited: "google.pubsub.v1.Subscriber.", resource: pubsubResource, refuse: pubsubRefusal,
	rules: map[string]access.Rule{
		"CreateSubscription": {Permission: "pubsub.subscriptions.create", Also: attach, Write: true},
		"GetSubscription":    read("pubsub.subscriptions.get"),
		"UpdateSubscription": write("pubsub.subscriptions.update"),
		"ListSubscriptions":  read("pubsub.subscriptions.list"),
		"DeleteSubscription": write("pubsub.subscriptions.delete"),
		"ModifyPushConfig":   write("pubsub.subscriptions.update"),
		"ModifyAckDeadline":  message(consume),
		"Acknowledge":        message(consume),
		"Pull":               message(consume),
		"StreamingPull":      message(consume),
		"Seek":               message(consume),
		"GetSnapshot":        read("pubsub.snapshots.get"),
		"ListSnapshots":      read("pubsub.snapshots.list"),
		"CreateSnapshot":     write("pubsub.snapshots.create"),
		"UpdateSnapshot":     write("pubsub.snapshots.update"),
		"DeleteSnapshot":     write("pubsub.snapshots.delete"),
	},
}

// pubsubPolicies leaves TestIamPermissions out: anyone may ask what they may do.
var pubsubPolicies = service{
	api: pubsubAPI, audited: "google.iam.v1.IAMPolicy.", resource: named, refuse: pubsubRefusal,
	rules: map[string]access.Rule{
		"GetIamPolicy": {PermissionOf: func(req any) string { return "pubsub." + collection(req) + ".getIamPolicy" }},
		"SetIamPolicy": {PermissionOf: func(req any) string { return "pubsub." + collection(req) + ".setIamPolicy" }, Write: true},
	},
}

// collection is what a policy's resource is one of: topics, or what is not,
// subscriptions.
func collection(req any) string {
	if strings.Contains(named(req, ""), "/topics/") {
		return "topics"
	}
	return "subscriptions"
}

func pubsubResource(req any, permission string) string {
	switch r := req.(type) {
	case *pubsubpb.Subscription: // to be created: it has a name and a topic
		if permission == attach {
			return r.GetTopic()
		}
		return r.GetName()
	case *pubsubpb.UpdateTopicRequest:
		return r.GetTopic().GetName()
	case *pubsubpb.UpdateSubscriptionRequest:
		return r.GetSubscription().GetName()
	case *pubsubpb.UpdateSnapshotRequest:
		return r.GetSnapshot().GetName()
	case interface{ GetProject() string }:
		return r.GetProject()
	case interface{ GetTopic() string }:
		return r.GetTopic()
	case interface{ GetSubscription() string }:
		return r.GetSubscription()
	case interface{ GetSnapshot() string }:
		return r.GetSnapshot()
	}
	return named(req, permission)
}

// pubsubRefusal names neither permission nor resource, and has no details.
func pubsubRefusal(string, string) error {
	return status.Error(codes.PermissionDenied, "User not authorized to perform this action.")
}
