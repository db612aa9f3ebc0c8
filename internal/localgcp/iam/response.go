package iam

import (
	"context"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"example.com/keyturn/internal/localgcp/iam/access"
	"example.com/keyturn/internal/localgcp/iam/directory"
	"example.com/keyturn/internal/localgcp/principal"
)

// The principals under which Google acts by itself in audit logs.
const (
	keyResponse     = "gcp-compromised-key-response@system.gserviceaccount.com"
	projectResponse = "gcp-compromised-project-response@system.gserviceaccount.com" // [mem]
)

// Expose plays Google finding a private key in public: the key is disabled with
// reason EXPOSED, which the audit log tells, unless the organisation has Google
// wait for abuse; the key's extendedStatus tells in any case. account is an
// e-mail address or a unique id. NOT_FOUND when there is no such key.
func (s *Service) Expose(account, keyID string) error {
	name := keyName(account, keyID)
	owner, disabled, err := s.directory.ExposeKey(name)
	return s.respondedTo(owner, name, disabled, err)
}

// Compromise plays Google seeing an attacker use a key: it is disabled with
// reason COMPROMISE_DETECTED whatever the organisation says.
func (s *Service) Compromise(account, keyID string) error {
	name := keyName(account, keyID)
	owner, disabled, err := s.directory.CompromiseKey(name)
	return s.respondedTo(owner, name, disabled, err)
}

// Suspend plays Google disabling a service account that was compromised. Nobody
// else can enable it again.
func (s *Service) Suspend(account string) error {
	name := "projects/-/serviceAccounts/" + account
	a, err := s.directory.SuspendAccount(name)
	if err != nil {
		return err
	}
	s.logResponse(projectResponse, a, "DisableServiceAccount", "iam.serviceAccounts.disable", &adminpb.DisableServiceAccountRequest{Name: name})
	return nil
}

func keyName(account, keyID string) string {
	return "projects/-/serviceAccounts/" + account + "/keys/" + keyID
}

// respondedTo logs that Google disabled a key, if it did.
func (s *Service) respondedTo(owner directory.Account, name string, disabled bool, err error) error {
	if err != nil || !disabled {
		return err
	}
	s.logResponse(keyResponse, owner, "DisableServiceAccountKey", "iam.serviceAccountKeys.disable", &adminpb.DisableServiceAccountKeyRequest{Name: name})
	return nil
}

// logResponse writes the audit entry of what Google did to an account or a key.
func (s *Service) logResponse(google string, a directory.Account, method, permission string, req any) {
	ctx := principal.NewContext(context.Background(), principal.Principal{Email: google})
	s.log("iam.googleapis.com").Write(ctx, access.Call{
		Method: method, Rule: access.Rule{Permission: permission, Write: true}, Target: access.ServiceAccount(a), Req: req, Resp: &emptypb.Empty{}, Granted: true,
	})
}
