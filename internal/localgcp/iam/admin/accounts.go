package admin

import (
	"context"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"example.com/keyturn/internal/localgcp/iam/access"
	"example.com/keyturn/internal/localgcp/iam/directory"
)

// Page sizes of ListServiceAccounts.
const (
	defaultPage = 20
	maxPage     = 100
)

func accountProto(a directory.Account) *adminpb.ServiceAccount {
	return &adminpb.ServiceAccount{
		Name: a.Name(), ProjectId: a.Project, UniqueId: a.UniqueID, Email: a.Email, Oauth2ClientId: a.UniqueID,
		DisplayName: a.DisplayName, Description: a.Description, Disabled: a.Disabled,
		//lint:ignore SA1019 Google still fills it
		Etag: []byte("01021920"),
	}
}

// CreateServiceAccount answers ALREADY_EXISTS for an e-mail address in use.
func (s *Service) CreateServiceAccount(_ context.Context, req *adminpb.CreateServiceAccountRequest) (*adminpb.ServiceAccount, error) {
	project, err := directory.SplitProjectName(req.GetName())
	if err != nil {
		return nil, err
	}
	display, description := req.GetServiceAccount().GetDisplayName(), req.GetServiceAccount().GetDescription()
	if err := checkTexts(display, description); err != nil {
		return nil, err
	}
	a, err := s.cfg.Directory.CreateAccount(project, req.GetAccountId(), display, description)
	if err != nil {
		return nil, err
	}
	return accountProto(a), nil
}

func checkTexts(displayName, description string) error {
	if len(displayName) > 100 {
		return status.Error(codes.InvalidArgument, "The display name is longer than 100 bytes.")
	}
	if len(description) > 256 {
		return status.Error(codes.InvalidArgument, "The description is longer than 256 bytes.")
	}
	return nil
}

// GetServiceAccount takes an e-mail address or a unique id, and - for the project.
func (s *Service) GetServiceAccount(_ context.Context, req *adminpb.GetServiceAccountRequest) (*adminpb.ServiceAccount, error) {
	a, err := s.cfg.Directory.Account(req.GetName())
	if err != nil {
		return nil, err
	}
	return accountProto(a), nil
}

// ListServiceAccounts lists by e-mail address, in pages of 20, or at most 100.
func (s *Service) ListServiceAccounts(_ context.Context, req *adminpb.ListServiceAccountsRequest) (*adminpb.ListServiceAccountsResponse, error) {
	project, err := directory.SplitProjectName(req.GetName())
	if err != nil {
		return nil, err
	}
	size := min(int(req.GetPageSize()), maxPage)
	if size <= 0 {
		size = defaultPage
	}
	resp := &adminpb.ListServiceAccountsResponse{}
	for _, a := range s.cfg.Directory.Accounts(project) {
		if a.Email <= req.GetPageToken() {
			continue
		}
		if len(resp.Accounts) == size {
			resp.NextPageToken = resp.Accounts[size-1].GetEmail()
			break
		}
		resp.Accounts = append(resp.Accounts, accountProto(a))
	}
	return resp, nil
}

// UpdateServiceAccount replaces the display name, which is all it can do.
func (s *Service) UpdateServiceAccount(_ context.Context, req *adminpb.ServiceAccount) (*adminpb.ServiceAccount, error) {
	return s.update(req, []string{"display_name"})
}

// PatchServiceAccount replaces the fields in the mask: display_name, description.
func (s *Service) PatchServiceAccount(_ context.Context, req *adminpb.PatchServiceAccountRequest) (*adminpb.ServiceAccount, error) {
	if len(req.GetUpdateMask().GetPaths()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "The update mask is missing: name display_name, description or both.")
	}
	return s.update(req.GetServiceAccount(), req.GetUpdateMask().GetPaths())
}

func (s *Service) update(from *adminpb.ServiceAccount, paths []string) (*adminpb.ServiceAccount, error) {
	if err := checkTexts(from.GetDisplayName(), from.GetDescription()); err != nil {
		return nil, err
	}
	for _, p := range paths {
		if p != "display_name" && p != "description" {
			return nil, status.Errorf(codes.InvalidArgument, "Invalid update mask: %q cannot be updated, only display_name and description.", p)
		}
	}
	a, err := s.cfg.Directory.UpdateAccount(from.GetName(), func(a *directory.Account) {
		for _, p := range paths {
			switch p {
			case "display_name":
				a.DisplayName = from.GetDisplayName()
			case "description":
				a.Description = from.GetDescription()
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return accountProto(a), nil
}

// EnableServiceAccount brings the account's existing access tokens back too. It
// fails for an account that Google disabled.
func (s *Service) EnableServiceAccount(_ context.Context, req *adminpb.EnableServiceAccountRequest) (*emptypb.Empty, error) {
	return empty(s.cfg.Directory.SetAccountDisabled(req.GetName(), false))
}

// DisableServiceAccount makes the account's keys and existing access tokens fail.
func (s *Service) DisableServiceAccount(_ context.Context, req *adminpb.DisableServiceAccountRequest) (*emptypb.Empty, error) {
	return empty(s.cfg.Directory.SetAccountDisabled(req.GetName(), true))
}

// UndeleteServiceAccount brings a deleted account back, by its unique id. The policy on
// it is lost [mem].
func (s *Service) UndeleteServiceAccount(_ context.Context, req *adminpb.UndeleteServiceAccountRequest) (*adminpb.UndeleteServiceAccountResponse, error) {
	a, err := s.cfg.Directory.UndeleteAccount(req.GetName())
	if err != nil {
		return nil, err
	}
	return &adminpb.UndeleteServiceAccountResponse{RestoredAccount: accountProto(a)}, nil
}

// DeleteServiceAccount deletes the account with its keys and its policy.
func (s *Service) DeleteServiceAccount(_ context.Context, req *adminpb.DeleteServiceAccountRequest) (*emptypb.Empty, error) {
	a, err := s.cfg.Directory.Account(req.GetName())
	if err != nil {
		return nil, err
	}
	if err := s.cfg.Directory.DeleteAccount(req.GetName()); err != nil {
		return nil, err
	}
	s.cfg.Policies.Delete(access.AccountPolicy(a))
	return &emptypb.Empty{}, nil
}
