package gcp

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
)

// DisableAccount keeps a service account from authenticating. Unlike disabling a
// key it also rejects the access tokens that were minted already. One whose key keyturn
// calls with is left alone, by an error that is ErrLockedOut.
func (c *Cloud) DisableAccount(ctx context.Context, account string) error {
	client, err := c.iamAdmin(ctx)
	if err == nil {
		err = c.spareAccount(account)
	}
	if err != nil {
		return err
	}
	if err := client.DisableServiceAccount(ctx, &adminpb.DisableServiceAccountRequest{Name: account}); err != nil {
		return fmt.Errorf("disabling %s: %w", account, err)
	}
	return nil
}

// EnableAccount takes DisableAccount back, also for the tokens that have not
// expired since. An account that Google disabled stays as it is: that is refused.
func (c *Cloud) EnableAccount(ctx context.Context, account string) error {
	client, err := c.iamAdmin(ctx)
	if err != nil {
		return err
	}
	if err := client.EnableServiceAccount(ctx, &adminpb.EnableServiceAccountRequest{Name: account}); err != nil {
		return fmt.Errorf("enabling %s: %w", account, err)
	}
	return nil
}

// AccountDisabled reports whether a service account is disabled, by whomever.
func (c *Cloud) AccountDisabled(ctx context.Context, account string) (bool, error) {
	client, err := c.iamAdmin(ctx)
	if err != nil {
		return false, err
	}
	a, err := client.GetServiceAccount(ctx, &adminpb.GetServiceAccountRequest{Name: account})
	if err != nil {
		return false, fmt.Errorf("reading whether %s is disabled: %w", account, err)
	}
	return a.GetDisabled(), nil
}

// KeyState is what Google itself holds of a key's safety.
type KeyState struct {
	ID       string // 40 hex digits
	Disabled bool
	Reason   string // why it is disabled: EXPOSED, COMPROMISE_DETECTED, USER_INITIATED, another word of Google's, or empty
	Exposed  bool   // Google found its private half in public or in an attacker's hands, whether or not it is disabled; for good
}

// AccountKeyStates lists the user-managed keys of an account with what Google
// found out about them. The list is eventually consistent.
func (c *Cloud) AccountKeyStates(ctx context.Context, account string) ([]KeyState, error) {
	listed, err := c.listAccountKeys(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("listing the states of the keys of %s: %w", account, err)
	}
	states := make([]KeyState, len(listed))
	for i, k := range listed {
		states[i] = KeyState{
			ID: path.Base(k.Name), Disabled: k.Disabled,
			Reason:  disableReason(k.DisableReason),
			Exposed: slices.ContainsFunc(k.ExtendedStatus, exposed),
		}
	}
	return states, nil
}

// listedKey is a key as REST, which alone has the state, lists it.
type listedKey struct {
	Name, KeyOrigin, ValidAfterTime, ValidBeforeTime, DisableReason string
	Disabled                                                        bool
	ExtendedStatus                                                  []extendedStatus
}

type extendedStatus struct{ Key string }

func (c *Cloud) listAccountKeys(ctx context.Context, account string) ([]listedKey, error) {
	r, err := overREST[struct{ Keys []listedKey }](ctx, c, restCall{
		method: "/google.iam.admin.v1.IAM/ListServiceAccountKeys", resource: account,
		api: iamREST, path: "v1/" + account + "/keys", args: []string{"keyTypes", "USER_MANAGED"},
	})
	return r.Keys, err
}

// disableReason is Google's constant without what all of them have in common.
func disableReason(constantName string) string {
	reason := strings.TrimPrefix(constantName, "SERVICE_ACCOUNT_KEY_DISABLE_REASON_")
	if reason == "UNSPECIFIED" || !constant.MatchString(reason) {
		return ""
	}
	return reason
}

func exposed(s extendedStatus) bool {
	const key = "SERVICE_ACCOUNT_KEY_EXTENDED_STATUS_KEY_"
	return s.Key == key+"EXPOSED" || s.Key == key+"COMPROMISE_DETECTED"
}
