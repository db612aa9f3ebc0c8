package localgcp

import (
	"example.com/keyturn/internal/localgcp/monitoring"
	"example.com/keyturn/internal/localgcp/policyanalyzer"
)

// counters are told of the uses of service-account keys.
type counters struct {
	monitoring *monitoring.Service
	activities *policyanalyzer.Service
}

// Count tells both.
func (c counters) Count(metric string, labels map[string]string, resource string, resourceLabels map[string]string, n int64) {
	c.monitoring.Count(metric, labels, resource, resourceLabels, n)
	c.activities.Count(metric, labels, resource, resourceLabels, n)
}

// keysOf are the user-managed keys of a project, as Policy Analyzer sees them.
func (c *Cloud) keysOf(project string) (keys []policyanalyzer.Key) {
	for _, a := range c.IAM.InspectProject(project) {
		for _, k := range a.Keys {
			keys = append(keys, policyanalyzer.Key{Name: k.Name, ID: k.ID, AccountID: a.UniqueID, Created: k.Created, Disabled: k.Disabled})
		}
	}
	return keys
}
