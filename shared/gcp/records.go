package gcp

import (
	"context"
	"fmt"
	"strings"
	"time"

	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	"example.com/keyturn/shared/inventory"
	"google.golang.org/api/iterator"
	"google.golang.org/protobuf/types/known/durationpb"
)

// recorded says how Cloud Monitoring counts the uses of a kind of credential.
type recorded struct {
	metric string
	label  string // that says whose a series is
	more   string // of the filter
	prefix string // of the label's value, before the id
}

var recordedKinds = map[inventory.Kind]recorded{
	inventory.AccountKeyKind: {metric: "iam.googleapis.com/service_account/key/authn_events_count", label: "metric.labels.key_id"},
	inventory.APIKeyKind: {
		metric: "serviceruntime.googleapis.com/api/request_count", label: "resource.labels.credential_id",
		more: ` AND resource.labels.credential_id=starts_with("apikey:")`, prefix: "apikey:",
	},
	inventory.HMACKeyKind: {metric: "storage.googleapis.com/authn/authentication_count", label: "metric.labels.access_id"}, // [mem]
}

// Recorded are the kinds of credentials whose use Cloud Monitoring records, in the
// order in which they are asked for.
var Recorded = []inventory.Kind{inventory.AccountKeyKind, inventory.APIKeyKind, inventory.HMACKeyKind}

// recordDays is by how long the record is summed up: with ten-minute points, six
// weeks of a project with thousands of keys are millions of points.
const recordDays = 24 * time.Hour

// UseRecord tells when the credentials of a kind were last used in (from, to], all
// those of a project by one query. Ids are those of service-account keys, the
// unique ids of API keys and the access ids of HMAC keys. A metric that the project
// has never had is an empty record.
func (c *Cloud) UseRecord(ctx context.Context, project string, kind inventory.Kind, from, to time.Time) (inventory.Record, error) {
	r := inventory.Record{From: from, Last: map[string]time.Time{}}
	how := recordedKinds[kind]
	client, err := c.cloudMonitoring(ctx)
	if err != nil {
		return inventory.Record{}, err
	}
	it := client.ListTimeSeries(ctx, &monitoringpb.ListTimeSeriesRequest{
		Name:     "projects/" + project,
		Filter:   fmt.Sprintf("metric.type=%q", how.metric) + how.more,
		Interval: interval(from, to),
		Aggregation: &monitoringpb.Aggregation{
			AlignmentPeriod: durationpb.New(recordDays), PerSeriesAligner: monitoringpb.Aggregation_ALIGN_SUM,
			CrossSeriesReducer: monitoringpb.Aggregation_REDUCE_SUM, GroupByFields: []string{how.label},
		},
	})
	for {
		s, err := it.Next()
		if err == iterator.Done || IsNotFound(err) {
			return r, nil
		}
		if err != nil {
			return inventory.Record{}, fmt.Errorf("reading the uses of the %ss of %s: %w", kind, project, err)
		}
		note(&r, strings.TrimPrefix(labelOf(s, how.label), how.prefix), s.GetPoints())
	}
}

// labelOf is the value of a label such as metric.labels.key_id.
func labelOf(s *monitoringpb.TimeSeries, name string) string {
	if key, ok := strings.CutPrefix(name, "metric.labels."); ok {
		return s.GetMetric().GetLabels()[key]
	}
	return s.GetResource().GetLabels()[strings.TrimPrefix(name, "resource.labels.")]
}

// note adds a series to the record. Of the day in which something was used last it
// is known only that the record reaches into it.
func note(r *inventory.Record, id string, points []*monitoringpb.Point) {
	for _, p := range points {
		if p.GetValue().GetInt64Value() <= 0 {
			continue
		}
		from, to := p.GetInterval().GetStartTime().AsTime(), p.GetInterval().GetEndTime().AsTime()
		if from.After(r.Through) {
			r.Through = from
		}
		if id != "" && to.After(r.Last[id]) {
			r.Last[id] = to
		}
	}
}
