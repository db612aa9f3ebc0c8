package deployment

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// How the functions are deployed.

func (e examination) functions() []Problem {
	if e.Functions.Unread != nil {
		return nil
	}
	var all []Problem
	for _, f := range Functions {
		name := e.Function(f.Name)
		d, deployed := e.Functions.Value[name]
		needs := []string{apiFunctions, apiRun, "serviceAccount:" + e.Email(f.Account)}
		if f.Topic != "" {
			needs = append(needs, e.Topic(f.Topic))
		}
		var found []Problem
		if !deployed {
			found = []Problem{wrong(Broken, checkFunction, name, "function "+f.Name+" is not deployed", f.without(), e.build()).provides(name, e.Service(f.Name))}
		} else {
			found = slices.Concat(e.deployed(f, d), e.environment(f, d), e.trigger(f, d))
		}
		for _, p := range found {
			all = append(all, p.after(needs...))
		}
	}
	return all
}

// without is what comes of it when a function does not work.
func (f Function) without() string {
	if f.Topic == "" {
		return "nobody can call it, such as during an incident"
	}
	for _, t := range Topics {
		if t.ID == f.Topic {
			return t.Why + " are not handled"
		}
	}
	return "messages of " + f.Topic + " are not handled"
}

func (e examination) deployed(f Function, d Deployed) []Problem {
	name := e.Function(f.Name)
	if d.State != "ACTIVE" {
		return []Problem{wrong(Broken, checkFunction, name, fmt.Sprintf("function %s is %s%s", f.Name, d.State, because(d.Messages)), f.without(), e.build()).provides(name)}
	}
	var all []Problem
	differs := func(what, have, want, consequence string) {
		if have != want {
			all = append(all, wrong(Broken, checkFunction, name, fmt.Sprintf("function %s has %s %q, not %q", f.Name, what, have, want), consequence, e.build()))
		}
	}
	differs("the entry point", d.Entry, f.Entry, f.without())
	differs("the account", d.Account, e.Email(f.Account), "it may do too little, or too much")
	if d.Timeout < f.TimeLimit() {
		differs("the timeout", d.Timeout.String(), f.TimeLimit().String(), "what takes longer is cut off, and begins again")
	}
	if d.Behind {
		all = append(all, wrong(Broken, checkFunction, name, "function "+f.Name+" has requests go to another revision than its latest", "what was deployed last is not in use, or not wholly: its canary is under way, or failed, or somebody stepped back",
			e.build(), e.gcloud("run", "services", "update-traffic", f.Name, "--region="+e.Region, "--to-latest")))
	}
	return all
}

func because(messages []string) string {
	if len(messages) == 0 {
		return ""
	}
	return ": " + strings.Join(messages, "; ")
}

// environment compares the variables that keyturn reads. The embedded cloud's
// functions share a directory rather than Firestore.
func (e examination) environment(f Function, d Deployed) []Problem {
	name := e.Function(f.Name)
	if d.Refused != "" {
		return []Problem{wrong(Broken, checkEnvironment, name, fmt.Sprintf("function %s refuses its environment: %s", f.Name, d.Refused),
			"it answers every call with an error", e.build())}
	}
	var all []Problem
	for _, v := range slices.Sorted(maps.Keys(f.Environment)) {
		have, want := d.Environment[v], e.Expand(f.Environment[v])
		consequence, judged := variableMatters[v]
		if !judged || have == want || v == State && e.Endpoint != "" && have != "" {
			continue
		}
		all = append(all, wrong(Broken, checkEnvironment, name, fmt.Sprintf("function %s has %s=%s, not %s", f.Name, v, have, want), consequence, e.build()))
	}
	if endpoint := d.Environment["KEYTURN_ENDPOINT"]; endpoint != e.Endpoint {
		all = append(all, wrong(Broken, checkEnvironment, name, fmt.Sprintf("function %s has KEYTURN_ENDPOINT=%s", f.Name, endpoint),
			"it does not work on the cloud that it is deployed in", e.build()))
	}
	return all
}

// variableMatters is what comes of another value than cloudbuild.yaml's. Of the
// variables that are not here each deployment chooses for itself.
var variableMatters = map[string]string{
	"KEYTURN_PROJECT":       "it works on another project",
	"KEYTURN_REGION":        "the commands in its alerts name another region",
	"KEYTURN_SEAL_COMMANDS": "it does not take the others' commands, or they not its",
	"KEYTURN_SEAL_FINDINGS": "it does not take the others' findings, or they not its",
	State:                   "its instances do not know what the others know: alerts come twice, and incidents are forgotten",
}

func (e examination) trigger(f Function, d Deployed) []Problem {
	want := ""
	if f.Topic != "" {
		want = e.Topic(f.Topic)
	}
	var all []Problem
	if d.Topic != want {
		all = append(all, wrong(Broken, checkTrigger, e.Function(f.Name), fmt.Sprintf("function %s is started by %s, not by %s", f.Name, started(d.Topic), started(want)), f.without(), e.build()))
	} else if want != "" && !d.Retries {
		all = append(all, wrong(Broken, checkTrigger, e.Function(f.Name), fmt.Sprintf("function %s does not get a message again that it failed at", f.Name),
			"what fails once, such as while Google is not available, is lost", e.build()))
	}
	return all
}

func started(topic string) string {
	if topic == "" {
		return "HTTP"
	}
	return "topic " + path.Base(topic)
}

// alertsSecret is the secret that the alert function reads alerts.yaml from; empty
// is none.
func (e examination) alertsSecret() string {
	version := e.Functions.Value[e.Function("keyturn-alert")].Environment["KEYTURN_ALERTS"]
	name, _, found := strings.Cut(version, "/versions/")
	if !found {
		return ""
	}
	return name
}
