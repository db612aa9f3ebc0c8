package gcp

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/keyturn/shared/event"
)

// defaults makes a file the Application Default Credentials, by the variable or by its place.
func defaults(t *testing.T, content string, byVariable bool) {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	name := filepath.Join(home, ".config", "gcloud", "application_default_credentials.json")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
	if byVariable {
		name = filepath.Join(home, ".config", "gcloud", "other.json")
		t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", name)
	}
	must(t, os.MkdirAll(filepath.Dir(name), 0o700))
	must(t, os.WriteFile(name, []byte(content), 0o600))
}

const ownFile = `{"type":"service_account","client_email":"` + relay + `","private_key_id":"k1","private_key":"` + canary + `","project_id":"acme"}`

func TestUserManagedKeysOfKeyturnsOwn(t *testing.T) {
	for name, tt := range map[string]struct {
		file string
		key  bool
	}{
		"a key":                         {ownFile, true},
		"an account acted as by a key":  {`{"type":"impersonated_service_account","source_credentials":` + ownFile + `}`, true},
		"a person":                      {`{"type":"authorized_user","client_id":"i","client_secret":"s","refresh_token":"r"}`, false},
		"an account acted as by one":    {`{"type":"impersonated_service_account","source_credentials":{"type":"authorized_user"}}`, false},
		"workload identity federation":  {`{"type":"external_account","service_account_impersonation_url":"u"}`, false},
		"what is no credentials at all": {canary, false},
	} {
		for _, byVariable := range []bool{true, false} {
			defaults(t, tt.file, byVariable)
			err := CheckOwnKey(Config{})
			if errors.Is(err, ErrOwnKey) != tt.key {
				t.Errorf("%s, by variable %v: %v", name, byVariable, err)
			}
			if own := OwnKeyOf(Config{}); tt.key != (own.ID == "k1" && own.Account == relay && own.File != "" && strings.Contains(own.Warning(), relay)) || !tt.key && own.Warning() != "" {
				t.Errorf("%s: %+v", name, own)
			}
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("%s: the refusal tells the key: %v", name, err)
			}
			if err := errors.Join(CheckOwnKey(Config{AllowKeyFile: true}), CheckOwnKey(Config{Endpoint: "127.0.0.1:1"})); err != nil {
				t.Errorf("%s: where it is allowed, or of the embedded cloud: %v", name, err)
			}
		}
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
	t.Setenv("HOME", "")
	if own := OwnKeyOf(Config{Endpoint: "127.0.0.1:1", KeyFile: "nothing.json"}); own != (OwnKey{}) {
		t.Errorf("of no file: %+v", own)
	}
	if name := defaultFile(); !strings.HasSuffix(name, filepath.Join(".config", "gcloud", "application_default_credentials.json")) {
		t.Errorf("without HOME: %s", name)
	}
}

// TestNoClientIsDialledWithAUserManagedKey tries all of them, and says what to do.
func TestNoClientIsDialledWithAUserManagedKey(t *testing.T) {
	cloud := newCloud(t, "")
	defaults(t, ownFile, true) // mounted later
	for name, a := range adapters() {
		err := a.do(t.Context(), cloud)
		if !errors.Is(err, ErrOwnKey) {
			t.Errorf("%s: %v", name, err)
		}
		says(t, err, "workload identity federation")
		says(t, err, "KEYTURN_ALLOW_KEY_FILE=true")
	}
	if _, err := cloud.Tokens().Token(); !errors.Is(err, ErrOwnKey) {
		t.Errorf("a token: %v", err)
	}
	as, err := New(Config{Project: testProject, Impersonate: []string{bot}})
	must(t, err)
	if _, err := as.Tokens().Token(); !errors.Is(err, ErrOwnKey) {
		t.Errorf("a token of somebody else: %v", err)
	}
	if err := as.Publish(t.Context(), event.Outgoing{Topic: event.TopicDead}); !errors.Is(err, ErrOwnKey) {
		t.Errorf("acting as somebody else: %v", err)
	}
}

func TestAllowKeyFileIsReadStrictly(t *testing.T) {
	environ := []string{"KEYTURN_PROJECT=acme", "KEYTURN_ENDPOINT=127.0.0.1:1"}
	for text, ok := range map[string]bool{"": true, "true": true, "yes": false, "false": false} {
		e, err := ReadEnvironment(append(environ, "KEYTURN_ALLOW_KEY_FILE="+text))
		if (err == nil) != ok || e.AllowKeyFile != (text == "true") {
			t.Errorf("%q: %v, %v", text, e.AllowKeyFile, err)
		}
	}
}

// TestWhatKeyturnCallsWithIsLeftAlone in every way to take it away.
func TestWhatKeyturnCallsWithIsLeftAlone(t *testing.T) {
	w := newWorld(t, 0)
	account, other := w.account("relay"), w.account("bot")
	w.grant("projects/"+testProject, "roles/iam.serviceAccountAdmin", relay)
	w.grant(account, "roles/iam.serviceAccountKeyAdmin", relay)
	own := w.as(Config{KeyFile: w.keyFile(account)})
	id := own.OwnKey().ID
	for what, err := range map[string]error{
		"disable the key":     own.DisableAccountKey(t.Context(), account, id),
		"delete the key":      own.DeleteAccountKey(t.Context(), account, id),
		"disable the account": own.DisableAccount(t.Context(), account),
	} {
		if !errors.Is(err, ErrLockedOut) || !strings.Contains(err.Error(), "the next sweep goes on") {
			t.Errorf("%s: %v", what, err)
		}
	}
	must(t, own.DisableAccount(t.Context(), other))
	next, _, err := w.createKey(account)
	must(t, err)
	must(t, own.DisableAccountKey(t.Context(), account, next))
	must(t, own.DeleteAccountKey(t.Context(), account, next))
}
