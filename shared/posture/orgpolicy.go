package posture

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/inventory"
)

// The constraints that are looked at.
const (
	keyCreation        = "iam.disableServiceAccountKeyCreation"
	managedKeyCreation = "iam.managed.disableServiceAccountKeyCreation"
	keyUpload          = "iam.disableServiceAccountKeyUpload"
	managedKeyUpload   = "iam.managed.disableServiceAccountKeyUpload"
	exposureResponse   = "iam.serviceAccountKeyExposureResponse"
	boundAPIKeys       = "iam.managed.disableServiceAccountApiKeyCreation"
)

// Constraints are those whose effective policies are to be read.
func Constraints() []string {
	return []string{keyCreation, managedKeyCreation, keyUpload, managedKeyUpload, exposureResponse, boundAPIKeys}
}

func organisation() []Check {
	const inherited = "Goes by the effective policy of the project, folders' and the organisation's included."
	const exceptions = "Exceptions by tags on single service accounts."
	return []Check{
		{
			ID: "org-policy-key-creation", Severity: detect.Warning, run: enforced(byCreation, managedKeyCreation, keyCreation),
			Title: "Nobody can create service-account keys",
			Why:   "Where no key can be created, none can be lost. Google has it so in organisations made since May 2024.",
			How:   inherited + " Passes if " + managedKeyCreation + " or " + keyCreation + " is enforced.",
			Fix:   "Enforce it, unless keyturn creates keys: to rotate keys it takes either this or uploading. Exempt the accounts of credentials with keyMode create, as docs/posture.md says, or have them uploaded.",
			Blind: exceptions,
		},
		{
			ID: "org-policy-key-upload", Severity: detect.Warning, run: enforced(byUpload, managedKeyUpload, keyUpload),
			Title: "Nobody can upload keys for service accounts",
			Why:   "An uploaded key was made where nobody knows how well it is kept.",
			How:   inherited + " Passes if " + managedKeyUpload + " or " + keyUpload + " is enforced.",
			Fix:   "Enforce it, unless keyturn uploads keys, as it does by itself: to rotate keys it takes either this or creating them. Exempt the accounts of its credentials, as docs/posture.md says.",
			Blind: exceptions,
		},
		{
			ID: "org-policy-exposure-response", Severity: detect.High, run: disablesExposed,
			Title: "Google disables keys that it finds in public",
			Why:   "Google finds a key in a public repository sooner than its owner does. WAIT_FOR_ABUSE leaves it working until it is abused.",
			How:   inherited + " Fails if " + exposureResponse + " allows WAIT_FOR_ABUSE; unset, it is DISABLE_KEY, since June 2024.",
			Fix:   "Set it to DISABLE_KEY.",
			Blind: "Whether Google finds a key, which it promises for public repositories only.",
		},
		{
			ID: "org-policy-bound-api-keys", Severity: detect.Warning, run: enforced(byBinding, boundAPIKeys),
			Title: "Nobody can create API keys that are bound to service accounts",
			Why:   "Such a key acts as the account in everything that it may do, and is as easily lost as any other API key.",
			How:   inherited + " Passes if " + boundAPIKeys + " is enforced, which it is unless somebody lifts it.",
			Fix:   "Enforce it, unless keyturn rotates such keys.",
			Blind: exceptions,
		},
	}
}

// enforced passes if any of the constraints is enforced, the first of which is the
// one to set, unless keyturn could not make credentials by way of it any more.
func enforced(by way, constraints ...string) func(*judge, *project) {
	return func(j *judge, p *project) {
		r := Result{Status: Fail, Project: p.ID, Resource: p.name() + "/policies/" + constraints[0], Reason: strings.Join(constraints, " and ") + " are off"}
		if len(constraints) == 1 {
			r.Reason = constraints[0] + " is off"
		}
		var gap *inventory.Gap
		for _, c := range constraints {
			read := p.more.Constraints[c]
			if read.Gap != nil || read.At.IsZero() {
				gap = firstOf(gap, read.Gap, &inventory.Gap{Part: OrgPolicies, Of: p.name(), Cause: inventory.Failed, Detail: "it was not asked for"})
				continue
			}
			r.Evidence = append(r.Evidence, shown(OrgPolicies, p.name()+"/policies/"+c, read.At, "enforce: %t", read.Value.Enforced)...)
			if read.Value.Enforced {
				r.Status, r.Reason = Pass, c+" is enforced"
			}
		}
		switch {
		case r.Status == Pass:
		case gap != nil:
			j.unknown(p.ID, *gap)
			return
		default:
			if r.Next = p.needs(by); r.Next == "" {
				r.Fix = setPolicy(p, constraints[0], `{"enforce":true}`)
			}
		}
		j.add(r)
	}
}

func disablesExposed(j *judge, p *project) {
	const wait, disable = "WAIT_FOR_ABUSE", "DISABLE_KEY"
	read := p.more.Constraints[exposureResponse]
	name := p.name() + "/policies/" + exposureResponse
	if j.lacksAny(p, OrgPolicies, name, read.Gap, read.At) {
		return
	}
	r := Result{Status: Pass, Project: p.ID, Resource: name, Reason: "keys that Google finds in public are disabled", Evidence: exposureShown(name, read.Value, read.At)}
	if read.Value.DenyAll || slices.Contains(read.Value.Allowed, wait) {
		r.Status, r.Reason = Fail, "keys that Google finds in public go on working until they are abused"
		r.Fix = setPolicy(p, exposureResponse, `{"values":{"allowedValues":["`+disable+`"]}}`)
	}
	j.add(r)
}

func exposureShown(name string, c Constraint, at time.Time) []Evidence {
	switch {
	case c.DenyAll:
		return shown(OrgPolicies, name, at, "denyAll")
	case len(c.Allowed) == 0:
		return shown(OrgPolicies, name, at, "no values: Google's default, DISABLE_KEY")
	}
	return shown(OrgPolicies, name, at, "allowedValues: %s", strings.Join(c.Allowed, ", "))
}

// setPolicy is the command that sets a policy with one rule, in JSON, on the project.
func setPolicy(p *project, constraint, rule string) string {
	return inventory.Command("echo", fmt.Sprintf(`{"name":"projects/%s/policies/%s","spec":{"rules":[%s]}}`, p.ID, constraint, rule)) +
		" | gcloud org-policies set-policy /dev/stdin"
}
