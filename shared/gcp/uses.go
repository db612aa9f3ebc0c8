package gcp

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	"google.golang.org/api/iterator"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Uses is what Cloud Monitoring knows of the use of some keys.
type Uses struct {
	Through time.Time              // end of the newest point of any of the keys asked for: data has arrived up to here; zero if there is none
	Times   map[string][]time.Time // key id → ends of the intervals in which it was used, oldest first
}

// AccountKeyUses tells when keys of an account were used in (from, to], in
// intervals of 10 minutes. Failed authentications count as uses. Data arrives
// late, by up to some hours, and is kept for six weeks.
func (c *Cloud) AccountKeyUses(ctx context.Context, account string, ids []string, from, to time.Time) (Uses, error) {
	uses, err := c.uses(ctx, ids, &monitoringpb.ListTimeSeriesRequest{
		Name:     "projects/" + projectOf(account),
		Filter:   `metric.type="iam.googleapis.com/service_account/key/authn_events_count" AND metric.labels.key_id=` + oneOf(ids),
		Interval: interval(from, to),
	}, func(s *monitoringpb.TimeSeries) string { return s.GetMetric().GetLabels()["key_id"] })
	if err != nil {
		return Uses{}, fmt.Errorf("reading the uses of the keys of %s: %w", account, err)
	}
	return uses, nil
}

// sampling is how often Google samples authn_events_count. The calls of API keys,
// which it samples each minute, are summed up as coarsely: six weeks of minutes
// are a large answer, and evidence needs no more.
const sampling = 10 * time.Minute

// APIKeyUses tells when API keys, all of one project, were used in (from, to], in
// intervals of 10 minutes of which both ends are rounded down. Blocked calls count
// as uses. The ids of the answer are the names; a key that is gone is left out.
func (c *Cloud) APIKeyUses(ctx context.Context, names []string, from, to time.Time) (Uses, error) {
	there, err := c.credentials(ctx, names)
	if err != nil || len(there) == 0 {
		return Uses{}, err
	}
	const label = "resource.labels.credential_id"
	uses, err := c.uses(ctx, names, &monitoringpb.ListTimeSeriesRequest{
		Name:     "projects/" + projectOf(names[0]),
		Filter:   `metric.type="serviceruntime.googleapis.com/api/request_count" AND ` + label + `=` + oneOf(slices.Sorted(maps.Keys(there))),
		Interval: interval(from.Truncate(sampling), to.Truncate(sampling)),
		Aggregation: &monitoringpb.Aggregation{ // else each method and response code of each API is a series of its own
			AlignmentPeriod: durationpb.New(sampling), PerSeriesAligner: monitoringpb.Aggregation_ALIGN_SUM,
			CrossSeriesReducer: monitoringpb.Aggregation_REDUCE_SUM, GroupByFields: []string{label},
		},
	}, func(s *monitoringpb.TimeSeries) string { return there[s.GetResource().GetLabels()["credential_id"]] })
	if err != nil {
		return Uses{}, fmt.Errorf("reading the uses of API key %s: %w", strings.Join(names, " and "), err)
	}
	return uses, nil
}

// credentials are the names of those of the keys that are there, by what Cloud
// Monitoring calls them.
func (c *Cloud) credentials(ctx context.Context, names []string) (map[string]string, error) {
	client, err := c.apiKeys(ctx)
	if err != nil {
		return nil, err
	}
	there := map[string]string{}
	projects := map[string]bool{} // their numbers, which Google answers whether asked by number or id
	for _, name := range names {
		k, err := client.GetKey(ctx, &apikeyspb.GetKeyRequest{Name: name})
		if IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading API key %s for its id: %w", name, err)
		}
		there["apikey:"+k.GetUid()] = name
		projects[projectOf(k.GetName())] = true
	}
	if len(projects) > 1 { // the data of one would vouch for the others
		return nil, fmt.Errorf("API keys %s are of different projects: ask for their uses one by one", strings.Join(names, " and "))
	}
	return there, nil
}

// uses collects the series of keys; id says whose a series is.
func (c *Cloud) uses(ctx context.Context, ids []string, req *monitoringpb.ListTimeSeriesRequest, id func(*monitoringpb.TimeSeries) string) (Uses, error) {
	client, err := c.cloudMonitoring(ctx)
	if err != nil || len(ids) == 0 {
		return Uses{}, err
	}
	uses := Uses{Times: map[string][]time.Time{}}
	it := client.ListTimeSeries(ctx, req)
	for {
		s, err := it.Next()
		if err == iterator.Done {
			uses.sort()
			return uses, nil
		}
		if err != nil {
			return Uses{}, err
		}
		if key := id(s); slices.Contains(ids, key) {
			uses.add(key, s.GetPoints())
		}
	}
}

func (u *Uses) add(key string, points []*monitoringpb.Point) {
	for _, p := range points {
		end := p.GetInterval().GetEndTime().AsTime()
		if end.After(u.Through) {
			u.Through = end
		}
		if p.GetValue().GetInt64Value() > 0 {
			u.Times[key] = append(u.Times[key], end)
		}
	}
}

// sort puts the times in order, each once, whichever series they come from.
func (u *Uses) sort() {
	for key, times := range u.Times {
		slices.SortFunc(times, time.Time.Compare)
		u.Times[key] = slices.CompactFunc(times, time.Time.Equal)
	}
}

// oneOf is a Monitoring filter's function of that name.
func oneOf(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = strconv.Quote(v)
	}
	return "one_of(" + strings.Join(quoted, ",") + ")"
}

func interval(from, to time.Time) *monitoringpb.TimeInterval {
	return &monitoringpb.TimeInterval{StartTime: timestamppb.New(from), EndTime: timestamppb.New(to)}
}
