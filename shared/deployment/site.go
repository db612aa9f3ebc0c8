// Package deployment says what a deployment of keyturn is made of: APIs, service
// accounts and what each may do and why, topics, subscriptions, functions, jobs and
// the log sink. It is the one place that says so: deploy/terraform/deployment.json is
// made from it. What is deployed can be compared with it by Diagnose.
package deployment

import "strings"

// Site is where keyturn is deployed.
type Site struct {
	Project string // id
	Number  string // of the project, by which Google calls its own accounts; empty while it is not known
	Region  string // of the functions and the jobs
}

// Email is the e-mail address of one of the project's service accounts.
func (s Site) Email(account string) string {
	return account + "@" + s.Project + ".iam.gserviceaccount.com"
}

// Resource is the full name of the project itself.
func (s Site) Resource() string { return "projects/" + s.Project }

// Topic is a topic's full name.
func (s Site) Topic(id string) string { return s.Resource() + "/topics/" + id }

// Secret is a secret's full name.
func (s Site) Secret(id string) string { return s.Resource() + "/secrets/" + id }

// Function is a function's full name.
func (s Site) Function(name string) string { return s.location() + "/functions/" + name }

// Service is the full name of the Cloud Run service behind a function.
func (s Site) Service(function string) string { return s.location() + "/services/" + function }

func (s Site) location() string { return s.Resource() + "/locations/" + s.Region }

// Expand fills in ${PROJECT_ID}, ${PROJECT_NUMBER} and ${REGION}.
func (s Site) Expand(text string) string {
	return strings.NewReplacer("${PROJECT_ID}", s.Project, "${PROJECT_NUMBER}", s.Number, "${REGION}", s.Region).Replace(text)
}
