package inventory

import "time"

// Snapshot is what was seen of a scope. It holds no secret material.
type Snapshot struct {
	At       time.Time `json:"at"`    // policy time at which reading began
	Scope    string    `json:"scope"` // projects/P, folders/N or organizations/N
	Home     string    `json:"home"`  // id of the project that holds keyturn's secrets, which may lie outside the scope
	Projects []Project `json:"projects"`
	Gaps     []Gap     `json:"gaps,omitempty"` // of the scope as a whole, such as a folder that could not be listed
}

// Project is what was seen of one project. A part that Gaps names was not read,
// or not to its end.
type Project struct {
	ID      string `json:"id"`
	Number  string `json:"number,omitempty"`  // empty if it could not be read
	Name    string `json:"name,omitempty"`    // that people gave it: print it escaped
	Parent  string `json:"parent,omitempty"`  // folders/N or organizations/N; empty if there is none
	Outside bool   `json:"outside,omitempty"` // it lies outside the scope and was read for its secrets alone

	Accounts     []Account       `json:"accounts,omitempty"`
	APIKeys      []APIKey        `json:"apiKeys,omitempty"`
	HMACKeys     []HMACKey       `json:"hmacKeys,omitempty"`
	OAuthClients []OAuthClient   `json:"oauthClients,omitempty"`
	Secrets      []Secret        `json:"secrets,omitempty"`
	Uses         map[Kind]Record `json:"uses,omitempty"` // of the kinds whose use Cloud Monitoring records
	Gaps         []Gap           `json:"gaps,omitempty"`

	Activities map[string]Activity `json:"activities,omitempty"` // what Policy Analyzer knows of service-account keys, by their ids
}

// Account is a service account with its user-managed keys.
type Account struct {
	Email    string       `json:"email"`
	UniqueID string       `json:"uniqueId,omitempty"`
	Name     string       `json:"name,omitempty"` // that people gave it: print it escaped
	Disabled bool         `json:"disabled,omitempty"`
	Keys     []AccountKey `json:"keys,omitempty"`
}

// AccountKey is a user-managed key of a service account.
type AccountKey struct {
	ID       string    `json:"id"`               // 40 hexadecimal digits
	Created  time.Time `json:"created"`          // from when on it is valid: Google knows no time of creation
	Expires  time.Time `json:"expires,omitzero"` // zero is never
	Uploaded bool      `json:"uploaded,omitempty"`
	Disabled bool      `json:"disabled,omitempty"`
	Reason   string    `json:"reason,omitempty"`  // why it is disabled: EXPOSED, COMPROMISE_DETECTED, USER_INITIATED, another word of Google's, or empty
	Exposed  bool      `json:"exposed,omitempty"` // Google found its private half in public or in an attacker's hands, whether or not it is disabled; for good
}

// APIKey is an API key, deleted ones of the last 30 days included.
type APIKey struct {
	Name         string       `json:"name"` // projects/P/locations/global/keys/K
	UID          string       `json:"uid"`
	DisplayName  string       `json:"displayName,omitempty"` // print it escaped
	Created      time.Time    `json:"created"`
	Deleted      time.Time    `json:"deleted,omitzero"`  // zero if it is not
	Account      string       `json:"account,omitempty"` // e-mail address of the service account that it is bound to; empty is none
	Blocked      bool         `json:"blocked,omitempty"` // keyturn has taken it away by a restriction that nobody meets
	Restrictions Restrictions `json:"restrictions,omitzero"`
}

// Restrictions say who may use an API key for what. At most one of Referrers,
// Addresses, AndroidApps and IOSApps has entries.
type Restrictions struct {
	Referrers   []string    `json:"referrers,omitempty"`   // web sites, such as https://example.com/*
	Addresses   []string    `json:"addresses,omitempty"`   // IP addresses and networks of servers
	AndroidApps []string    `json:"androidApps,omitempty"` // package names
	IOSApps     []string    `json:"iosApps,omitempty"`     // bundle ids
	Targets     []APITarget `json:"targets,omitempty"`     // empty allows every API of the project
}

// APITarget is an API that a key may call.
type APITarget struct {
	Service string   `json:"service"`           // such as generativelanguage.googleapis.com
	Methods []string `json:"methods,omitempty"` // empty is all
}

// HMACKey is a key of Cloud Storage's XML API that belongs to a service account.
// Those of users can be listed by nobody but themselves.
type HMACKey struct {
	AccessID string    `json:"accessId"`
	Account  string    `json:"account"` // e-mail address
	State    string    `json:"state"`   // ACTIVE or INACTIVE, or DELETED for 30 days
	Created  time.Time `json:"created"`
}

// OAuthClient is a client of IAM's workforce identity federation. Classic clients,
// of the Google Auth Platform, can be listed by no API.
type OAuthClient struct {
	Name        string            `json:"name"` // projects/P/locations/global/oauthClients/C
	ClientID    string            `json:"clientId,omitempty"`
	DisplayName string            `json:"displayName,omitempty"` // print it escaped
	Disabled    bool              `json:"disabled,omitempty"`
	Deleted     bool              `json:"deleted,omitempty"`
	Credentials []OAuthCredential `json:"credentials,omitempty"`
}

// OAuthCredential is a client secret. Google tells no time of its creation.
type OAuthCredential struct {
	Name        string `json:"name"`                  // of the client, and /credentials/ID
	DisplayName string `json:"displayName,omitempty"` // print it escaped
	Disabled    bool   `json:"disabled,omitempty"`
}
