package admin

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"example.com/keyturn/internal/localgcp/iam/directory"
)

func keyProto(k directory.Key) *adminpb.ServiceAccountKey {
	return &adminpb.ServiceAccountKey{
		Name: k.Name, KeyOrigin: k.Origin, KeyType: k.Type, KeyAlgorithm: k.Algorithm, Disabled: k.Disabled,
		ValidAfterTime: timestamppb.New(k.ValidAfter), ValidBeforeTime: timestamppb.New(k.ValidBefore),
	}
}

// CreateServiceAccountKey returns the JSON key file, this once.
func (s *Service) CreateServiceAccountKey(_ context.Context, req *adminpb.CreateServiceAccountKeyRequest) (*adminpb.ServiceAccountKey, error) {
	if req.GetPrivateKeyType() == adminpb.ServiceAccountPrivateKeyType_TYPE_PKCS12_FILE {
		return nil, status.Error(codes.Unimplemented, "The embedded Google Cloud makes no PKCS #12 files: ask for TYPE_GOOGLE_CREDENTIALS_FILE.")
	}
	k, private, err := s.cfg.Directory.CreateKey(req.GetName(), req.GetKeyAlgorithm())
	if err != nil {
		return nil, err
	}
	a, err := s.cfg.Directory.Account(req.GetName())
	if err != nil {
		return nil, err
	}
	created := keyProto(k)
	created.PrivateKeyType = adminpb.ServiceAccountPrivateKeyType_TYPE_GOOGLE_CREDENTIALS_FILE
	created.PrivateKeyData, err = directory.KeyFile(a, k.ID, private, s.cfg.TokenURL())
	return created, err
}

// UploadServiceAccountKey registers the RSA key in a PEM X.509 certificate.
func (s *Service) UploadServiceAccountKey(_ context.Context, req *adminpb.UploadServiceAccountKeyRequest) (*adminpb.ServiceAccountKey, error) {
	k, err := s.cfg.Directory.UploadKey(req.GetName(), req.GetPublicKeyData())
	if err != nil {
		return nil, err
	}
	return keyProto(k), nil
}

// ListServiceAccountKeys lists all keys in one answer, late as the directory is.
func (s *Service) ListServiceAccountKeys(_ context.Context, req *adminpb.ListServiceAccountKeysRequest) (*adminpb.ListServiceAccountKeysResponse, error) {
	types := req.GetKeyTypes()
	for i, t := range types {
		if t == adminpb.ListServiceAccountKeysRequest_KEY_TYPE_UNSPECIFIED {
			return nil, status.Error(codes.InvalidArgument, "Key type KEY_TYPE_UNSPECIFIED is not allowed in key_types.")
		}
		if slices.Contains(types[:i], t) {
			return nil, status.Errorf(codes.InvalidArgument, "Duplicate key type %s in key_types.", t)
		}
	}
	keys, err := s.cfg.Directory.Keys(req.GetName())
	if err != nil {
		return nil, err
	}
	resp := &adminpb.ListServiceAccountKeysResponse{}
	for _, k := range keys {
		if len(types) == 0 || slices.Contains(types, k.Type) {
			resp.Keys = append(resp.Keys, keyProto(k))
		}
	}
	return resp, nil
}

// GetServiceAccountKey adds the public half in the form asked for, if any.
func (s *Service) GetServiceAccountKey(_ context.Context, req *adminpb.GetServiceAccountKeyRequest) (*adminpb.ServiceAccountKey, error) {
	k, err := s.cfg.Directory.Key(req.GetName())
	if err != nil {
		return nil, err
	}
	out := keyProto(k)
	switch req.GetPublicKeyType() {
	case adminpb.ServiceAccountPublicKeyType_TYPE_X509_PEM_FILE:
		if out.PublicKeyData, err = k.Certificate(); err != nil {
			return nil, err
		}
	case adminpb.ServiceAccountPublicKeyType_TYPE_RAW_PUBLIC_KEY:
		der, err := x509.MarshalPKIXPublicKey(k.PublicKey)
		if err != nil {
			return nil, fmt.Errorf("encoding a public key: %w", err)
		}
		out.PublicKeyData = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	}
	return out, nil
}

// DisableServiceAccountKey is idempotent.
func (s *Service) DisableServiceAccountKey(_ context.Context, req *adminpb.DisableServiceAccountKeyRequest) (*emptypb.Empty, error) {
	return empty(s.cfg.Directory.SetKeyDisabled(req.GetName(), true))
}

// EnableServiceAccountKey is idempotent.
func (s *Service) EnableServiceAccountKey(_ context.Context, req *adminpb.EnableServiceAccountKeyRequest) (*emptypb.Empty, error) {
	return empty(s.cfg.Directory.SetKeyDisabled(req.GetName(), false))
}

// DeleteServiceAccountKey does not need the key to be disabled first.
func (s *Service) DeleteServiceAccountKey(_ context.Context, req *adminpb.DeleteServiceAccountKeyRequest) (*emptypb.Empty, error) {
	return empty(s.cfg.Directory.DeleteKey(req.GetName()))
}

func empty(err error) (*emptypb.Empty, error) {
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, nil
}
