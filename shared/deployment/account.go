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
	// Optional says that one may do without: by deploying in another way than
	// cloudbuild.yaml does.
	Optional bool
}

// Accounts are all of them.
var Accounts = []Account{
	{ID: Rotate, Why: "the rotate function runs as it"},
	{ID: Audit, Why: "the audit function runs as it"},
	{ID: Alert, Why: "the alert function runs as it"},
	{ID: Trigger, Why: "Pub/Sub starts functions as it"},
	{ID: Deploy, Why: "cloudbuild.yaml deploys as it", Optional: true},
}
