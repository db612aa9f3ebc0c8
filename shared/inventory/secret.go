package inventory

import (
	"time"

	"example.com/keyturn/shared/rotation"
)

// Secret is a secret of Secret Manager as lists show it: without versions, and
// without payloads.
type Secret struct {
	Name         string            `json:"name"` // projects/P/secrets/S
	Created      time.Time         `json:"created,omitzero"`
	Expires      time.Time         `json:"expires,omitzero"`  // zero is never
	Labels       map[string]string `json:"labels,omitempty"`  // print them escaped
	Aliases      map[string]string `json:"aliases,omitempty"` // alias → version number
	CMEK         []string          `json:"cmek,omitempty"`    // names of the Cloud KMS keys that encrypt it, one a replica; empty is Google's own key
	Topics       []string          `json:"topics,omitempty"`  // projects/P/topics/T
	NextRotation time.Time         `json:"nextRotation,omitzero"`
	Period       time.Duration     `json:"period,omitempty"` // of Secret Manager's reminder; zero is none

	Staging    bool        `json:"staging,omitempty"`    // it holds private halves that are not verified yet
	Credential *Credential `json:"credential,omitempty"` // nil if it is not registered with keyturn, or Broken
	Broken     string      `json:"broken,omitempty"`     // why its registration cannot be read; empty if it can, or there is none
	Target     string      `json:"target,omitempty"`     // of Broken: as Credential has it, if that much can be read
}

// Credential is what a secret is registered as.
type Credential struct {
	Kind    rotation.Kind    `json:"kind"`
	Target  string           `json:"target"` // projects/P/serviceAccounts/E or projects/P/locations/global/keys/K
	Policy  rotation.Policy  `json:"policy"`
	Journal rotation.Journal `json:"journal"`
}

// Register reads of labels and annotations what the secret is to keyturn.
func (s *Secret) Register(labels, annotations map[string]string) {
	s.Labels = labels
	switch labels[rotation.Label] {
	case rotation.Staging:
		s.Staging = true
	case rotation.Managed:
		c, err := rotation.ParseCredential(s.Name, labels, annotations)
		if err != nil {
			s.Broken, s.Target = err.Error(), c.Target
			return
		}
		s.Credential = &Credential{Kind: c.Kind, Target: c.Target, Policy: c.Policy, Journal: c.Journal}
	}
}

// gap is what is not known for a registration that cannot be read.
func (s *Secret) gap() Gap {
	return Gap{
		Part: Secrets, Of: s.Name, Cause: Failed, Detail: s.Broken,
		Next: "mend its annotations: " + Command("keyturn", "status", last(s.Name), "--project", projectOf(s.Name)) + " says what is wrong with them",
	}
}
