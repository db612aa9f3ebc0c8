package gcp

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/shared/egress"
	"example.com/keyturn/shared/lazyregexp"
)

// Environment is all that the functions are told from outside. What is managed
// and how stands on the secrets, never here.
type Environment struct {
	Config
	WebhookURL string        // where alerts are posted, too; empty posts nowhere
	Alerts     string        // full name of the secret version, or path of the file, that says who is told of what; empty is neither
	Region     string        // that the functions are deployed in, for commands in alerts; empty is not known
	State      string        // where instances share what detectors know: StateFirestore, or a directory's path; empty shares nothing
	Timeout    time.Duration // how long a function may work on one event, as it was deployed; zero is the function's default
	Callers    string        // who may ask for what by HTTP, as package door reads it; empty is whoever CheckedBy lets in
	Audiences  string        // URLs of the function by which its callers' identity tokens are made out, separated by spaces; empty is none but gcloud's
	CheckedBy  string        // who checks callers before the function does: CheckedByCloudRun; empty is nobody
}

// CheckedByCloudRun is the Environment.CheckedBy of services that only those can
// call whom Cloud Run's IAM lets.
const CheckedByCloudRun = "cloud-run"

// StateFirestore is the Environment.State of those who share by Firestore.
const StateFirestore = "firestore"

// prefix marks the variables that are keyturn's.
const prefix = "KEYTURN_"

// ReadEnvironment reads variables in the form of os.Environ. It is strict: all
// problems are reported together, and a KEYTURN_ variable that is not known is
// one of them.
//
//	KEYTURN_PROJECT      project id; without it GOOGLE_CLOUD_PROJECT
//	KEYTURN_ENDPOINT     host:port of an embedded Google Cloud on loopback
//	KEYTURN_REGION       region that the functions are deployed in, for commands in alerts
//	KEYTURN_WEBHOOK_URL  https URL that alerts are posted to, or http on this machine
//	KEYTURN_ALERTS       secret version that holds alerts.yaml, or the file's absolute path
//	KEYTURN_TIMEOUT      the function's own timeout, such as 540s; without it CLOUD_RUN_TIMEOUT_SECONDS
//	KEYTURN_SEAL_COMMANDS  secret version whose payload, of at least 32 bytes, seals commands on keyturn-rotate
//	KEYTURN_SEAL_FINDINGS  likewise findings and rotation events on keyturn-findings
//	KEYTURN_STATE        "firestore", or the absolute path of a directory, where instances share what detectors know
//	KEYTURN_CALLERS      who may ask for what by HTTP, such as "ada@example.com: *; bob@example.com: status plan"
//	KEYTURN_AUDIENCES    URLs of the function, separated by spaces, that identity tokens may be for
//	KEYTURN_ALLOW_KEY_FILE  "true" lets a function call Google with a user-managed key, which it refuses otherwise
//	KEYTURN_EGRESS       hosts that alerts and policies' probes may go to, separated by spaces, such as "hooks.slack.com *.example.com"; empty is any on the internet
//	KEYTURN_CHECKED_BY   "cloud-run" where the service was deployed with --no-allow-unauthenticated
//
// checks are what else of the environment is to be right. As Google's clients do, it
// goes by FIRESTORE_EMULATOR_HOST, too, and an embedded Google Cloud is called as the
// account of the metadata server at GCE_METADATA_HOST, if there is one.
func ReadEnvironment(environ []string, checks ...func(Environment) error) (Environment, error) {
	var e Environment
	var timeout, service, keyFile, hosts string
	fields := map[string]*string{
		"KEYTURN_PROJECT":     &e.Project,
		"KEYTURN_ENDPOINT":    &e.Endpoint,
		"KEYTURN_REGION":      &e.Region,
		"KEYTURN_WEBHOOK_URL": &e.WebhookURL,
		"KEYTURN_ALERTS":      &e.Alerts,
		"KEYTURN_TIMEOUT":     &timeout,
		"KEYTURN_STATE":       &e.State,
		"KEYTURN_CALLERS":     &e.Callers,
		"KEYTURN_AUDIENCES":   &e.Audiences,
		"KEYTURN_CHECKED_BY":  &e.CheckedBy,

		"KEYTURN_ALLOW_KEY_FILE": &keyFile,
		"KEYTURN_EGRESS":         &hosts,

		"KEYTURN_SEAL_COMMANDS": &e.SealCommands,
		"KEYTURN_SEAL_FINDINGS": &e.SealFindings,
	}
	var fallback, platform string
	var problems []error
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		field, known := fields[name]
		switch {
		case known:
			*field = value
		case name == "GOOGLE_CLOUD_PROJECT":
			fallback = value
		case name == "CLOUD_RUN_TIMEOUT_SECONDS" && value != "":
			platform = value + "s"
		case name == "FIRESTORE_EMULATOR_HOST":
			e.Firestore = value
		case name == "GCE_METADATA_HOST":
			e.Attached = value != ""
		case name == "K_SERVICE": // Cloud Run sets it (docs.cloud.google.com/run/docs/container-contract)
			service = value
		case strings.HasPrefix(name, prefix):
			problems = append(problems, fmt.Errorf("%s is not a variable of keyturn's; it knows %s", name, strings.Join(slices.Sorted(maps.Keys(fields)), ", ")))
		}
	}
	e.Project = cmp.Or(e.Project, fallback)
	e.AllowKeyFile = keyFile == "true"
	var wrong, unclear error
	e.Egress, unclear = egress.ParseHosts(hosts)
	e.Timeout, wrong = parseTimeout(cmp.Or(timeout, platform)) // the latter is Cloud Run's own, and always right
	problems = append(problems, e.validate(), checkRegion(e.Region), checkWebhook(e.WebhookURL), e.checkAlerts(), e.checkState(), e.checkSealed(), e.checkAudiences(), e.checkCheckedBy(service), checkAllowKeyFile(keyFile), unclear, wrong)
	for _, check := range checks {
		problems = append(problems, check(e))
	}
	if err := errors.Join(problems...); err != nil {
		return Environment{}, fmt.Errorf("reading the environment: %w", err)
	}
	return e, nil
}

