package gcp

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"time"
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
	for entry, err := range c.logEntries(ctx, logQuery{ResourceNames: []string{"projects/" + c.config.Project}, Filter: filter, OrderBy: "timestamp asc", PageSize: 1000}) {
		if err != nil {
			return fmt.Errorf("listing log entries: %w", err)
		}
		if err := yield(entry); err != nil {
			return err
		}
	}
	return nil
}

// logQuery is what Cloud Logging is asked for.
type logQuery struct {
	ResourceNames []string `json:"resourceNames"`
	Filter        string   `json:"filter"`
	OrderBy       string   `json:"orderBy"`
	PageSize      int      `json:"pageSize"`
	PageToken     string   `json:"pageToken,omitempty"`
}

// logEntries are, as LogEntry JSON, the entries that Cloud Logging has; an error is the
// last. REST has them in the form of the log sink, with payloads of every type.
func (c *Cloud) logEntries(ctx context.Context, q logQuery) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		more := true
		err := pages(func(token string) (string, error) {
			q.PageToken = token
			page, err := overREST[struct {
				Entries       []json.RawMessage
				NextPageToken string
			}](ctx, c, restCall{
				method: "/google.logging.v2.LoggingServiceV2/ListLogEntries", resource: strings.Join(q.ResourceNames, ","),
				api: cloudLogging, verb: http.MethodPost, path: "v2/entries:list", body: q,
			})
			for i := 0; i < len(page.Entries) && more; i++ {
				more = yield(page.Entries[i], nil)
			}
			if !more {
				return "", nil
			}
			return page.NextPageToken, err
		})
		if err != nil {
			yield(nil, err)
		}
	}
}
