package localgcp

import (
	"path"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// agent publishes as an account of Google's own.
type agent struct {
	cloud   *Cloud
	email   string
	guarded bool // whether it needs grants
}

func (c *Cloud) agent(cfg Config, email string) agent {
	return agent{cloud: c, email: email, guarded: cfg.AgentsNeedGrants}
}

// PublishMessage publishes to a topic by its full name.
func (a agent) PublishMessage(topic string, data []byte, attributes map[string]string) error {
	if a.guarded && !a.cloud.Policies.Allows(a.email, "pubsub.topics.publish", topic, path.Dir(path.Dir(topic))) {
		return status.Error(codes.PermissionDenied, "User not authorized to perform this action.")
	}
	return a.cloud.PubSub.PublishMessage(topic, data, attributes)
}
