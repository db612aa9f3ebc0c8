package directory

import (
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/iam/jwt"
	"example.com/keyturn/internal/localgcp/random"
)

// Account describes a service account at the moment it was read.
type Account struct {
	Project  string
	Email    string // ACCOUNT_ID@PROJECT.iam.gserviceaccount.com
	UniqueID string // 21 digits, never used again

	DisplayName string
	Description string
	Disabled    bool
	Suspended   bool // disabled by Google, so that nobody else can enable it
}

// Name is the account's resource name.
func (a Account) Name() string { return "projects/" + a.Project + "/serviceAccounts/" + a.Email }

type account struct {
	Account
	keys   []*key // user-managed, oldest first; deleted ones stay a while
	system key    // Google's own; its public half is made with the private one
	signer func() (*rsa.PrivateKey, error)
}

var accountID = regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)

// CreateAccount adds the account id@PROJECT.iam.gserviceaccount.com.
func (d *Directory) CreateAccount(project, id, displayName, description string) (Account, error) {
	if len(id) < d.cfg.MinAccountID || len(id) > 30 {
		return Account{}, status.Errorf(codes.InvalidArgument, "The account ID %q does not have a length between %d and 30.", id, d.cfg.MinAccountID)
	}
	if !accountID.MatchString(id) {
		return Account{}, status.Errorf(codes.InvalidArgument,
			"The account ID %q is not valid: it must start with a letter, end with a letter or digit, and hold only lower-case letters, digits and hyphens.", id)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	email := id + "@" + EmailDomain(project)
	if slices.ContainsFunc(d.accounts, func(a *account) bool { return a.Email == email }) {
		return Account{}, status.Errorf(codes.AlreadyExists, "Service account %s already exists within project projects/%s.", id, project)
	}
	a := &account{
		Account: Account{Project: project, Email: email, UniqueID: newUniqueID(d.cfg.Random), DisplayName: displayName, Description: description},
		system:  d.newSystemKey(),
		signer:  sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) }),
	}
	d.accounts = append(d.accounts, a)
	return a.Account, nil
}

func newUniqueID(source *random.Source) string {
	low := new(big.Int).Exp(big.NewInt(10), big.NewInt(20), nil) // the first number of 21 digits
	n := new(big.Int).SetBytes(source.Bytes(16))
	return n.Mod(n, low).Add(n, low).String()
}

// Account returns the account of that resource name; the project may be "-".
func (d *Directory) Account(name string) (Account, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, err := d.find(name)
	if err != nil {
		return Account{}, err
	}
	return a.Account, nil
}

// Accounts lists a project's accounts by e-mail address.
func (d *Directory) Accounts(project string) []Account {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []Account
	for _, a := range d.accounts {
		if a.Project == project {
			list = append(list, a.Account)
		}
	}
	slices.SortFunc(list, func(a, b Account) int { return strings.Compare(a.Email, b.Email) })
	return list
}

// UpdateAccount lets change edit the account's DisplayName and Description; what
// it does to the other fields is ignored.
func (d *Directory) UpdateAccount(name string, change func(*Account)) (Account, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, err := d.find(name)
	if err != nil {
		return Account{}, err
	}
	edited := a.Account
	change(&edited)
	a.DisplayName, a.Description = edited.DisplayName, edited.Description
	return a.Account, nil
}

// SetAccountDisabled disables or enables an account; doing it twice is fine. An
// account that Google disabled cannot be enabled.
func (d *Directory) SetAccountDisabled(name string, off bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, err := d.find(name)
	if err != nil {
		return err
	}
	if a.Suspended && !off {
		return status.Errorf(codes.FailedPrecondition, "Service account %s was disabled by Google and cannot be enabled.", a.Email) // [mem]
	}
	a.Disabled = off
	return nil
}

// deletion is an account that can be undeleted.
type deletion struct {
	*account
	at time.Time
}

// DeleteAccount removes the account and all its keys, for 30 days in which it can be
// undeleted.
func (d *Directory) DeleteAccount(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, err := d.find(name)
	if err != nil {
		return err
	}
	d.accounts = slices.DeleteFunc(d.accounts, func(b *account) bool { return a == b })
	d.deleted = append(d.deleted, deletion{a, d.cfg.Clock.Now()})
	return nil
}

// undeletable is how long Google keeps a deleted account.
const undeletable = 30 * 24 * time.Hour

// Deleted returns the account that is named by its unique id and can be undeleted.
func (d *Directory) Deleted(name string) (Account, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, err := d.findDeleted(name)
	if err != nil {
		return Account{}, err
	}
	return d.deleted[i].Account, nil
}

func (d *Directory) findDeleted(name string) (int, error) {
	_, id, _ := SplitAccountName(name)
	i := slices.IndexFunc(d.deleted, func(a deletion) bool {
		return a.UniqueID == id && d.cfg.Clock.Now().Before(a.at.Add(undeletable))
	})
	if i < 0 {
		return i, status.Errorf(codes.NotFound, "Service account %s does not exist.", name)
	}
	return i, nil
}

// UndeleteAccount brings such an account back with its keys [mem], unless another one
// has its e-mail address by now.
func (d *Directory) UndeleteAccount(name string) (Account, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, err := d.findDeleted(name)
	if err != nil {
		return Account{}, err
	}
	back := d.deleted[i].account
	if slices.ContainsFunc(d.accounts, func(a *account) bool { return a.Email == back.Email }) {
		return Account{}, status.Errorf(codes.AlreadyExists, "Service account %s already exists within project projects/%s.", back.Email, back.Project)
	}
	d.deleted = slices.Delete(d.deleted, i, i+1)
	d.accounts = append(d.accounts, back)
	return back.Account, nil
}

// Sign signs claims, anything that marshals to a JSON object, with the
// account's system-managed key, as Google does on behalf of the account.
func (d *Directory) Sign(name string, claims any) (compact, keyID string, err error) {
	signer, keyID, err := d.SystemKey(name)
	if err != nil {
		return "", "", err
	}
	compact, err = jwt.Sign(claims, keyID, signer)
	return compact, keyID, err
}

// SystemKey returns the private half of the account's system-managed key, which
// is made when it is first needed and never leaves the embedded cloud.
func (d *Directory) SystemKey(name string) (*rsa.PrivateKey, string, error) {
	d.mu.Lock()
	a, err := d.find(name)
	d.mu.Unlock()
	if err != nil {
		return nil, "", err
	}
	signer, err := a.signer()
	if err != nil {
		return nil, "", status.Errorf(codes.Internal, "generating the system-managed key of %s: %v", name, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if a.system.PublicKey == nil {
		a.system.PublicKey = &signer.PublicKey
		a.system.certificate = d.selfSigned(a.UniqueID, signer, a.system.ValidAfter, a.system.ValidBefore)
	}
	return signer, a.system.ID, nil
}
