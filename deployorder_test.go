package keyturn

import (
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"example.com/keyturn/shared/deployment"
)

// order wants nothing deployed that is not tested, nothing that takes events before the
// canaries, no canary before its requests are held, and the schedule at the end.
func (c *deployCheck) order() {
	var canaries, others []string
	for _, f := range deployment.Functions {
		id := "deploy-" + strings.TrimPrefix(f.Name, "keyturn-")
		if f.Check != "" {
			canaries = append(canaries, id)
		} else {
			others = append(others, id)
		}
	}
	wanted := map[string][]string{"hold": {"test", "vulnerabilities", "sbom"}, "canary": canaries, "schedule": others}
	for _, id := range canaries {
		wanted[id] = []string{"hold"}
	}
	for _, id := range others {
		wanted[id] = []string{"canary"}
	}
	for _, step := range c.build.GetSteps() {
		want, ordered := wanted[step.GetId()]
		delete(wanted, step.GetId())
		if ordered && !slices.Equal(slices.Sorted(slices.Values(step.GetWaitFor())), slices.Sorted(slices.Values(want))) {
			c.wrong("step %s waits for %v, not for %v", step.GetId(), step.GetWaitFor(), want)
		}
		if step.GetAllowFailure() || len(step.GetAllowExitCodes()) > 0 {
			c.wrong("step %s may fail", step.GetId())
		}
	}
	for id := range wanted {
		c.wrong("there is no step %s", id)
	}
}

// rollouts wants the requests of just those functions held and moved on that have a
// self-check, where they are deployed, and no deployment to take them all at once.
func (c *deployCheck) rollouts() {
	var names []string
	for _, f := range deployment.Functions {
		if f.Check != "" {
			names = append(names, f.Name)
		}
	}
	for _, step := range c.build.GetSteps() {
		args := step.GetArgs()
		if slices.Contains(args, "--serve-all-traffic-latest-revision") {
			c.wrong("step %s has all requests go to what was not checked", step.GetId())
		}
		verb := map[string]string{"hold": "hold", "canary": "advance"}[step.GetId()]
		if verb == "" {
			continue
		}
		want := append([]string{"run", "./cmd/keyturn", "rollout", verb}, names...)
		if len(args) < len(want) || !slices.Equal(args[:len(want)], want) {
			c.wrong("step %s runs %q, not %q", step.GetId(), args, want)
		}
		if flag(args, "--project") != "${PROJECT_ID}" || flag(args, "--region") != "${_REGION}" {
			c.wrong("step %s is not about where the functions are deployed: %q", step.GetId(), args)
		}
		if verb == "advance" {
			c.share(step)
		}
	}
}

// share wants a canary to get some of the requests and not all.
func (c *deployCheck) share(step *cloudbuildpb.BuildStep) {
	name := strings.Trim(flag(step.GetArgs(), "--percent"), "${}")
	if percent, err := strconv.Atoi(c.build.GetSubstitutions()[name]); err != nil || percent < 1 || percent > 50 {
		c.wrong("step %s gives the canary %q of the requests, not 1 to 50 %%", step.GetId(), c.build.GetSubstitutions()[name])
	}
}
