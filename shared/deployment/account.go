package deployment

// The service accounts, by their short ids.
const (
	Rotate  = "keyturn-rotate"
	Audit   = "keyturn-audit"
	Alert   = "keyturn-alert"
	Trigger = "keyturn-trigger"
	Deploy  = "keyturn-deploy"
)

// Account is a service account that a deployment has.
type Account struct {
	ID  string // short
	Why string // what it is for
}

// Accounts are all of them.
var Accounts = []Account{
	{Rotate, "the rotate function runs as it"},
	{Audit, "the audit function runs as it"},
	{Alert, "the alert function runs as it"},
	{Trigger, "Pub/Sub starts functions as it"},
	{Deploy, "cloudbuild.yaml deploys as it"},
}
