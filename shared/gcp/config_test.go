package gcp

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestConfig(t *testing.T) {
	for name, tt := range map[string]struct {
		c    Config
		want string // of the error; empty is none
	}{
		"Google's own":      {Config{Project: "acme"}, ""},
		"embedded":          {Config{Project: "acme", Endpoint: "127.0.0.1:8790"}, ""},
		"embedded, IPv6":    {Config{Project: "acme", Endpoint: "[::1]:8790"}, ""},
		"project of a firm": {Config{Project: "example.com:acme-1"}, ""},
		"no project":        {Config{}, "KEYTURN_PROJECT"},
		"project with /":    {Config{Project: "acme/secrets/x"}, `"acme/secrets/x" is not a project id`},
		"spaced project":    {Config{Project: " acme"}, `" acme" is not a project id`},
		"network":           {Config{Project: "acme", Endpoint: "10.0.0.1:8790"}, `"10.0.0.1:8790" is not a loopback`},
		"every address":     {Config{Project: "acme", Endpoint: "0.0.0.0:8790"}, "not a loopback"},
		"name":              {Config{Project: "acme", Endpoint: "localhost.evil.example:8790"}, "not a loopback"},
		"no port":           {Config{Project: "acme", Endpoint: "127.0.0.1"}, "not a loopback host:port"},
		"empty port":        {Config{Project: "acme", Endpoint: "127.0.0.1:"}, "not a loopback host:port"},
		"URL":               {Config{Project: "acme", Endpoint: "http://127.0.0.1:8790"}, "not a loopback host:port"},
		"no such quotas":    {Config{Project: "acme", Quotas: 4}, "quotas 4 are none of"},
		"negative quotas":   {Config{Project: "acme", Quotas: -1}, "quotas -1 are none of"},
		"all that is wrong": {Config{Endpoint: "x"}, "not a loopback"},
	} {
		t.Run(name, func(t *testing.T) {
			cloud, err := New(tt.c)
			if tt.want != "" {
				says(t, err, tt.want)
				return
			}
			must(t, err)
			if cloud.Project() != tt.c.Project {
				t.Errorf("project %q", cloud.Project())
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	embedded, google := newCloud(t, "127.0.0.1:1"), newCloud(t, "")
	for got, want := range map[string]string{
		embedded.TokenURL(): "http://127.0.0.1:1/token", embedded.geminiURL(): "http://127.0.0.1:1",
		embedded.userInfoURL(): "http://127.0.0.1:1/v1/userinfo", google.userInfoURL(): "https://openidconnect.googleapis.com/v1/userinfo",
		google.TokenURL(): "https://oauth2.googleapis.com/token", google.geminiURL(): "https://generativelanguage.googleapis.com",
	} {
		if got != want {
			t.Errorf("address %s, want %s", got, want)
		}
	}
	if n := len(google.options()); n != 1 || google.restOptions() != nil {
		t.Errorf("Google's own cloud is dialled with %d options, want the interceptor alone", n)
	}
}

func TestReadEnvironment(t *testing.T) {
	sealed := Config{Project: "acme", SealCommands: "projects/acme/secrets/c/versions/latest", SealFindings: "projects/acme/secrets/f/versions/1"}
	commands, findings := "KEYTURN_SEAL_COMMANDS="+sealed.SealCommands, "KEYTURN_SEAL_FINDINGS="+sealed.SealFindings
	for name, tt := range map[string]struct {
		environ []string
		want    Environment
	}{
		"least": {[]string{"KEYTURN_PROJECT=acme", commands, findings}, Environment{Config: sealed}},
		"all": {[]string{"PATH=/bin", "KEYTURN_PROJECT=acme", "KEYTURN_ENDPOINT=127.0.0.1:1", "KEYTURN_WEBHOOK_URL=https://hooks.example/x?a=b", "KEYTURN_REGION=europe-west1", "KEYTURN_TIMEOUT=90s", "KEYTURN_STATE=firestore", "KEYTURN_CALLERS=ada@example.com: *", "KEYTURN_AUDIENCES=http://127.0.0.1:3/x https://x.run.app", commands, "FIRESTORE_EMULATOR_HOST=127.0.0.1:2", "GOOGLE_CLOUD_PROJECT=other"},
			Environment{Config{Project: "acme", Endpoint: "127.0.0.1:1", Firestore: "127.0.0.1:2", SealCommands: sealed.SealCommands}, "https://hooks.example/x?a=b", "", "europe-west1", "firestore", 90 * time.Second, "ada@example.com: *", "http://127.0.0.1:3/x https://x.run.app", ""}},
		"state in a directory":   {[]string{"KEYTURN_PROJECT=acme", "KEYTURN_STATE=/var/state", commands, findings}, Environment{Config: sealed, State: "/var/state"}},
		"checked":                {[]string{"KEYTURN_PROJECT=acme", "K_SERVICE=keyturn-rotate-http", "KEYTURN_CHECKED_BY=cloud-run", commands, findings}, Environment{Config: sealed, CheckedBy: CheckedByCloudRun}},
		"state in the cloud":     {[]string{"KEYTURN_PROJECT=acme", "KEYTURN_STATE=firestore", commands, findings}, Environment{Config: sealed, State: "firestore"}},
		"the platform's project": {[]string{"GOOGLE_CLOUD_PROJECT=acme", "KEYTURN_PROJECT=", commands, findings}, Environment{Config: sealed}},
		"others' variables":      {[]string{"KEYTURN=x", "keyturn_x=y", "odd", "=C:", "KEYTURN_PROJECT=acme", commands, findings}, Environment{Config: sealed}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ReadEnvironment(tt.environ)
			must(t, err)
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestReadEnvironmentTellsAllThatIsWrong(t *testing.T) {
	got, err := ReadEnvironment([]string{"KEYTURN_ENDPOINT=10.0.0.1:1", "KEYTURN_WEBHOOK_URL=" + canary, "KEYTURN_WEBHOOK=" + canary, "KEYTURN_TIMEOUT=2h", "KEYTURN_REGION=eu; reboot", "KEYTURN_STATE=firestore", "FIRESTORE_EMULATOR_HOST=10.0.0.2:1", "KEYTURN_="})
	for _, want := range []string{
		"reading the environment: ", "KEYTURN_PROJECT", `"10.0.0.1:1"`, "KEYTURN_WEBHOOK_URL is neither an https URL", `KEYTURN_REGION is "eu; reboot": want a region's name`,
		"KEYTURN_WEBHOOK is not a variable of keyturn's; it knows KEYTURN_ALERTS, KEYTURN_ALLOW_KEY_FILE, KEYTURN_AUDIENCES, KEYTURN_CALLERS, KEYTURN_CHECKED_BY, KEYTURN_EGRESS, KEYTURN_ENDPOINT, KEYTURN_PROJECT, KEYTURN_REGION, KEYTURN_SEAL_COMMANDS, KEYTURN_SEAL_FINDINGS, KEYTURN_STATE, KEYTURN_TIMEOUT, KEYTURN_WEBHOOK_URL", `"10.0.0.2:1"`, `KEYTURN_TIMEOUT is "2h": want a duration between 1s and 1h`, "KEYTURN_ is not",
	} {
		says(t, err, want)
	}
	if !reflect.DeepEqual(got, Environment{}) || strings.Contains(err.Error(), canary) {
		t.Errorf("environment %+v, error %v: want neither with values", got, err)
	}
}

func TestWhereAlertsAreConfigured(t *testing.T) {
	local := []string{"KEYTURN_PROJECT=acme", "KEYTURN_ENDPOINT=127.0.0.1:1"}
	for _, alerts := range []string{"projects/acme/secrets/alerts/versions/latest", "/etc/alerts.yaml", ""} {
		e, err := ReadEnvironment(append(local, "KEYTURN_ALERTS="+alerts))
		if err != nil || e.Alerts != alerts {
			t.Errorf("%s: %q, %v", alerts, e.Alerts, err)
		}
	}
	for _, alerts := range []string{"alerts.yaml", "projects/acme/secrets/alerts", "projects/acme/secrets/alerts/versions/"} {
		_, err := ReadEnvironment(append(local, "KEYTURN_ALERTS="+alerts))
		says(t, err, fmt.Sprintf("KEYTURN_ALERTS is %q: want projects/", alerts))
	}
	_, err := ReadEnvironment(append(local, "KEYTURN_ALERTS=/etc/alerts.yaml", "KEYTURN_WEBHOOK_URL=https://hooks.example/"+canary))
	says(t, err, "exclude each other: make the webhook a channel")
	if strings.Contains(err.Error(), canary) {
		t.Errorf("%v quotes the URL", err)
	}
}

func TestStatesThatCannotBe(t *testing.T) {
	for variable, want := range map[string]string{"KEYTURN_STATE=firestore": "the embedded Google Cloud of KEYTURN_ENDPOINT has not", "KEYTURN_STATE=state": `KEYTURN_STATE is "state": want firestore or the absolute path`} {
		_, err := ReadEnvironment([]string{"KEYTURN_PROJECT=acme", "KEYTURN_ENDPOINT=127.0.0.1:1", variable})
		says(t, err, want)
	}
}

func TestWebhookURL(t *testing.T) {
	good := []string{"", "https://hooks.example/services/x", "http://127.0.0.1:9", "http://localhost/x"}
	bad := []string{canary, "https://", "ftp://hooks.example/" + canary, "https://hooks.example/%zz" + canary, "//hooks.example", "http://hooks.example/" + canary, "mailto:a@b.c"}
	for _, raw := range slices.Concat(good, bad) {
		err := checkWebhook(raw)
		if (err == nil) != slices.Contains(good, raw) {
			t.Errorf("webhook %q: error %v", raw, err)
		}
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("error %v quotes the URL", err)
		}
	}
}

func TestCallersThatCannotBeChecked(t *testing.T) {
	for variable, want := range map[string]string{
		"KEYTURN_CHECKED_BY=iam":                    `KEYTURN_CHECKED_BY is "iam": want cloud-run, or nothing`,
		"KEYTURN_CHECKED_BY=cloud-run":              "this is not Cloud Run, which sets K_SERVICE",
		"KEYTURN_AUDIENCES=keyturn":                 `KEYTURN_AUDIENCES has "keyturn": want the function's https URLs`,
		"KEYTURN_AUDIENCES=https://a.run.app?x=1":   "KEYTURN_AUDIENCES has",
		"KEYTURN_AUDIENCES=https://a@a.run.app":     "KEYTURN_AUDIENCES has",
		"KEYTURN_AUDIENCES=https://a.run.app http:": "KEYTURN_AUDIENCES has",
		"KEYTURN_AUDIENCES=http://a.run.app":        "KEYTURN_AUDIENCES has",
	} {
		_, err := ReadEnvironment([]string{"KEYTURN_PROJECT=acme", variable})
		says(t, err, want)
	}
	_, err := ReadEnvironment([]string{"KEYTURN_PROJECT=acme", "KEYTURN_ENDPOINT=127.0.0.1:1", "K_SERVICE=x", "KEYTURN_CHECKED_BY=cloud-run"})
	says(t, err, "this is not Cloud Run")
	_, err = ReadEnvironment([]string{"KEYTURN_TIMEOUT=1"}, func(Environment) error { return errors.New("nor is the rest") })
	says(t, err, "KEYTURN_TIMEOUT")
	for want, variables := range map[time.Duration][]string{
		3600 * time.Second: {"CLOUD_RUN_TIMEOUT_SECONDS=3600"},
		90 * time.Second:   {"CLOUD_RUN_TIMEOUT_SECONDS=3600", "KEYTURN_TIMEOUT=90s"},
		0:                  {"CLOUD_RUN_TIMEOUT_SECONDS="},
	} {
		e, err := ReadEnvironment(append(variables, "KEYTURN_PROJECT=acme", "KEYTURN_ENDPOINT=127.0.0.1:1"))
		if err != nil || e.Timeout != want {
			t.Errorf("%v: %v, %v", variables, e.Timeout, err)
		}
	}
	says(t, err, "nor is the rest")
}
