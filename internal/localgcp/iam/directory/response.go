package directory

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// DisableReason says why a key is disabled, as IAM's REST API spells it. It is
// empty for a key that is not.
type DisableReason string

// The reasons there are.
const (
	UserInitiated      DisableReason = "SERVICE_ACCOUNT_KEY_DISABLE_REASON_USER_INITIATED"
	Exposed            DisableReason = "SERVICE_ACCOUNT_KEY_DISABLE_REASON_EXPOSED"
	CompromiseDetected DisableReason = "SERVICE_ACCOUNT_KEY_DISABLE_REASON_COMPROMISE_DETECTED"
	exposedStatus                    = "SERVICE_ACCOUNT_KEY_EXTENDED_STATUS_KEY_EXPOSED"
	compromisedStatus                = "SERVICE_ACCOUNT_KEY_EXTENDED_STATUS_KEY_COMPROMISE_DETECTED"
)

// ExtendedStatus is something that Google found out about a key. It stays with
// the key for its lifetime, whether that is enabled again or not.
type ExtendedStatus struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// ExposeKey does what Google does when it finds a private key in public: it
// disables the key, unless the organisation has it wait for abuse, and notes
// what it found. disabled says whether it was this that disabled the key; one
// that was disabled before keeps its reason [mem]. owner is the key's account.
func (d *Directory) ExposeKey(name string) (owner Account, disabled bool, err error) {
	return d.respond(name, Exposed, ExtendedStatus{exposedStatus, "The private key was found in a public repository."})
}

// CompromiseKey does what Google does when an attacker is seen to use a key: it
// disables the key and notes it, whatever the organisation says.
func (d *Directory) CompromiseKey(name string) (owner Account, disabled bool, err error) {
	return d.respond(name, CompromiseDetected, ExtendedStatus{compromisedStatus, "The key was used by an attacker."})
}

func (d *Directory) respond(name string, why DisableReason, found ExtendedStatus) (owner Account, off bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, k, err := d.findKey(name)
	if err != nil {
		return Account{}, false, err
	}
	if k == &a.system {
		return Account{}, false, status.Error(codes.FailedPrecondition, preconditionFailed)
	}
	now, before := d.cfg.Clock.Now(), k.latest()
	if why != Exposed || !d.orgPolicyOf(a.Account).WaitForAbuse {
		k.set(disabled, why, now)
	}
	k.note(found, now)
	return a.Account, before != k.latest(), nil
}

// SuspendAccount disables an account as Google does when it was compromised:
// its owner cannot enable it again.
func (d *Directory) SuspendAccount(name string) (Account, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, err := d.find(name)
	if err != nil {
		return Account{}, err
	}
	a.Disabled, a.Suspended = true, true
	return a.Account, nil
}
