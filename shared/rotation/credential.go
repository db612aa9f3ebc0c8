package rotation

import (
	"errors"
	"fmt"
	"strings"
)

// Kind says what a credential is.
type Kind string

// The kinds of credential.
const (
	ServiceAccountKey Kind = "service-account-key"
	APIKey            Kind = "api-key"
)

// How a secret says that it is a credential: one label, and annotations.
const (
	Label            = "keyturn"
	Managed          = "managed" // value of Label on a credential's secret
	Staging          = "staging" // value of Label on a staging sibling
	AnnotationKind   = "keyturn.kind"
	AnnotationTarget = "keyturn.target"
	AnnotationPolicy = "keyturn.policy"
	AnnotationJourn  = "keyturn.journal"
)

// The version aliases that consumers and people read.
const (
	AliasCurrent  = "current"
	AliasPrevious = "previous"
)

// StagingSuffix ends the name of the sibling secret that holds a private half
// which is not verified yet.
const StagingSuffix = "-keyturn-staging"

// ErrUnmanaged means that a secret is not registered with keyturn.
var ErrUnmanaged = errors.New("secret is not managed by keyturn")

// Credential is one thing that keyturn manages, as its secret describes it.
type Credential struct {
	Secret  string // projects/P/secrets/S
	Kind    Kind
	Target  string // full resource name, without the leading //service/: projects/P/serviceAccounts/E or projects/P/locations/global/keys/K
	Policy  Policy
	Journal Journal
	Labels  map[string]string // that the owner gave the secret; nil is none
}

// services maps a kind to the service that its full resource names begin with.
var services = map[Kind]string{
	ServiceAccountKey: "//iam.googleapis.com/",
	APIKey:            "//apikeys.googleapis.com/",
}

// ParseCredential reads a credential from its secret's labels and annotations.
// The error joins all that is wrong with them; it is ErrUnmanaged when the
// label is missing.
func ParseCredential(secret string, labels, annotations map[string]string) (Credential, error) {
	c := Credential{Secret: secret, Kind: Kind(annotations[AnnotationKind]), Labels: OwnerLabels(labels)}
	if labels[Label] != Managed {
		return c, fmt.Errorf("%w: %s lacks the label %s=%s; register it with 'keyturn adopt'", ErrUnmanaged, secret, Label, Managed)
	}
	var targetErr, policyErr, journalErr error
	c.Target, targetErr = parseTarget(c.Kind, annotations[AnnotationTarget])
	c.Policy, policyErr = ParsePolicy(annotations[AnnotationPolicy])
	c.Journal, journalErr = ParseJournal(annotations[AnnotationJourn])
	if err := errors.Join(targetErr, policyErr, journalErr); err != nil {
		return c, fmt.Errorf("reading the annotations of %s: %w", secret, err)
	}
	return c, nil
}

// OwnerLabels are a secret's labels without keyturn's own, which all credentials
// have; nil if there are no others.
func OwnerLabels(labels map[string]string) map[string]string {
	var own map[string]string
	for name, value := range labels {
		if name == Label {
			continue
		}
		if own == nil {
			own = make(map[string]string)
		}
		own[name] = value
	}
	return own
}

// Annotations is the inverse of ParseCredential, but for the labels, which are the
// owner's.
func (c Credential) Annotations() (map[string]string, error) {
	policy, err := c.Policy.Encode()
	if err != nil {
		return nil, err
	}
	journal, err := c.Journal.Encode()
	if err != nil {
		return nil, err
	}
	return map[string]string{
		AnnotationKind:   string(c.Kind),
		AnnotationTarget: services[c.Kind] + c.Target,
		AnnotationPolicy: policy,
		AnnotationJourn:  journal,
	}, nil
}

// StagingSecret is the full name of the credential's staging sibling.
func (c Credential) StagingSecret() string { return c.Secret + StagingSuffix }

// Project is the project of the credential's target.
func (c Credential) Project() string {
	project, _, _ := strings.Cut(strings.TrimPrefix(c.Target, "projects/"), "/")
	return project
}

func parseTarget(kind Kind, target string) (string, error) {
	service, known := services[kind]
	if !known {
		return "", fmt.Errorf("annotation %s is %q: want %s or %s", AnnotationKind, kind, ServiceAccountKey, APIKey)
	}
	name, ok := strings.CutPrefix(target, service)
	if !ok || !wellFormed(kind, strings.Split(name, "/")) {
		return "", fmt.Errorf("annotation %s is %q: want a full resource name beginning with %sprojects/", AnnotationTarget, target, service)
	}
	return name, nil
}

func wellFormed(kind Kind, parts []string) bool {
	for _, p := range parts {
		if p == "" || p == "-" || p == "." || p == ".." {
			return false
		}
	}
	switch kind {
	case ServiceAccountKey:
		return len(parts) == 4 && parts[0] == "projects" && parts[2] == "serviceAccounts" && strings.Contains(parts[3], "@")
	default:
		return len(parts) == 6 && parts[0] == "projects" && parts[2] == "locations" && parts[4] == "keys"
	}
}
