package secretmanager

import pb "cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"

// Standing is how a secret stands in truth, whatever readers who are behind see.
// It must not be changed.
type Standing struct {
	Secret   *pb.Secret
	Versions []VersionStanding // version number n is at n-1
}

// VersionStanding is how a version stands in truth.
type VersionStanding struct {
	State   pb.SecretVersion_State
	Payload []byte // nil once destroyed
}

// Inspect tells how a secret stands; false when there is no such secret.
func (s *Service) Inspect(name string) (Standing, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sec, ok := s.secrets[name]
	if !ok {
		return Standing{}, false
	}
	out := Standing{Secret: sec.resource, Versions: make([]VersionStanding, len(sec.versions))}
	for i, v := range sec.versions {
		out.Versions[i] = VersionStanding{State: v.states.newest().GetState(), Payload: v.data}
	}
	return out, true
}
