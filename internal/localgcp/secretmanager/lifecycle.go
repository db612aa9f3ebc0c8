package secretmanager

import (
	"context"

	pb "cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// EnableSecretVersion makes a version accessible, and calls off its scheduled
// destruction. Enabling an enabled version changes its etag only.
func (s *Service) EnableSecretVersion(_ context.Context, req *pb.EnableSecretVersionRequest) (*pb.SecretVersion, error) {
	return s.change(req, func(_ *secret, _ *version, next *pb.SecretVersion) (string, error) {
		next.State, next.ScheduledDestroyTime = pb.SecretVersion_ENABLED, nil
		return "SECRET_VERSION_ENABLE", nil
	})
}

// DisableSecretVersion makes a version inaccessible until it is enabled again,
// and calls off its scheduled destruction.
func (s *Service) DisableSecretVersion(_ context.Context, req *pb.DisableSecretVersionRequest) (*pb.SecretVersion, error) {
	return s.change(req, func(_ *secret, _ *version, next *pb.SecretVersion) (string, error) {
		next.State, next.ScheduledDestroyTime = pb.SecretVersion_DISABLED, nil
		return "SECRET_VERSION_DISABLE", nil
	})
}

// DestroySecretVersion destroys the payload of a version for good: at once, or,
// when the secret has a version_destroy_ttl, after that time, until which the
// version is DISABLED.
func (s *Service) DestroySecretVersion(_ context.Context, req *pb.DestroySecretVersionRequest) (*pb.SecretVersion, error) {
	return s.change(req, func(sec *secret, v *version, next *pb.SecretVersion) (string, error) {
		if next.GetScheduledDestroyTime() != nil {
			return "", status.Error(codes.FailedPrecondition, "SecretVersion is already scheduled for DESTRUCTION.")
		}
		if delay := sec.resource.GetVersionDestroyTtl(); delay != nil {
			next.State = pb.SecretVersion_DISABLED
			next.ScheduledDestroyTime = timestamppb.New(s.cfg.Clock.Now().Add(delay.AsDuration()))
			return "SECRET_VERSION_DESTROY_SCHEDULED", nil
		}
		s.destroy(v, next)
		return "SECRET_VERSION_DESTROY", nil
	})
}

type versionRequest interface {
	GetName() string
	GetEtag() string
}

// transition alters next, a copy of the state of v, and says which event that is.
type transition func(sec *secret, v *version, next *pb.SecretVersion) (event string, err error)

// change carries out one transition of the version that req names by number.
func (s *Service) change(req versionRequest, edit transition) (*pb.SecretVersion, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sec, v, err := s.findVersion(req.GetName())
	if err != nil {
		return nil, err
	}
	current := v.states.newest()
	if current.GetState() == pb.SecretVersion_DESTROYED {
		return nil, status.Error(codes.FailedPrecondition, "SecretVersion.state is already DESTROYED.")
	}
	if err := checkEtag(req.GetEtag(), current.GetEtag()); err != nil {
		return nil, err
	}
	next := proto.CloneOf(current)
	event, err := edit(sec, v, next)
	if err != nil {
		return nil, err
	}
	s.putVersion(sec, v, next)
	s.notifyVersion(event, sec.resource, next)
	return proto.CloneOf(next), nil
}

// findVersion finds a version for a change, for which only its number is good.
func (s *Service) findVersion(name string) (*secret, *version, error) {
	secretName, id, err := parseVersion(name)
	if err != nil {
		return nil, nil, err
	}
	n, ok := number(id)
	if !ok {
		return nil, nil, malformed(name, "a version number; aliases serve to get and access only")
	}
	sec, err := s.find(secretName)
	if err != nil {
		return nil, nil, err
	}
	v := sec.version(n)
	if v == nil {
		return nil, nil, versionNotFound(name)
	}
	return sec, v, nil
}

// destroy wipes the payload of v, whose state becomes next.
func (s *Service) destroy(v *version, next *pb.SecretVersion) {
	clear(v.data)
	v.data = nil
	next.State = pb.SecretVersion_DESTROYED
	next.DestroyTime = timestamppb.New(s.cfg.Clock.Now())
	next.ScheduledDestroyTime = nil
}

// putVersion makes next the state of v, under a new etag.
func (s *Service) putVersion(sec *secret, v *version, next *pb.SecretVersion) {
	next.Etag = s.etag()
	v.states.set(next, s.cfg.Clock.Now(), s.horizon())
	s.armVersion(sec, v)
}
