package streambench

import (
	"fmt"
	"iter"
	"time"

	"example.com/keyturn/cmd/keyturn/internal/scanbench"
	"example.com/keyturn/shared/event"
)

// entry is one log entry to publish.
type entry struct {
	line    []byte
	refusal string // its insertId, if it leads to a finding by itself
}

// entries are everyday ones without end, but for one of every: that is a call
// which VPC Service Controls refused to somebody who was never refused before,
// and the audit function tells of each on the spot.
func entries(every int) iter.Seq[entry] {
	return func(yield func(entry) bool) {
		n := 0
		for line := range scanbench.Entries() {
			e := entry{line: line}
			if n++; n%every == 0 {
				e = refusal(n, timeOf(line))
			}
			if !yield(e) {
				return
			}
		}
	}
}

// timeOf is when the entry's call was made; the generator writes no entry without.
func timeOf(line []byte) time.Time {
	e, _ := event.DecodeLogEntry(line)
	return e.Time
}

// refusal is the nth entry, by the shape that Google documents and publishes.
func refusal(n int, at time.Time) entry {
	id, when := fmt.Sprintf("refusal-%d", n), at.UTC().Format(time.RFC3339Nano)
	return entry{refusal: id, line: fmt.Appendf(nil, `{"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog",`+
		`"status":{"code":7,"message":"Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: u%d","details":[{"@type":"type.googleapis.com/google.rpc.PreconditionFailure","violations":[{"type":"VPC_SERVICE_CONTROLS","description":"u%d"}]}]},`+
		`"authenticationInfo":{"principalEmail":"batch-%d@shop-prod.iam.gserviceaccount.com"},"requestMetadata":{"callerIp":"198.51.100.%d","callerSuppliedUserAgent":"gl-go/1.26.1 gccl/1.24.0"},`+
		`"serviceName":"bigquery.googleapis.com","methodName":"google.cloud.bigquery.v2.JobService.InsertJob","resourceName":"projects/1029384756",`+
		`"metadata":{"@type":"type.googleapis.com/google.cloud.audit.VpcServiceControlAuditMetadata","violationReason":"NO_MATCHING_ACCESS_LEVEL","vpcServiceControlsUniqueId":"u%d"}},`+
		`"insertId":%q,"resource":{"type":"audited_resource","labels":{"project_id":"shop-prod","service":"bigquery.googleapis.com"}},"timestamp":%q,"severity":"ERROR",`+
		`"logName":"projects/shop-prod/logs/cloudaudit.googleapis.com%%2Fpolicy","receiveTimestamp":%q}`, n, n, n, n%250, n, id, when, when)}
}
