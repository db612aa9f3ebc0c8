package terraform

import (
	"strings"
	"testing"
)

// TestMistakesInTheModuleAreFound makes one after the other.
func TestMistakesInTheModuleAreFound(t *testing.T) {
	for name, tt := range map[string]struct{ file, old, new, want string }{
		"syntax":           {"main.tf", "locals {", "locals", "Argument or block definition required"},
		"no such argument": {"main.tf", "account_id ", "acount_id ", "takes no acount_id"},
		"lacks":            {"logging.tf", "  destination ", "  description ", "lacks destination"},
		"block":            {"schedule.tf", "retry_config {", "retry {", "takes no retry"},
		"in a block":       {"main.tf", "ttl = \"\"", "time = \"\"", "expiration_policy lacks ttl"},
		"kind":             {"main.tf", `"google_pubsub_topic" "all"`, `"google_pubsub_topics" "all"`, "google_pubsub_topic"},
		"reference":        {"grants.tf", "google_pubsub_topic.all[", "google_pubsub_topic.every[", "every"},
		"its attribute":    {"grants.tf", "].secret_id", "].secret", "secret"},
		"its key":          {"main.tf", "all[local.deployment.dead_letters.topic]", `all["keyturn-deaf"]`, "Invalid index"},
		"dependency":       {"main.tf", "depends_on = [google_project_service.all]", "depends_on = [google_project_service.every]", "every"},
		"local":            {"main.tf", "local.deployment.seals", "local.deployment.seal", "seal"},
		"variable":         {"logging.tf", "var.project", "var.projekt", "projekt"},
		"unused":           {"main.tf", `var.kms_key == "" ? [] : [var.kms_key]`, "[]", "variable kms_key is not used"},
		"undescribed":      {"variables.tf", "description = \"Region", "comment = \"Region", "variable region has no description"},
		"API left out":     {"main.tf", "toset(local.deployment.apis)", `toset(["run.googleapis.com"])`, "APIs (-want +made)"},
		"role of another":  {"grants.tf", "role    = each.value.role\n  member  = each.value.member\n\n  depends_on = [google_service_account.all, google_project_iam", "role    = \"roles/editor\"\n  member  = each.value.member\n\n  depends_on = [google_service_account.all, google_project_iam", "roles/editor"},
		"grants left out":  {"grants.tf", `"/secrets/")`, `"/secret/")`, "grants (-want +made)"},
		"sink's filter":    {"logging.tf", "local.deployment.sink.filter", `""`, "sinks (-want +made)"},
		"no expiry":        {"firestore.tf", "ttl_config {}", "index_config {}", "fields (-want +made)"},
		"fewer retries":    {"schedule.tf", "each.value.retryConfig.retryCount", "0", "jobs (-want +made)"},
		"secret in state":  {"main.tf", "# The list of all", "resource \"google_secret_manager_secret_version\" \"seal\" {}\n# The list of all", "google_secret_manager_secret_version is not expected"},
		"another bucket":   {"main.tf", "-keyturn-builds", "-builds", "bucket (-want +made)"},
		"module":           {"versions.tf", "terraform {", "module \"x\" {", "a block module is not expected"},
	} {
		t.Run(name, func(t *testing.T) {
			files := sources(t)
			if !strings.Contains(files[tt.file], tt.old) {
				t.Fatalf("%s has no %q", tt.file, tt.old)
			}
			files[tt.file] = strings.Replace(files[tt.file], tt.old, tt.new, 1)
			if problems := strings.Join(checked(files), "\n"); !strings.Contains(problems, tt.want) {
				t.Errorf("it is not found as %q:\n%s", tt.want, problems)
			}
		})
	}
}
