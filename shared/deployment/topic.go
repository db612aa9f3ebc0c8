package deployment

import "example.com/keyturn/shared/event"

// Topic is one that a deployment has.
type Topic struct {
	ID  string // short
	Why string // what it carries
}

// LogTopic is the short id of the topic that the log sink sends to.
const LogTopic = event.TopicLogs

// SinkName is the log sink's.
const SinkName = event.TopicLogs

// DeadLetters is the short id of the subscription by which dead letters can be looked at.
const DeadLetters = event.TopicDead

// Topics are all of them.
var Topics = []Topic{
	{event.TopicRotate, "commands to rotate"},
	{event.TopicLogs, "audit log entries"},
	{event.TopicAudit, "orders to look for log entries that the sink missed"},
	{event.TopicFindings, "findings and news of rotations"},
	{event.TopicAlerts, "alerts"},
	{event.TopicDead, "messages that no function could handle"},
}
