package keyturn

import (
	"strings"
	"testing"
)

// TestDeployCheckCatchesMistakes makes one mistake after the other.
func TestDeployCheckCatchesMistakes(t *testing.T) {
	build := func(f *deployFiles) *string { return &f.cloudbuild }
	jobs := func(f *deployFiles) *string { return &f.scheduler }
	for name, tt := range map[string]struct {
		file     func(*deployFiles) *string
		old, new string // the first of old
		want     string // of the problems
	}{
		"field of a step":        {build, "entrypoint: go", "entrypont: go", `unknown field "entrypont"`},
		"key twice":              {build, "timeout: 3600s", "timeout: 3600s\ntimeout: 60s", "already defined"},
		"no duration":            {build, "timeout: 3600s", "timeout: an hour", "Duration"},
		"no logging option":      {build, "CLOUD_LOGGING_ONLY", "CLOUD_LOGGING", "CLOUD_LOGGING"},
		"logs to a bucket":       {build, "CLOUD_LOGGING_ONLY", "GCS_ONLY", "logging is GCS_ONLY"},
		"no provenance":          {build, "VERIFIED", "NOT_VERIFIED", "no provenance"},
		"id twice":               {build, "id: sbom", "id: test", `step "test" has no id of its own`},
		"waits for a later step": {build, "waitFor: ['-']", "waitFor: [sbom]", `waits for "sbom", which is no earlier step`},
		"deploys untested":       {build, "waitFor: [test, vulnerabilities, sbom]", "waitFor: [sbom]", "step hold waits for [sbom]"},
		"deploys unheld":         {build, "waitFor: [hold]", "waitFor: [test]", "step deploy-rotate-http waits for [test]"},
		"events unchecked":       {build, "waitFor: [canary]", "waitFor: [hold]", "step deploy-rotate waits for [hold]"},
		"canary before one":      {build, "waitFor: [deploy-rotate-http, deploy-audit-http, deploy-alert-http]", "waitFor: [deploy-rotate-http, deploy-audit-http]", "step canary waits for [deploy-rotate-http deploy-audit-http]"},
		"schedule too early":     {build, "waitFor: [deploy-rotate, deploy-audit, deploy-audit-sweep, deploy-alert]", "waitFor: [deploy-rotate]", "step schedule waits for"},
		"no canary":              {build, "id: canary", "id: canaries", "there is no step canary"},
		"canary may fail":        {build, "id: canary", "id: canary\n    allowFailure: true", "step canary may fail"},
		"holds another":          {build, "rollout, hold, keyturn-rotate-http", "rollout, hold, keyturn-rotate", "step hold runs"},
		"advances fewer":         {build, "rollout, advance, keyturn-rotate-http, ", "rollout, advance, ", "step canary runs"},
		"advances at once":       {build, "rollout, hold,", "rollout, advance,", "step hold runs"},
		"canary elsewhere":       {build, "'--region=${_REGION}', '--percent", "'--region=us-east1', '--percent", "step canary is not about where"},
		"canary for all":         {build, "_CANARY: '10'", "_CANARY: '100'", `"100" of the requests`},
		"all at once":            {build, "--entry-point=RotateHTTP", "--entry-point=RotateHTTP\n      - --serve-all-traffic-latest-revision", "step deploy-rotate-http has all requests"},
		"tool of no version":     {build, "govulncheck@v1.9.0", "govulncheck@latest", "which is of no version"},
		"undeclared":             {build, "--region=${_REGION}", "--region=${_REGOIN}", "_REGOIN is used and not declared"},
		"unused":                 {build, "  _REGION: us-central1", "  _REGION: us-central1\n  _ZONE: a", "_ZONE is declared and not used"},
		"entry point":            {build, "--entry-point=Audit\n", "--entry-point=Audits\n", `deploys "Audits", which functions.go does not register`},
		"trigger topic":          {build, "--trigger-topic=keyturn-logs", "--trigger-topic=keyturn-log", `"keyturn-log", which is no topic`},
		"account":                {build, "--run-service-account=keyturn-alert@", "--run-service-account=keyturn-alarm@", `account "keyturn-alarm" is none`},
		"another's account":      {build, "--run-service-account=keyturn-alert@", "--run-service-account=keyturn-rotate@", "keyturn-alert-http: --run-service-account"},
		"secret":                 {build, "secrets/keyturn-seal-findings/", "secrets/keyturn-seal-finding/", `secret "keyturn-seal-finding" is none`},
		"older runtime":          {build, "_RUNTIME: go126", "_RUNTIME: go125", "deploys go125, go.mod wants go126"},
		"newer module":           {func(f *deployFiles) *string { return &f.mod }, "\ngo 1.26", "\ngo 1.27", "deploys go126, go.mod wants go127"},
		"function not deployed":  {func(f *deployFiles) *string { return &f.functions }, `functions.HTTP("AlertHTTP"`, `functions.HTTP("More", nil); functions.HTTP("AlertHTTP"`, "More is registered and not deployed"},
		"open to everybody":      {build, "--no-allow-unauthenticated", "--allow-unauthenticated", "lack a flag"},
		"field of a job":         {jobs, "schedule:", "shedule:", `unknown field "shedule"`},
		"never fires":            {jobs, "41 5 * * *", "41 5 31 2 *", "41 5 31 2 *"},
		"minute 60":              {jobs, "23 * * * *", "60 * * * *", "60 * * * *"},
		"variable":               {jobs, "${REGION}/jobs", "${REGOIN}/jobs", `"${REGOIN}" is no variable`},
		"job twice":              {jobs, "jobs/keyturn-inspect", "jobs/keyturn-sweep", "there is another one named"},
		"topic of a job":         {jobs, "topics/keyturn-audit", "topics/keyturn-audits", `topic "keyturn-audits" is none`},
		"nobody escalates":       {jobs, "command: tend", "command: end", `no job orders "keyturn-findings tend"`},
		"does not try again":     {jobs, "retryCount: 3", "retryCount: 0", "has no retryConfig that tries again"},
		"deadline of a topic":    {jobs, "timeZone: Etc/UTC", "timeZone: Etc/UTC\n    attemptDeadline: 60s", "attemptDeadline is ignored"},
	} {
		t.Run(name, func(t *testing.T) {
			files := readDeployFiles(t)
			text := tt.file(&files)
			if !strings.Contains(*text, tt.old) {
				t.Fatalf("there is no %q to change", tt.old)
			}
			*text = strings.Replace(*text, tt.old, tt.new, 1)
			if problems := strings.Join(files.checked().problems, "\n"); !strings.Contains(problems, tt.want) {
				t.Errorf("it is not caught as %q:\n%s", tt.want, problems)
			}
		})
	}
}