// checkSealed wants what a deployment must not be without.
func (e Environment) checkSealed() error {
	if e.Endpoint == "" && len(e.seals()) < 2 {
		return errNoSeal
	}
	return nil
}

func checkAllowKeyFile(text string) error {
	if text != "" && text != "true" {
		return fmt.Errorf("KEYTURN_ALLOW_KEY_FILE is %.40q: want true, or nothing", text)
	}
	return nil
}

func (e Environment) checkAudiences() error {
	for _, audience := range strings.Fields(e.Audiences) {
		u, err := url.Parse(audience)
		if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || e.Endpoint == "") {
			return fmt.Errorf("KEYTURN_AUDIENCES has %.80q: want the function's https URLs, separated by spaces", audience)
		}
	}
	return nil
}

// checkCheckedBy has nobody believed to be checked where nobody checks.
func (e Environment) checkCheckedBy(service string) error {
	switch {
	case e.CheckedBy == "":
		return nil
	case e.CheckedBy != CheckedByCloudRun:
		return fmt.Errorf("KEYTURN_CHECKED_BY is %.40q: want %s, or nothing", e.CheckedBy, CheckedByCloudRun)
	case service == "" || e.Endpoint != "":
		return fmt.Errorf("KEYTURN_CHECKED_BY is %s, and this is not Cloud Run, which sets K_SERVICE and has no KEYTURN_ENDPOINT: take it out", CheckedByCloudRun)
	}
	return nil
}

func (e Environment) checkState() error {
	switch {
	case e.State == StateFirestore && e.Endpoint != "" && e.Firestore == "":
		return errors.New("KEYTURN_STATE is firestore, which the embedded Google Cloud of KEYTURN_ENDPOINT has not: give the path of a directory, or FIRESTORE_EMULATOR_HOST")
	case e.State != "" && e.State != StateFirestore && !filepath.IsAbs(e.State):
		return fmt.Errorf("KEYTURN_STATE is %.80q: want firestore or the absolute path of a directory", e.State)
	}
	return nil
}

func (e Environment) checkAlerts() error {
	switch {
	case e.Alerts != "" && !filepath.IsAbs(e.Alerts) && !versionName.MatchString(e.Alerts):
		return fmt.Errorf("KEYTURN_ALERTS is %.80q: want projects/PROJECT/secrets/SECRET/versions/VERSION, or the absolute path of a file", e.Alerts)
	case e.Alerts != "" && e.WebhookURL != "":
		return errors.New("KEYTURN_WEBHOOK_URL and KEYTURN_ALERTS exclude each other: make the webhook a channel of alerts.yaml")
	}
	return nil
}

var regionName = lazyregexp.New(`^[a-z]+-[a-z]+[0-9]+$`)

func checkRegion(name string) error {
	if name != "" && !regionName.MatchString(name) {
		return fmt.Errorf("KEYTURN_REGION is %.40q: want a region's name, such as us-central1", name)
	}
	return nil
}

func checkWebhook(raw string) error {
	if raw == "" {
		return nil
	}
	u, err := url.Parse(raw)
	if err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname())) {
		return nil
	}
	return errors.New("KEYTURN_WEBHOOK_URL is neither an https URL nor, for a receiver on this machine, an http one") // not quoted: it may hold a token
}

// parseTimeout accepts what Cloud Run does: a second to an hour.
func parseTimeout(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second || d > time.Hour {
		return 0, fmt.Errorf("KEYTURN_TIMEOUT is %.40q: want a duration between 1s and 1h, such as 540s", text)
	}
	return d, nil
}
