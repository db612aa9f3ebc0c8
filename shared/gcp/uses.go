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
	Through time.Time        // end of the newest point of any of the keys asked for: data has arrived up to here; zero if there is none
	Of      map[string][]Use // key id → its uses, oldest first
}

// Use is how often a key was used in the interval (From, To].
type Use struct {
	From, To time.Time
	Count    int64
}

// AccountKeyUses tells when keys of an account were used in (from, to], in
// intervals of 10 minutes. Failed authentications count as uses. Data arrives
// late, by up to some hours, and is kept for six weeks.
func (c *Cloud) AccountKeyUses(ctx context.Context, account string, ids []string, from, to time.Time) (Uses, error) {
	uses, err := c.uses(ctx, ids, &monitoringpb.ListTimeSeriesRequest{
		Name:     "projects/" + ProjectOf(account),
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
		Name:     "projects/" + ProjectOf(names[0]),
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
		projects[ProjectOf(k.GetName())] = true
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
	uses := Uses{Of: map[string][]Use{}}
	it := client.ListTimeSeries(ctx, req)
	for {
		s, err := it.Next()
		if err == iterator.Done {
			uses.merge()
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
		from, to := p.GetInterval().GetStartTime().AsTime(), p.GetInterval().GetEndTime().AsTime()
		if to.After(u.Through) {
			u.Through = to
		}
		if n := p.GetValue().GetInt64Value(); n > 0 {
			u.Of[key] = append(u.Of[key], Use{From: from, To: to, Count: n})
		}
	}
}

// merge puts the uses in order, those of one interval as one, whichever series
// they come from.
func (u *Uses) merge() {
	for key, uses := range u.Of {
		slices.SortFunc(uses, func(a, b Use) int { return a.To.Compare(b.To) })
		merged := uses[:0]
		for _, use := range uses {
			if last := len(merged) - 1; last >= 0 && merged[last].To.Equal(use.To) {
				merged[last].Count += use.Count
				continue
			}
			merged = append(merged, use)
		}
		u.Of[key] = merged
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
