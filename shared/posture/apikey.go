package posture

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"example.com/keyturn/shared/inventory"
	"example.com/keyturn/shared/rotation"
)

// apiKeys calls look for each API key that is not deleted.
func (j *judge) apiKeys(p *project, look func(k inventory.APIKey, name string)) {
	if j.lacks(p, inventory.APIKeys, "") {
		return
	}
	for _, k := range p.APIKeys {
		if k.Deleted.IsZero() {
			look(k, p.name()+"/locations/global/keys/"+path.Base(k.Name))
		}
	}
	j.none(p, inventory.APIKeys, "API keys")
}

func noAPIKeys(j *judge, p *project) {
	j.apiKeys(p, func(k inventory.APIKey, name string) {
		i := p.item(name)
		r := Result{Status: Fail, Project: p.ID, Resource: name, Credential: i.Secret, Reason: "it exists" + usedOrNot[i.Use.Verdict], Evidence: p.saw(inventory.APIKeys, name, "an API key that is not deleted")}
		if by := p.retiring(i); by != "" {
			r.Reason += "; " + by
		}
		if r.Fix = p.keyless(i); r.Fix == "" {
			r.Next = "nothing is known that could stand in for a key of browsers or apps: see to its restrictions, and exempt it"
		}
		j.add(r)
	})
}

var usedOrNot = map[rotation.Use]string{
	rotation.Used:    ", and it is used",
	rotation.Unused:  ", and nobody uses it",
	rotation.Unknown: ", and whether it is used is not known",
}

func apiKeysRotated(j *judge, p *project) {
	j.apiKeys(p, func(k inventory.APIKey, name string) {
		j.add(p.replaced(j.aged(p, inventory.APIKeys, name, "createTime", k.Created)))
	})
}

func restrictedToCallers(j *judge, p *project) {
	j.apiKeys(p, func(k inventory.APIKey, name string) {
		kind, values := callers(k.Restrictions)
		r := Result{Status: Pass, Project: p.ID, Resource: name, Credential: p.credential(name), Reason: "it is restricted to " + counted(len(values), kind)}
		if k.Blocked {
			r.Reason = "keyturn has taken it away by a restriction that nobody meets"
		}
		r.Evidence = p.saw(inventory.APIKeys, name, "%s: %s", kind, strings.Join(values, ", "))
		switch i := slices.IndexFunc(values, anywhere); {
		case len(values) == 0 && !k.Blocked:
			r.Status, r.Reason, r.Evidence = Fail, "it works from anywhere", p.saw(inventory.APIKeys, name, "no application restriction")
		case i >= 0:
			r.Status, r.Reason = Fail, fmt.Sprintf("its %s %s is as good as anywhere", kind, values[i])
		}
		if r.Status == Fail {
			r = p.restricted(r, "--allowed-ips=ADDRESS")
		}
		j.add(r)
	})
}

// restricted adds to the result for an API key the command that restricts it.
func (p *project) restricted(r Result, flag string) Result {
	if p.retiring(p.item(r.Resource)) != "" {
		return p.replaced(r) // its successor has what it has
	}
	r.Fix = inventory.Command("gcloud", "services", "api-keys", "update", path.Base(r.Resource), flag, "--project="+p.ID)
	return r
}

// callers are those that a key is restricted to; the API takes one kind only.
func callers(r inventory.Restrictions) (kind string, values []string) {
	switch {
	case len(r.Referrers) > 0:
		return "referrer", r.Referrers
	case len(r.Addresses) > 0:
		return "address", r.Addresses
	case len(r.AndroidApps) > 0:
		return "Android app", r.AndroidApps
	}
	return "iOS app", r.IOSApps
}

// anywhere reports whether a referrer or an address stands for any, as the benchmark
// has it: *, *.TLD and *.TLD/* for referrers; 0.0.0.0, 0.0.0.0/0 and ::0 for addresses.
func anywhere(value string) bool {
	if a, err := netip.ParseAddr(value); err == nil {
		return a.IsUnspecified()
	}
	if n, err := netip.ParsePrefix(value); err == nil {
		return n.Bits() == 0
	}
	_, rest, schemed := strings.Cut(value, "://")
	if !schemed {
		rest = value
	}
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, ":")
	labels := strings.Split(host, ".")
	if labels[0] != "*" {
		return false
	}
	return len(labels) == 1 || len(labels) == 2 || !slices.ContainsFunc(labels[:len(labels)-1], func(l string) bool { return l != "*" })
}

// allOfGoogleCloud is the API that stands for all.
const allOfGoogleCloud = "cloudapis.googleapis.com"

func restrictedToAPIs(j *judge, p *project) {
	j.apiKeys(p, func(k inventory.APIKey, name string) {
		var apis []string
		for _, t := range k.Restrictions.Targets {
			apis = append(apis, t.Service)
		}
		r := Result{Status: Pass, Project: p.ID, Resource: name, Credential: p.credential(name), Reason: "it is restricted to " + counted(len(apis), "API"), Evidence: p.saw(inventory.APIKeys, name, "apiTargets: %s", strings.Join(apis, ", "))}
		switch {
		case len(apis) == 0:
			r.Status, r.Reason, r.Evidence = Fail, "it may call every API that takes keys", p.saw(inventory.APIKeys, name, "no apiTargets")
		case slices.Contains(apis, allOfGoogleCloud):
			r.Status, r.Reason = Fail, "it may call "+allOfGoogleCloud+", which stands for all of Google Cloud's APIs"
		}
		if r.Status == Fail {
			r = p.restricted(r, "--api-target=service=SERVICE")
		}
		j.add(r)
	})
}
