package notify

// Deployment is what messages have to know of the keyturn that sends them.
type Deployment struct {
	Region   string // of its functions, for gcloud's commands; "" leaves $REGION there, for the reader to set
	Runbooks string // https URL of docs/detectors.md, or of a page with the same anchors; "" links none
}
