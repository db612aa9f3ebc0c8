package gcp

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"time"

	"example.com/keyturn/shared/inventory"
)

// KeyActivities tells, by the id of the key, what Policy Analyzer knows of the use of
// the service-account keys of a project. Disabled keys, and those made in the last
// days, it leaves out (cloud.google.com/policy-intelligence/docs/activity-analyzer-service-account-authentication).
func (c *Cloud) KeyActivities(ctx context.Context, project string) (map[string]inventory.Activity, error) {
	parent := "projects/" + project + "/locations/global/activityTypes/serviceAccountKeyLastAuthentication"
	known := map[string]inventory.Activity{}
	err := pages(func(token string) (string, error) {
		r, err := overREST[struct {
			Activities    []keyActivity
			NextPageToken string
		}](ctx, c, restCall{
			method: "/google.cloud.policyanalyzer.v1.PolicyAnalyzer/QueryActivity", resource: "projects/" + project,
			api: policyAnalyzer, path: "v1/" + parent + "/activities:query", args: []string{"pageSize", "1000", "pageToken", token},
		})
		if err != nil {
			return "", err
		}
		for _, a := range r.Activities {
			id := strings.Clone(path.Base(a.FullResourceName)) // the whole name is not kept
			if known[id], err = activityOf(a); err != nil {
				return "", err
			}
		}
		return r.NextPageToken, nil
	})
	if err != nil {
		return nil, fmt.Errorf("asking when the keys of %s were last used: %w", project, err)
	}
	return known, nil
}

// keyActivity is one as Policy Analyzer tells it.
type keyActivity struct {
	FullResourceName  string
	Activity          json.RawMessage
	ObservationPeriod *struct{ StartTime, EndTime string }
}

// activityOf takes the last day of use to its end, as far as it was observed.
func activityOf(a keyActivity) (inventory.Activity, error) {
	var seen struct {
		Last string `json:"lastAuthenticatedTime"`
	}
	if err := json.Unmarshal(a.Activity, &seen); err != nil {
		return inventory.Activity{}, fmt.Errorf("reading the activity of %s: %w", a.FullResourceName, err)
	}
	var out inventory.Activity
	if p := a.ObservationPeriod; p != nil {
		out.From, out.Through = restTime(p.StartTime), restTime(p.EndTime)
	}
	if last := restTime(seen.Last); !last.IsZero() {
		out.Last = last.Add(24 * time.Hour)
	}
	return out, nil
}
