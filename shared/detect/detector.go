package detect

import (
	"strings"
	"time"
)

// Detector describes one way in which abuse shows.
type Detector struct {
	Name      string        // of its findings
	Rationale string        // why what it looks for is not normal, and what is
	Technique string        // of MITRE ATT&CK
	Runbook   string        // what to do about a finding, step by step
	Severity  Severity      // of its findings, as a rule
	Unit      string        // what its findings count
	Learns    time.Duration // how long it watches, at least, before it tells anything; 0 is not at all
	id        uint32        // of its episodes
}

// The detectors that go by the log alone.
const (
	PermissionProbing  = "permission-probing"
	DenialBurst        = "denial-burst"
	TokenMinting       = "token-minting"
	FailureThenSuccess = "failure-then-success"
	PermissionSweep    = "permission-sweep"
	MassSecretRead     = "mass-secret-read"
	CrownJewelDenial   = "crown-jewel-denial"
	PolicyDenial       = "policy-denial"
)

// The detectors that live on what the rotator knows.
const (
	OldKeyInUse    = "old-key-in-use"
	StolenOldKey   = "stolen-old-key"
	RetiredKeyUsed = "retired-key-used"
	ForeignKey     = "foreign-key"
	UnreadKeyUsed  = "unread-key-used"
	BrokenRotation = "broken-rotation"
	KeyDrift       = "key-drift"
	Silence        = "silence"

	RefusedCredential = "refused-credential" // by Cloud Monitoring rather than by logs
)

// Detectors returns the descriptions of all built-in detectors.
func Detectors() []Detector {
	return []Detector{*probing, *burst, *minting, *turned, *sweep, *harvest, *crown, *policies,
		*straggling, *stolen, *retired, *foreign, *unread, *broken, *drift, *silence, *refusals}
}

// nameOfDetector is the name of the one of an id, as questions have it.
func nameOfDetector(id uint32) string {
	for _, d := range Detectors() {
		if d.id == id {
			return d.Name
		}
	}
	return ""
}

// detector completes a description.
func detector(d Detector) *Detector {
	if d.Learns != 0 {
		d.Rationale += " It learns for " + counted(int(d.Learns.Milliseconds()/day), "day") + " before it tells anything."
	}
	d.id = uint32(hash(d.Name))
	return &d
}

// isMinting reports whether the call asks for a token or a signature of a service account.
func isMinting(e *Entry) bool {
	method := e.Method[strings.LastIndexByte(e.Method, '.')+1:]
	switch e.Service {
	case "iamcredentials.googleapis.com":
		return method == "GenerateAccessToken" || method == "GenerateIdToken" || method == "SignBlob" || method == "SignJwt"
	case "sts.googleapis.com":
		return method == "ExchangeToken"
	}
	return false
}

// isSecretRead reports whether the call reads a secret.
func isSecretRead(e *Entry) bool {
	return e.Service == "secretmanager.googleapis.com" && strings.HasSuffix(e.Method, ".AccessSecretVersion")
}

// isPolicy reports whether a policy, such as VPC Service Controls or one of the
// organisation, refused the call, rather than a missing grant.
func isPolicy(e *Entry) bool {
	return e.Code != 0 && (e.Violation != "" || e.Code == permissionDenied && strings.HasPrefix(e.Message, "Request is prohibited by organization's policy"))
}

// changesPolicy reports whether the call may have given somebody a permission.
func changesPolicy(e *Entry) bool {
	if len(e.Grants) > 0 {
		return true
	}
	if e.Method == "" {
		return false
	}
	switch e.Method[len(e.Method)-1] {
	case 'y':
		return strings.HasSuffix(e.Method, "etIamPolicy")
	case 's':
		return strings.HasSuffix(e.Method, "setIamPermissions")
	case 'e':
		return strings.HasSuffix(e.Method, "CreateRole") || strings.HasSuffix(e.Method, "UpdateRole")
	}
	return false
}
