package gcp

import (
	"context"
	"fmt"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/api/iterator"
	_ "google.golang.org/genproto/googleapis/cloud/audit" // protojson writes protoPayload only of a linked type
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/emptypb"
)

// AuditFilter selects the entries that the detectors read. The log sink has it, too.
//
// It takes the logs of changes and of policy denials whole. Of the log of reads,
// which is by far the largest, it takes what failed, and of what succeeded that by
// which a detector judges: reads of secrets, tests of permissions, tokens and
// signatures in the name of accounts, and calls by user-managed keys.
//
// So the volume goes by the calls that are made with such keys: a consumer that
// reads a million objects a day with one makes a million entries a day, of some
// 2 KB, and without such keys there are about as many as there are reads of
// secrets. Where that is too much, exclude a service from the sink, such as
// storage.googleapis.com: then an old or stolen key that is used for nothing else is
// not seen. What is never selected is a read, by other means than a key, that works
// after it was denied, such as of a bucket: 'keyturn audit replay' finds it in an
// export of the whole log.
const AuditFilter = `log_id("cloudaudit.googleapis.com/activity") OR log_id("cloudaudit.googleapis.com/policy") OR ` +
	`(log_id("cloudaudit.googleapis.com/data_access") AND (severity>=ERROR` +
	` OR protoPayload.authenticationInfo.serviceAccountKeyName:*` +
	` OR protoPayload.methodName:"AccessSecretVersion"` +
	` OR protoPayload.methodName:"TestIamPermissions"` +
	` OR protoPayload.serviceName=("iamcredentials.googleapis.com" OR "sts.googleapis.com")))`

// Entries yields, as LogEntry JSON and oldest first, the audit entries that
// Cloud Logging received from since until before until. It stops at the first
// error of yield.
func (c *Cloud) Entries(ctx context.Context, since, until time.Time, yield func([]byte) error) error {
	const layout = time.RFC3339Nano
	return c.Log(ctx, fmt.Sprintf(`receiveTimestamp>="%s" AND receiveTimestamp<"%s" AND (%s)`,
		since.UTC().Format(layout), until.UTC().Format(layout), AuditFilter), yield)
}

// Log yields, as LogEntry JSON and oldest first, what Cloud Logging has of the project
// that a filter selects. It stops at the first error of yield.
func (c *Cloud) Log(ctx context.Context, filter string, yield func([]byte) error) error {
	client, err := c.cloudLogging(ctx)
	if err != nil {
		return err
	}
	it := client.ListLogEntries(ctx, &loggingpb.ListLogEntriesRequest{
		ResourceNames: []string{"projects/" + c.config.Project}, Filter: filter, OrderBy: "timestamp asc", PageSize: 1000,
	})
	for {
		entry, err := it.Next()
		if err == iterator.Done {
			return nil
		}
		if err != nil {
			return fmt.Errorf("listing log entries: %w", err)
		}
		line, err := protojson.MarshalOptions{Resolver: anyType{protoregistry.GlobalTypes}}.Marshal(entry)
		if err != nil {
			return fmt.Errorf("encoding log entry %s: %w", entry.GetInsertId(), err)
		}
		if err := yield(line); err != nil {
			return err
		}
	}
}

// anyType takes a type that is not linked for an empty message. Audit entries
// embed messages of every service; no detector reads them, and without them
// the entry is still told.
type anyType struct{ *protoregistry.Types }

func (t anyType) FindMessageByURL(url string) (protoreflect.MessageType, error) {
	linked, err := t.Types.FindMessageByURL(url)
	if err != nil {
		return (*emptypb.Empty)(nil).ProtoReflect().Type(), nil
	}
	return linked, nil
}
