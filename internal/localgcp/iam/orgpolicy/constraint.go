package orgpolicy

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/orgpolicy/apiv2/orgpolicypb"

	"example.com/keyturn/internal/localgcp/iam/directory"
)

// rule is what a constraint comes to, once policies are merged and conditions
// evaluated. That of a list constraint has values unless it allows all or none.
type rule struct {
	enforce            bool
	allowAll, denyAll  bool
	allowed, forbidden []string
}

// constraint is one of those that are about credentials.
type constraint struct {
	name   string // without constraints/
	twin   string // the managed constraint that is to replace it; "" for none
	list   bool   // it has values; otherwise it is enforced or not
	unset  rule   // Google's default
	has    func(directory.OrgPolicy) (rule, bool)
	change func(*directory.OrgPolicy, rule) // nil: IAM does not go by it
}

const (
	keyCreation        = "iam.disableServiceAccountKeyCreation"
	keyUpload          = "iam.disableServiceAccountKeyUpload"
	managedKeyCreation = "iam.managed.disableServiceAccountKeyCreation"
	managedKeyUpload   = "iam.managed.disableServiceAccountKeyUpload"
	expiryHours        = "iam.serviceAccountKeyExpiryHours"
	exposureResponse   = "iam.serviceAccountKeyExposureResponse"
)

// BoundAPIKeys is the constraint on API keys that are bound to service accounts.
// It is enforced unless somebody lifts it.
const BoundAPIKeys = "iam.managed.disableServiceAccountApiKeyCreation"

const waitForAbuse = "WAIT_FOR_ABUSE"

var constraints = []constraint{
	enforced(keyCreation, managedKeyCreation, func(p *directory.OrgPolicy) *bool { return &p.DenyKeyCreation }),
	enforced(keyUpload, managedKeyUpload, func(p *directory.OrgPolicy) *bool { return &p.DenyKeyUpload }),
	enforced(managedKeyCreation, "", func(p *directory.OrgPolicy) *bool { return &p.ManagedDenyKeyCreation }),
	enforced(managedKeyUpload, "", func(p *directory.OrgPolicy) *bool { return &p.ManagedDenyKeyUpload }),
	{
		name: expiryHours, list: true, unset: rule{allowAll: true},
		has: func(p directory.OrgPolicy) (rule, bool) {
			return rule{allowed: []string{strconv.Itoa(int(p.MaxKeyLifetime.Hours())) + "h"}}, p.MaxKeyLifetime > 0
		},
		change: func(p *directory.OrgPolicy, r rule) { p.MaxKeyLifetime = lifetime(r) },
	},
	{
		name: exposureResponse, list: true, unset: rule{allowed: []string{"DISABLE_KEY"}},
		has:    func(p directory.OrgPolicy) (rule, bool) { return rule{allowed: []string{waitForAbuse}}, p.WaitForAbuse },
		change: func(p *directory.OrgPolicy, r rule) { p.WaitForAbuse = slices.Contains(r.allowed, waitForAbuse) },
	},
	{name: BoundAPIKeys, unset: rule{enforce: true}},
}

// enforced is a constraint that a field of the organisation's policy stands for.
func enforced(name, twin string, field func(*directory.OrgPolicy) *bool) constraint {
	return constraint{
		name: name, twin: twin,
		has:    func(p directory.OrgPolicy) (rule, bool) { return rule{enforce: *field(&p)}, *field(&p) },
		change: func(p *directory.OrgPolicy, r rule) { *field(p) = r.enforce },
	}
}

// lifetime is the one that iam.serviceAccountKeyExpiryHours allows, such as 24h;
// zero for any.
func lifetime(r rule) time.Duration {
	for _, v := range r.allowed {
		if d, err := time.ParseDuration(v); err == nil {
			return d
		}
	}
	return 0
}

func find(name string) (constraint, bool) {
	i := slices.IndexFunc(constraints, func(c constraint) bool { return c.name == name })
	if i < 0 {
		return constraint{}, false
	}
	return constraints[i], true
}

// message describes a constraint as a resource lists it.
func (c constraint) message(parent string) *orgpolicypb.Constraint {
	m := &orgpolicypb.Constraint{Name: parent + "/constraints/" + c.name, DisplayName: c.name, ConstraintDefault: orgpolicypb.Constraint_ALLOW}
	if c.unset.enforce {
		m.ConstraintDefault = orgpolicypb.Constraint_DENY
	}
	if c.twin != "" {
		m.EquivalentConstraint = parent + "/constraints/" + c.twin
	}
	if c.list {
		m.ConstraintType = &orgpolicypb.Constraint_ListConstraint_{ListConstraint: &orgpolicypb.Constraint_ListConstraint{}}
		return m
	}
	m.ConstraintType = &orgpolicypb.Constraint_BooleanConstraint_{BooleanConstraint: &orgpolicypb.Constraint_BooleanConstraint{}}
	return m
}

// spec is the policy that a rule makes.
func (c constraint) spec(r rule) *orgpolicypb.PolicySpec {
	return &orgpolicypb.PolicySpec{Rules: []*orgpolicypb.PolicySpec_PolicyRule{c.rule(r)}}
}

func (c constraint) rule(r rule) *orgpolicypb.PolicySpec_PolicyRule {
	switch {
	case !c.list:
		return &orgpolicypb.PolicySpec_PolicyRule{Kind: &orgpolicypb.PolicySpec_PolicyRule_Enforce{Enforce: r.enforce}}
	case r.denyAll:
		return &orgpolicypb.PolicySpec_PolicyRule{Kind: &orgpolicypb.PolicySpec_PolicyRule_DenyAll{DenyAll: true}}
	case r.allowAll:
		return &orgpolicypb.PolicySpec_PolicyRule{Kind: &orgpolicypb.PolicySpec_PolicyRule_AllowAll{AllowAll: true}}
	}
	return &orgpolicypb.PolicySpec_PolicyRule{Kind: &orgpolicypb.PolicySpec_PolicyRule_Values{
		Values: &orgpolicypb.PolicySpec_PolicyRule_StringValues{AllowedValues: r.allowed, DeniedValues: r.forbidden},
	}}
}

// merge evaluates the rules that a project set, over what it inherits. Rules with
// a condition are about tags, and nothing here is tagged.
func (c constraint) merge(spec *orgpolicypb.PolicySpec, inherited rule) rule {
	if spec.GetReset_() {
		return c.unset
	}
	merged := rule{}
	if spec.GetInheritFromParent() {
		merged = inherited
	}
	for _, set := range spec.GetRules() {
		if set.GetCondition() != nil {
			continue
		}
		merged.enforce = merged.enforce || set.GetEnforce()
		merged.allowAll = merged.allowAll || set.GetAllowAll()
		merged.denyAll = merged.denyAll || set.GetDenyAll()
		merged.allowed = append(slices.Clone(merged.allowed), set.GetValues().GetAllowedValues()...)
		merged.forbidden = append(slices.Clone(merged.forbidden), set.GetValues().GetDeniedValues()...)
	}
	return merged
}

// split takes projects/P/policies/C apart.
func split(name string) (project, constraint string, ok bool) {
	parts := strings.Split(name, "/")
	if len(parts) != 4 || parts[0] != "projects" || parts[1] == "" || parts[2] != "policies" {
		return "", "", false
	}
	return parts[1], parts[3], true
}
