package gcp

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"time"

	"example.com/keyturn/shared/inventory"
	"google.golang.org/api/policyanalyzer/v1"
)

// KeyActivities tells, by the id of the key, what Policy Analyzer knows of the use of
// the service-account keys of a project. Disabled keys, and those made in the last
// days, it leaves out (cloud.google.com/policy-intelligence/docs/activity-analyzer-service-account-authentication).
func (c *Cloud) KeyActivities(ctx context.Context, project string) (map[string]inventory.Activity, error) {
	client, err := c.policyAnalyzer(ctx)
	if err != nil {
		return nil, err
	}
	parent := "projects/" + project + "/locations/global/activityTypes/serviceAccountKeyLastAuthentication"
	known := map[string]inventory.Activity{}
	err = pages(func(token string) (string, error) {
		r, err := overREST(ctx, c, "/google.cloud.policyanalyzer.v1.PolicyAnalyzer/QueryActivity", "projects/"+project, func(ctx context.Context) (*policyanalyzer.GoogleCloudPolicyanalyzerV1QueryActivityResponse, error) {
			return client.Projects.Locations.ActivityTypes.Activities.Query(parent).PageSize(1000).PageToken(token).Context(ctx).Do()
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

// activityOf takes the last day of use to its end, as far as it was observed.
func activityOf(a *policyanalyzer.GoogleCloudPolicyanalyzerV1Activity) (inventory.Activity, error) {
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
