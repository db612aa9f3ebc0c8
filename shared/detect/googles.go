package detect

import (
	"slices"
	"strings"
)

// agentProjects are projects of Google's whose service agents, service-N@…, are
// not named after gcp-sa-. Anybody can name an account service-N in a project of
// their own, and thus no other is believed. Source: Google's list of service agents.
var agentProjects = []string{
	"bigquery-condel", "bigquery-consp", "bigquery-data-connectors", "bigquery-encryption", "cloud-cdn-fill",
	"cloud-filer", "cloud-memcache-sa", "cloud-redis", "cloud-tpu", "cloudcomposer-accounts", "compute-system",
	"container-analysis", "container-engine-robot", "containerregistry", "dataflow-service-producer-prod",
	"dataproc-accounts", "dlp-api", "endpoints-portal", "firebase-rules", "firebase-sa-management", "gcf-admin-robot",
	"gcp-gae-service", "gs-project-accounts", "remotebuildexecution", "security-center-api", "serverless-robot-prod",
	"service-networking", "sourcerepo-service-accounts", "storage-transfer-service", "trifacta-gcloud-prod",
}

// system reports whether it is one of Google's own, or a part of a cluster. They
// are denied things as a matter of course, and nobody holds their keys.
func (s *subject) system() bool {
	name, domain, _ := strings.Cut(s.name, "@")
	project, account := strings.CutSuffix(domain, ".iam.gserviceaccount.com")
	switch {
	case strings.HasPrefix(name, "system:"), domain == "system.gserviceaccount.com", domain == "cloudservices.gserviceaccount.com":
		return true
	case !account:
		return false
	}
	return strings.HasPrefix(project, "gcp-sa-") || strings.HasSuffix(project, ".google.com") || slices.Contains(agentProjects, project)
}
