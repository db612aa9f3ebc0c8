package gcp

import (
	"context"
	"fmt"
	"time"

	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	"example.com/keyturn/shared/detect"
	"google.golang.org/api/iterator"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Calls counts, for each whole hour of (from, to], of which both ends are rounded
// down, the calls to Google's APIs that were made with each credential of a project
// (its id or number), and those that were refused: answered with 401 or 403. API
// keys, all of that project, go by the names given, and those that are gone by what
// Cloud Monitoring calls them, like all other credentials. Nobody's calls are left
// out. Data arrives some minutes late, and is kept for six weeks.
func (c *Cloud) Calls(ctx context.Context, project string, apiKeys []string, from, to time.Time) ([]detect.Sample, error) {
	samples, err := c.calledWith(ctx, project, apiKeys, from.Truncate(time.Hour), to.Truncate(time.Hour))
	if err != nil {
		return nil, fmt.Errorf("counting the calls of the credentials of project %s: %w", project, err)
	}
	return samples, nil
}

func (c *Cloud) calledWith(ctx context.Context, project string, apiKeys []string, from, to time.Time) ([]detect.Sample, error) {
	var names map[string]string
	if len(apiKeys) > 0 {
		var err error
		if names, err = c.credentials(ctx, apiKeys); err != nil {
			return nil, err
		}
	}
	client, err := c.cloudMonitoring(ctx)
	if err != nil {
		return nil, err
	}
	const credential, code = "resource.labels.credential_id", "metric.labels.response_code"
	it := client.ListTimeSeries(ctx, &monitoringpb.ListTimeSeriesRequest{
		Name:     "projects/" + project,
		Filter:   `metric.type="serviceruntime.googleapis.com/api/request_count" AND resource.type="consumed_api"`,
		Interval: interval(from, to),
		Aggregation: &monitoringpb.Aggregation{ // else each method of each API is a series of its own, by the minute
			AlignmentPeriod: durationpb.New(time.Hour), PerSeriesAligner: monitoringpb.Aggregation_ALIGN_SUM,
			CrossSeriesReducer: monitoringpb.Aggregation_REDUCE_SUM, GroupByFields: []string{credential, code},
		},
	})
	counts := answers{names: names, at: make(map[answered]int)}
	for {
		series, err := it.Next()
		if err == iterator.Done {
			return counts.samples, nil
		}
		if err != nil {
			return nil, err
		}
		counts.add(series)
	}
}

// answers sums up series that differ in their response code.
type answers struct {
	names   map[string]string // of API keys, by what Cloud Monitoring calls them
	samples []detect.Sample
	at      map[answered]int // in samples
}

type answered struct {
	credential string
	to         int64 // Unix time
}

func (a *answers) add(s *monitoringpb.TimeSeries) {
	credential := s.GetResource().GetLabels()["credential_id"]
	if credential == "" {
		return
	}
	code := s.GetMetric().GetLabels()["response_code"]
	for _, p := range s.GetPoints() {
		to := p.GetInterval().GetEndTime().AsTime()
		i, ok := a.at[answered{credential, to.Unix()}]
		if !ok {
			i = len(a.samples)
			a.at[answered{credential, to.Unix()}] = i
			a.samples = append(a.samples, detect.Sample{Key: a.names[credential], Credential: credential, From: to.Add(-time.Hour), To: to})
		}
		n := p.GetValue().GetInt64Value()
		a.samples[i].All += n
		if code == "401" || code == "403" {
			a.samples[i].Refused += n
		}
	}
}
