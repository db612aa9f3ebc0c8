package access

import "example.com/keyturn/internal/localgcp/iam/directory"

// ServiceAccount is the target of calls about an account or its keys.
func ServiceAccount(a directory.Account) Target {
	return Target{
		Project: a.Project, Email: a.Email,
		Name:     "projects/-/serviceAccounts/" + a.UniqueID,
		Type:     "service_account",
		Labels:   map[string]string{"project_id": a.Project, "email_id": a.Email, "unique_id": a.UniqueID},
		Policies: []string{AccountPolicy(a), ProjectPolicy(a.Project)},
	}
}

// Project is the target of calls about a project's list of something of that
// monitored resource type.
func Project(project, resourceType string) Target {
	return Target{
		Project: project, Name: "projects/" + project, Type: resourceType,
		Labels:   map[string]string{"project_id": project},
		Policies: []string{ProjectPolicy(project)},
	}
}

// AccountPolicy names the allow policy of a service account.
func AccountPolicy(a directory.Account) string {
	return "projects/" + a.Project + "/serviceAccounts/" + a.UniqueID
}

// ProjectPolicy names the allow policy of a project.
func ProjectPolicy(project string) string { return "projects/" + project }
