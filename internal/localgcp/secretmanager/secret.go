package secretmanager

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	pb "cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"example.com/keyturn/internal/localgcp/secretmanager/limits"
	"example.com/keyturn/internal/localgcp/secretmanager/listing"
)

// CreateSecret adds a secret without versions. It fails with AlreadyExists, and
// with FailedPrecondition when one of the topics cannot be published to.
func (s *Service) CreateSecret(_ context.Context, req *pb.CreateSecretRequest) (*pb.Secret, error) {
	if err := checkParent(req.GetParent()); err != nil {
		return nil, err
	}
	switch {
	case !idPattern.MatchString(req.GetSecretId()):
		return nil, status.Errorf(codes.InvalidArgument, "The provided Secret ID [%s] does not match the expected format [[a-zA-Z_0-9]+]", req.GetSecretId())
	case req.GetSecret() == nil:
		return nil, required("secret")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Clock.Now()
	next := proto.CloneOf(req.GetSecret())
	next.Name = req.GetParent() + "/secrets/" + req.GetSecretId()
	next.CreateTime = timestamppb.New(now)
	next.Tags, next.PolicyMember = nil, nil // input only; output only
	if err := s.settle(next, 0, "rotation", "expire_time"); err != nil {
		return nil, err
	}
	if _, ok := s.secrets[next.Name]; ok {
		return nil, status.Errorf(codes.AlreadyExists, "Secret [%s] already exists.", next.Name)
	}
	if err := s.configureTopics(nil, next.GetTopics()); err != nil {
		return nil, err
	}
	s.born++
	sec := &secret{born: s.born}
	s.secrets[next.Name] = sec
	s.put(sec, next)
	s.notifySecret("SECRET_CREATE", next)
	return proto.CloneOf(next), nil
}

// GetSecret returns a secret, without its versions.
func (s *Service) GetSecret(_ context.Context, req *pb.GetSecretRequest) (*pb.Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sec, err := s.find(req.GetName())
	if err != nil {
		return nil, err
	}
	return proto.CloneOf(sec.resource), nil
}

// ListSecrets returns the secrets directly below a project or a location,
// newest first.
func (s *Service) ListSecrets(_ context.Context, req *pb.ListSecretsRequest) (*pb.ListSecretsResponse, error) {
	if err := checkParent(req.GetParent()); err != nil {
		return nil, err
	}
	filter, err := listing.ParseFilter(req.GetFilter(), "name", "labels", "annotations", "topics", "create_time", "expire_time")
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*secret
	for name, sec := range s.secrets {
		if parent, _ := parseSecret(name); parent == req.GetParent() && filter(secretFields(sec.resource)) {
			found = append(found, sec)
		}
	}
	slices.SortFunc(found, func(a, b *secret) int { return cmp.Compare(b.born, a.born) })
	page, next, err := listing.Page(found, func(sec *secret) int64 { return sec.born }, req.GetPageSize(), req.GetPageToken())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	resp := &pb.ListSecretsResponse{NextPageToken: next}
	for _, sec := range page {
		resp.Secrets = append(resp.Secrets, proto.CloneOf(sec.resource))
	}
	if req.GetFilter() == "" {
		resp.TotalSize = int32(len(found))
	}
	return resp, nil
}

func secretFields(sec *pb.Secret) listing.Fields {
	return func(path string) []string {
		top, key, isEntry := strings.Cut(path, ".")
		switch top {
		case "name":
			return []string{sec.GetName()}
		case "labels":
			return mapField(sec.GetLabels(), key, isEntry)
		case "annotations":
			return mapField(sec.GetAnnotations(), key, isEntry)
		case "topics":
			var names []string
			for _, t := range sec.GetTopics() {
				names = append(names, t.GetName())
			}
			return names
		case "create_time":
			return timeField(sec.GetCreateTime())
		default: // "expire_time"
			return timeField(sec.GetExpireTime())
		}
	}
}

func mapField(m map[string]string, key string, isEntry bool) []string {
	if !isEntry {
		return slices.Collect(maps.Keys(m))
	}
	if v, ok := m[key]; ok {
		return []string{v}
	}
	return nil
}

func timeField(t *timestamppb.Timestamp) []string {
	if t == nil {
		return nil
	}
	return []string{t.AsTime().Format("2006-01-02T15:04:05.999999999Z07:00")}
}

// UpdateSecret changes the fields of the mask and nothing else; a masked field
// that the request leaves out is cleared. Every update changes the etag.
func (s *Service) UpdateSecret(_ context.Context, req *pb.UpdateSecretRequest) (*pb.Secret, error) {
	switch {
	case req.GetSecret() == nil:
		return nil, required("secret")
	case len(req.GetUpdateMask().GetPaths()) == 0:
		return nil, required("update_mask")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sec, err := s.find(req.GetSecret().GetName())
	if err != nil {
		return nil, err
	}
	if err := checkEtag(req.GetSecret().GetEtag(), sec.resource.GetEtag()); err != nil {
		return nil, err
	}
	next, err := s.updated(sec, proto.CloneOf(req.GetSecret()), req.GetUpdateMask().GetPaths())
	if err != nil {
		return nil, err
	}
	if err := s.configureTopics(sec.resource.GetTopics(), next.GetTopics()); err != nil {
		return nil, err
	}
	s.put(sec, next)
	s.notifySecret("SECRET_UPDATE", next)
	return proto.CloneOf(next), nil
}

// updated is the secret with the fields of the mask taken from given.
func (s *Service) updated(sec *secret, given *pb.Secret, mask []string) (*pb.Secret, error) {
	next := proto.CloneOf(sec.resource)
	for _, path := range mask {
		if err := applyPath(next, given, path); err != nil {
			return nil, err
		}
	}
	return next, s.settle(next, int64(len(sec.versions)), mask...)
}

// settle brings a secret that a client wrote into the form it is stored in, and
// checks it. Times ahead are checked only when the mask sets them: they come
// closer by themselves.
func (s *Service) settle(sec *pb.Secret, versions int64, mask ...string) error {
	if r := sec.GetRotation(); r.GetNextRotationTime() == nil && r.GetRotationPeriod() == nil {
		sec.Rotation = nil
	} else {
		r.ManagedRotationStatus = nil // output only
	}
	if err := limits.Check(sec, regional(sec.GetName()), versions); err != nil {
		return err
	}
	if slices.Contains(mask, "rotation") || slices.Contains(mask, "rotation.next_rotation_time") {
		if err := limits.RotationTime(sec.GetRotation(), s.cfg.Clock.Now()); err != nil {
			return err
		}
	}
	if slices.Contains(mask, "ttl") || slices.Contains(mask, "expire_time") {
		return s.settleExpiry(sec)
	}
	return nil
}

func applyPath(next, given *pb.Secret, path string) error {
	switch path {
	case "labels", "annotations", "topics", "version_aliases", "version_destroy_ttl", "customer_managed_encryption",
		"rotation", "rotation.next_rotation_time", "rotation.rotation_period":
		copyField(next.ProtoReflect(), given.ProtoReflect(), strings.Split(path, "."))
	case "ttl", "expire_time":
		next.Expiration = given.GetExpiration()
	case "etag": // checked, and replaced anyway
	default:
		return status.Errorf(codes.InvalidArgument, "Field [%s] in update_mask is unknown or cannot be updated.", path)
	}
	return nil
}

func copyField(to, from protoreflect.Message, path []string) {
	field := to.Descriptor().Fields().ByName(protoreflect.Name(path[0]))
	switch {
	case len(path) > 1:
		copyField(to.Mutable(field).Message(), from.Get(field).Message(), path[1:])
	case from.Has(field):
		to.Set(field, from.Get(field))
	default:
		to.Clear(field)
	}
}

// settleExpiry checks the expiration of a secret and turns a ttl, which is
// input only, into the time it stands for.
func (s *Service) settleExpiry(sec *pb.Secret) error {
	now := s.cfg.Clock.Now()
	if err := limits.Expiry(sec, now); err != nil {
		return err
	}
	if ttl := sec.GetTtl(); ttl != nil {
		sec.Expiration = &pb.Secret_ExpireTime{ExpireTime: timestamppb.New(now.Add(ttl.AsDuration()))}
	}
	return nil
}

// DeleteSecret removes a secret with all its versions, for good.
func (s *Service) DeleteSecret(_ context.Context, req *pb.DeleteSecretRequest) (*emptypb.Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sec, err := s.find(req.GetName())
	if err != nil {
		return nil, err
	}
	if err := checkEtag(req.GetEtag(), sec.resource.GetEtag()); err != nil {
		return nil, err
	}
	s.remove(sec, "REQUESTED")
	return &emptypb.Empty{}, nil
}

// put makes next the stored state of sec, under a new etag.
func (s *Service) put(sec *secret, next *pb.Secret) {
	next.Etag = s.etag()
	sec.resource = next
	sec.aliases.set(next.GetVersionAliases(), s.cfg.Clock.Now(), s.horizon())
	s.arm(sec)
}

// remove deletes sec; deleteType is REQUESTED or EXPIRATION.
func (s *Service) remove(sec *secret, deleteType string) {
	sec.disarm()
	for _, v := range sec.versions {
		v.disarm()
	}
	delete(s.secrets, sec.resource.GetName())
	s.cfg.Policies.Delete(sec.resource.GetName())
	s.publish(sec.resource, sec.resource, map[string]string{"eventType": "SECRET_DELETE", "deleteType": deleteType})
}
