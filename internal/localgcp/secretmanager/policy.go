package secretmanager

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"strings"

	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// noPolicyEtag is Google's etag of a policy that was never set: ACAB in base64.
var noPolicyEtag = []byte{0x00, 0x20, 0x01}

// GetIamPolicy returns the policy of a secret; an empty one when none was set.
func (s *Service) GetIamPolicy(_ context.Context, req *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sec, err := s.find(req.GetResource())
	if err != nil {
		return nil, err
	}
	return proto.CloneOf(sec.currentPolicy()), nil
}

func (sec *secret) currentPolicy() *iampb.Policy {
	if sec.policy == nil {
		return &iampb.Policy{Etag: noPolicyEtag}
	}
	return sec.policy
}

// SetIamPolicy replaces the parts of a secret's policy that the mask names:
// bindings and etag when there is none. A stale etag fails with Aborted; an
// omitted one is not checked. The policy is stored and not enforced.
func (s *Service) SetIamPolicy(_ context.Context, req *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	given := req.GetPolicy()
	if given == nil {
		return nil, required("policy")
	}
	if err := checkPolicy(given); err != nil {
		return nil, err
	}
	mask := req.GetUpdateMask().GetPaths()
	for _, path := range mask {
		if !slices.Contains([]string{"bindings", "etag", "version", "audit_configs"}, path) {
			return nil, status.Errorf(codes.InvalidArgument, "Field [%s] in update_mask is unknown.", path)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sec, err := s.find(req.GetResource())
	if err != nil {
		return nil, err
	}
	current := sec.currentPolicy()
	if len(given.GetEtag()) > 0 && !bytes.Equal(given.GetEtag(), current.GetEtag()) {
		return nil, status.Error(codes.Aborted, "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.")
	}
	next := proto.CloneOf(current)
	if len(mask) == 0 || slices.Contains(mask, "bindings") {
		next.Bindings = proto.CloneOf(given).GetBindings()
	}
	if slices.Contains(mask, "audit_configs") {
		next.AuditConfigs = proto.CloneOf(given).GetAuditConfigs()
	}
	next.Version = policyVersion(next)
	next.Etag = s.policyEtag()
	sec.policy = next
	return proto.CloneOf(next), nil
}

// policyVersion is 3 for a policy with conditions, and 1 otherwise, whatever
// version it was sent with.
func policyVersion(p *iampb.Policy) int32 {
	if slices.ContainsFunc(p.GetBindings(), func(b *iampb.Binding) bool { return b.GetCondition() != nil }) {
		return 3
	}
	return 1
}

// policyEtag returns a new one in Google's form: a 7, then microseconds.
func (s *Service) policyEtag() []byte {
	s.lastStamp = max(s.lastStamp+1, s.cfg.Clock.Now().UnixMicro())
	etag := binary.BigEndian.AppendUint64(nil, uint64(s.lastStamp))
	etag[0] = 7
	return etag
}

var memberKinds = []string{"user:", "serviceAccount:", "group:", "domain:", "principal:", "principalSet:", "projectOwner:", "projectEditor:", "projectViewer:", "deleted:"}

func checkPolicy(p *iampb.Policy) error {
	if v := p.GetVersion(); v != 0 && v != 1 && v != 3 {
		return status.Errorf(codes.InvalidArgument, "Policy version %d is not supported; use 1, or 3 with conditions.", v)
	}
	for _, b := range p.GetBindings() {
		if !strings.Contains("/"+b.GetRole(), "/roles/") {
			return status.Errorf(codes.InvalidArgument, "Role (%s) is not a valid role name.", b.GetRole())
		}
		if b.GetCondition() != nil && p.GetVersion() != 3 {
			return status.Error(codes.InvalidArgument, "Bindings with conditions need policy version 3.")
		}
		for _, member := range b.GetMembers() {
			if !validMember(member) {
				return status.Errorf(codes.InvalidArgument, "The member %s is of an unknown type. Please set a valid type prefix for the member.", member)
			}
		}
	}
	return nil
}

func validMember(member string) bool {
	return member == "allUsers" || member == "allAuthenticatedUsers" ||
		slices.ContainsFunc(memberKinds, func(kind string) bool { return strings.HasPrefix(member, kind) })
}

// TestIamPermissions returns the Secret Manager permissions among those asked
// for: the embedded cloud denies none of them. Of a secret that does not exist
// it grants none, without an error, as at Google.
func (s *Service) TestIamPermissions(_ context.Context, req *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	for _, p := range req.GetPermissions() {
		if strings.Contains(p, "*") {
			return nil, status.Errorf(codes.InvalidArgument, "Permission %s is not valid: wildcards are not allowed.", p)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	resp := &iampb.TestIamPermissionsResponse{}
	if _, ok := s.secrets[req.GetResource()]; !ok {
		return resp, nil
	}
	for _, p := range req.GetPermissions() {
		if strings.HasPrefix(p, "secretmanager.") {
			resp.Permissions = append(resp.Permissions, p)
		}
	}
	return resp, nil
}
