package secretmanager

import (
	"context"
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	pb "cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"example.com/keyturn/internal/localgcp/secretmanager/limits"
	"example.com/keyturn/internal/localgcp/secretmanager/listing"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// AddSecretVersion stores a payload as the next version, ENABLED. It leaves the
// secret and its etag alone, and is not idempotent.
func (s *Service) AddSecretVersion(_ context.Context, req *pb.AddSecretVersionRequest) (*pb.SecretVersion, error) {
	crc, err := checkPayload(req.GetPayload())
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sec, err := s.find(req.GetParent())
	if err != nil {
		return nil, err
	}
	now := s.cfg.Clock.Now()
	v := &version{data: slices.Clone(req.GetPayload().GetData()), crc: crc}
	sec.versions = append(sec.versions, v)
	state := &pb.SecretVersion{
		Name:                           fmt.Sprintf("%s/versions/%d", sec.resource.GetName(), len(sec.versions)),
		CreateTime:                     timestamppb.New(now),
		State:                          pb.SecretVersion_ENABLED,
		ReplicationStatus:              replicationStatus(sec.resource.GetReplication()),
		Etag:                           s.etag(),
		ClientSpecifiedPayloadChecksum: req.GetPayload().DataCrc32C != nil,
	}
	v.states.set(state, now, s.horizon())
	s.notifyVersion("SECRET_VERSION_ADD", sec.resource, state)
	return proto.CloneOf(state), nil
}

// checkPayload returns the CRC-32C of a payload that may be stored.
func checkPayload(p *pb.SecretPayload) (int64, error) {
	if len(p.GetData()) == 0 {
		return 0, required("payload")
	}
	if len(p.GetData()) > limits.MaxPayload {
		return 0, status.Errorf(codes.InvalidArgument, "The payload is %d bytes; Secret Manager takes at most %d bytes.", len(p.GetData()), limits.MaxPayload)
	}
	crc := int64(crc32.Checksum(p.GetData(), castagnoli))
	if p.DataCrc32C != nil && p.GetDataCrc32C() != crc {
		return 0, status.Error(codes.InvalidArgument, "The checksum in Field [payload.data_crc32c] does not match Field [payload.data].")
	}
	return crc, nil
}

// replicationStatus mirrors the policy of a global secret; a regional one has none.
func replicationStatus(r *pb.Replication) *pb.ReplicationStatus {
	switch policy := r.GetReplication().(type) {
	case *pb.Replication_Automatic_:
		return &pb.ReplicationStatus{ReplicationStatus: &pb.ReplicationStatus_Automatic{Automatic: &pb.ReplicationStatus_AutomaticStatus{}}}
	case *pb.Replication_UserManaged_:
		all := &pb.ReplicationStatus_UserManagedStatus{}
		for _, r := range policy.UserManaged.GetReplicas() {
			all.Replicas = append(all.Replicas, &pb.ReplicationStatus_UserManagedStatus_ReplicaStatus{Location: r.GetLocation()})
		}
		return &pb.ReplicationStatus{ReplicationStatus: &pb.ReplicationStatus_UserManaged{UserManaged: all}}
	}
	return nil
}

// GetSecretVersion returns a version by number, alias or `latest`, in the state
// that a reader sees who may be behind by Config.EventualLag.
func (s *Service) GetSecretVersion(_ context.Context, req *pb.GetSecretVersionRequest) (*pb.SecretVersion, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, _, err := s.resolve(req.GetName())
	if err != nil {
		return nil, err
	}
	return proto.CloneOf(s.seen(v)), nil
}

// AccessSecretVersion returns the payload of an ENABLED version. By number it
// is strongly consistent; `latest` and aliases may be behind.
func (s *Service) AccessSecretVersion(_ context.Context, req *pb.AccessSecretVersionRequest) (*pb.AccessSecretVersionResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, byNumber, err := s.resolve(req.GetName())
	if err != nil {
		return nil, err
	}
	state := v.states.newest()
	if !byNumber && v.data != nil { // what is destroyed is gone even for those who do not know
		state = s.seen(v)
	}
	if state.GetState() != pb.SecretVersion_ENABLED {
		return nil, status.Errorf(codes.FailedPrecondition, "Secret Version [%s] is in %s state.", state.GetName(), state.GetState())
	}
	return &pb.AccessSecretVersionResponse{
		Name:    state.GetName(),
		Payload: &pb.SecretPayload{Data: slices.Clone(v.data), DataCrc32C: &v.crc},
	}, nil
}

// resolve finds the version that a name means to a reader.
func (s *Service) resolve(name string) (v *version, byNumber bool, err error) {
	secretName, id, err := parseVersion(name)
	if err != nil {
		return nil, false, err
	}
	sec, ok := s.secrets[secretName]
	if !ok || len(sec.versions) == 0 {
		return nil, false, noVersions(secretName)
	}
	n, byNumber := number(id)
	switch {
	case id == "latest":
		if n = sec.latest(s.horizon()); n == 0 {
			return nil, false, noVersions(secretName)
		}
	case !byNumber:
		aliases, _ := sec.aliases.at(s.horizon())
		n = aliases[id]
	}
	if v = sec.version(n); v == nil {
		return nil, false, versionNotFound(name)
	}
	return v, byNumber, nil
}

// latest is the number of the newest version created by horizon, whatever its
// state; 0 when there is none.
func (sec *secret) latest(horizon time.Time) int64 {
	for i, v := range slices.Backward(sec.versions) {
		if _, ok := v.states.at(horizon); ok {
			return int64(i + 1)
		}
	}
	return 0
}

func (sec *secret) version(n int64) *version {
	if n < 1 || n > int64(len(sec.versions)) {
		return nil
	}
	return sec.versions[n-1]
}

// seen is the state of v for readers who may be behind. That it exists is
// never behind.
func (s *Service) seen(v *version) *pb.SecretVersion {
	if state, ok := v.states.at(s.horizon()); ok {
		return state
	}
	return v.states[0].value
}

// ListSecretVersions returns the versions of a secret, newest first, as a
// reader sees them who may be behind.
func (s *Service) ListSecretVersions(_ context.Context, req *pb.ListSecretVersionsRequest) (*pb.ListSecretVersionsResponse, error) {
	filter, err := listing.ParseFilter(req.GetFilter(), "name", "state", "create_time", "destroy_time")
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sec, err := s.find(req.GetParent())
	if err != nil {
		return nil, err
	}
	type numbered struct {
		id    int64
		state *pb.SecretVersion
	}
	var found []numbered
	for i, v := range slices.Backward(sec.versions) {
		if state, ok := v.states.at(s.horizon()); ok && filter(versionFields(state)) {
			found = append(found, numbered{int64(i + 1), state})
		}
	}
	page, next, err := listing.Page(found, func(n numbered) int64 { return n.id }, req.GetPageSize(), req.GetPageToken())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	resp := &pb.ListSecretVersionsResponse{NextPageToken: next}
	for _, n := range page {
		resp.Versions = append(resp.Versions, proto.CloneOf(n.state))
	}
	if req.GetFilter() == "" {
		resp.TotalSize = int32(len(found))
	}
	return resp, nil
}

func versionFields(v *pb.SecretVersion) listing.Fields {
	return func(path string) []string {
		switch path {
		case "name":
			return []string{v.GetName()}
		case "state":
			return []string{v.GetState().String()}
		case "create_time":
			return timeField(v.GetCreateTime())
		case "destroy_time":
			return timeField(v.GetDestroyTime())
		}
		return nil
	}
}

func noVersions(secretName string) error {
	return status.Errorf(codes.NotFound, "Secret [%s] not found or has no versions.", secretName)
}

func versionNotFound(name string) error {
	return status.Errorf(codes.NotFound, "Secret Version [%s] not found.", name)
}
