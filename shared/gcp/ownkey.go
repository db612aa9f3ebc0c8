package gcp

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path"
	"path/filepath"
	"runtime"
)

// ErrOwnKey means that keyturn was to call Google with a user-managed key, and nobody
// has said that it may.
var ErrOwnKey = errors.New("keyturn does not call Google with a user-managed service-account key")

// ErrLockedOut means that something was to be taken away that keyturn itself calls with.
var ErrLockedOut = errors.New("keyturn itself calls with it")

// OwnKey is the user-managed key that a connection calls with. The zero OwnKey is none.
type OwnKey struct {
	File    string // path of the key file
	ID      string // of the key; empty where the file does not say
	Account string // e-mail address; empty where the file does not say
}

// OwnKeyOf is the user-managed key that a configuration leads to, by which the tokens of
// an impersonated account are got, too.
func OwnKeyOf(c Config) OwnKey {
	name := c.KeyFile
	if c.Endpoint == "" {
		name = defaultFile()
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return OwnKey{} // there is no file, or there is soon
	}
	defer clear(raw)
	var file credentialsFile
	_ = json.Unmarshal(raw, &file) // what is no credentials file is no key: Google's clients refuse it
	for ; file.Source != nil; file = *file.Source {
	}
	if file.Type != "service_account" {
		return OwnKey{}
	}
	return OwnKey{name, file.ID, file.Email}
}

// credentialsFile is what is looked at of a credentials file of any type.
type credentialsFile struct {
	Type   string           `json:"type"`
	ID     string           `json:"private_key_id"`
	Email  string           `json:"client_email"`
	Source *credentialsFile `json:"source_credentials"` // that act as another account
}

// defaultFile is where Google's clients look for Application Default Credentials.
func defaultFile() string {
	const name = "application_default_credentials.json"
	home := os.Getenv("HOME")
	switch file := os.Getenv("GOOGLE_APPLICATION_CREDENTIALS"); {
	case file != "":
		return file
	case runtime.GOOS == "windows":
		return filepath.Join(os.Getenv("APPDATA"), "gcloud", name)
	case home == "":
		if u, err := user.Current(); err == nil {
			home = u.HomeDir
		}
	}
	return filepath.Join(home, ".config", "gcloud", name)
}

// CheckOwnKey refuses to call Google's own with a user-managed key, unless the
// configuration allows it. Keys of the embedded cloud open nothing else.
func CheckOwnKey(c Config) error {
	key := OwnKeyOf(c)
	if key == (OwnKey{}) || c.Endpoint != "" || c.AllowKeyFile {
		return nil
	}
	return fmt.Errorf("%w: %s holds one of %s, which works wherever it is copied to, until somebody revokes it; "+
		"run keyturn where an account is attached (Cloud Functions, Cloud Run, Compute Engine), by workload identity federation from elsewhere, or as yourself "+
		"('gcloud auth application-default login', with --impersonate-service-account for an account's permissions); "+
		"where none of that can be had, --allow-key-file or KEYTURN_ALLOW_KEY_FILE=true allows it", ErrOwnKey, key.File, key.Account)
}

// Warning is what to say where a user-managed key is called with and that is allowed;
// empty where none is.
func (k OwnKey) Warning() string {
	if k == (OwnKey{}) {
		return ""
	}
	return fmt.Sprintf("keyturn calls with a user-managed key of %s (%s), which works wherever it is copied to: have an account attached, use workload identity federation or 'gcloud auth application-default login', and then take --allow-key-file or KEYTURN_ALLOW_KEY_FILE out; until then, 'keyturn adopt' has the key rotated like any other", k.Account, k.File)
}

// OwnKey is the key that the connection calls with, as it was when the first client was
// dialled: clients go by that, too.
func (c *Cloud) OwnKey() OwnKey {
	c.own.Lock()
	defer c.own.Unlock()
	if c.own.OwnKey == (OwnKey{}) {
		c.own.OwnKey = OwnKeyOf(c.config)
	}
	return c.own.OwnKey
}

// spare refuses to take away the key that keyturn calls with: by the next call nobody
// would be left to bring it back, or to finish.
func (c *Cloud) spare(account, id string) error {
	if own := c.OwnKey(); own.ID == "" || own.ID != id {
		return nil
	}
	return fmt.Errorf("key %s of %s is left alone: %w (%s); give keyturn the key that consumers have by now, the version current of the secret, or no key at all, and the next sweep goes on",
		id, path.Base(account), ErrLockedOut, c.OwnKey().File)
}

// spareAccount refuses to disable the account whose key keyturn calls with.
func (c *Cloud) spareAccount(account string) error {
	if own := c.OwnKey(); own.Account == "" || own.Account != path.Base(account) {
		return nil
	}
	return fmt.Errorf("%s is not disabled: %w, by %s; run keyturn as another account, and the next sweep goes on",
		path.Base(account), ErrLockedOut, c.OwnKey().File)
}
