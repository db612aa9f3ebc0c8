// Package limits holds the rules that Secret Manager puts on the contents of a
// secret. Every violation is a gRPC InvalidArgument error that names the field.
package limits

import (
	"time"
	"unicode/utf8"

	pb "cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"example.com/keyturn/shared/lazyregexp"
)

// What Google documents.
const (
	MaxPayload     = 64 << 10 // bytes of a version
	maxLabels      = 64
	maxAnnotations = 16 << 10 // bytes of all keys and values together; must stay below
	maxAliases     = 50
	maxTopics      = 10

	maxKeyBytes = 128 // of a label or annotation key, whose characters are bounded by its pattern

	minRotationLead   = 300 * time.Second
	minRotationPeriod = 3600 * time.Second
	maxRotation       = 100 * 365 * 24 * time.Hour // 3153600000 s, for period and lead

	minDestroyDelay = 24 * time.Hour        // [mem]
	maxDestroyDelay = 1000 * 24 * time.Hour // [mem]
)

var (
	labelKey      = lazyregexp.New(`^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$`)
	labelValue    = lazyregexp.New(`^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$`)
	annotationKey = lazyregexp.New(`^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$`)
	aliasPattern  = lazyregexp.New(`^[A-Za-z][A-Za-z0-9_-]{0,62}$`)
	topicPattern  = lazyregexp.New(`^projects/[^/]+/topics/[^/]+$`)
)

// Check applies every rule that does not depend on the time. versions is the
// number of versions the secret has had; regional secrets must not have a
// replication policy, global ones must.
func Check(s *pb.Secret, regional bool, versions int64) error {
	for _, check := range []func() error{
		func() error { return replication(s.GetReplication(), regional) },
		func() error { return labels(s.GetLabels()) },
		func() error { return annotations(s.GetAnnotations()) },
		func() error { return aliases(s.GetVersionAliases(), versions) },
		func() error { return topics(s.GetTopics()) },
		func() error { return rotation(s) },
		func() error { return destroyDelay(s.GetVersionDestroyTtl()) },
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// RotationTime checks a next rotation time that is being set: at least five
// minutes and at most a hundred years ahead. No time at all is fine.
func RotationTime(r *pb.Rotation, now time.Time) error {
	if r.GetNextRotationTime() == nil {
		return nil
	}
	if !r.GetNextRotationTime().IsValid() {
		return invalid("Secret.rotation.next_rotation_time is not a valid time.")
	}
	if lead := r.GetNextRotationTime().AsTime().Sub(now); lead < minRotationLead || lead > maxRotation {
		return invalid("Secret.rotation.next_rotation_time must be at least 300s and at most 3153600000s in the future.")
	}
	return nil
}

// Expiry checks an expiration that is being set: a positive ttl or a time to come.
func Expiry(s *pb.Secret, now time.Time) error {
	switch e := s.GetExpiration().(type) {
	case *pb.Secret_Ttl:
		if !e.Ttl.IsValid() || e.Ttl.AsDuration() <= 0 {
			return invalid("Secret.ttl must be greater than 0s.")
		}
	case *pb.Secret_ExpireTime:
		if !e.ExpireTime.IsValid() || !e.ExpireTime.AsTime().After(now) {
			return invalid("Secret.expire_time must be in the future.")
		}
	}
	return nil
}

func replication(r *pb.Replication, regional bool) error {
	if regional {
		if r.GetReplication() != nil {
			return invalid("Secret.replication must not be set for a regional secret.")
		}
		return nil
	}
	switch policy := r.GetReplication().(type) {
	case nil:
		return invalid("Field [secret.replication] is required.")
	case *pb.Replication_UserManaged_:
		return replicas(policy.UserManaged.GetReplicas())
	}
	return nil
}

func replicas(all []*pb.Replication_UserManaged_Replica) error {
	if len(all) == 0 {
		return invalid("Secret.replication.user_managed.replicas cannot be empty.")
	}
	seen := map[string]bool{}
	for _, r := range all {
		if r.GetLocation() == "" || seen[r.GetLocation()] {
			return invalid("Secret.replication.user_managed.replicas must name different locations; got [%s].", r.GetLocation())
		}
		seen[r.GetLocation()] = true
	}
	return nil
}

func labels(all map[string]string) error {
	if len(all) > maxLabels {
		return invalid("Secret.labels has %d entries; at most %d are allowed.", len(all), maxLabels)
	}
	for k, v := range all {
		if !labelKey.MatchString(k) || len(k) > maxKeyBytes {
			return invalid("Secret.labels key [%s] does not match [%s].", k, labelKey)
		}
		if !labelValue.MatchString(v) || len(v) > maxKeyBytes {
			return invalid("Secret.labels value of [%s] does not match [%s].", k, labelValue)
		}
	}
	return nil
}

func annotations(all map[string]string) error {
	size := 0
	for k, v := range all {
		if !annotationKey.MatchString(k) {
			return invalid("Secret.annotations key [%s] does not match [%s].", k, annotationKey)
		}
		if !utf8.ValidString(v) {
			return invalid("Secret.annotations value of [%s] is not UTF-8.", k)
		}
		size += len(k) + len(v)
	}
	if size >= maxAnnotations {
		return invalid("Secret.annotations are %d bytes in total; the total size must be less than %d bytes.", size, maxAnnotations)
	}
	return nil
}

func aliases(all map[string]int64, versions int64) error {
	if len(all) > maxAliases {
		return invalid("Secret.version_aliases has %d entries; at most %d are allowed.", len(all), maxAliases)
	}
	for alias, id := range all {
		if !aliasPattern.MatchString(alias) || alias == "latest" || alias == "NEW" {
			return invalid("Secret.version_aliases key [%s] must match [%s] and be neither latest nor NEW.", alias, aliasPattern)
		}
		if id < 1 || id > versions {
			return invalid("Secret.version_aliases [%s] points to version [%d], which does not exist.", alias, id)
		}
	}
	return nil
}

func topics(all []*pb.Topic) error {
	if len(all) > maxTopics {
		return invalid("Secret.topics has %d entries; at most %d are allowed.", len(all), maxTopics)
	}
	seen := map[string]bool{}
	for _, t := range all {
		if !topicPattern.MatchString(t.GetName()) || seen[t.GetName()] {
			return invalid("Secret.topics must be different names of the form projects/*/topics/*; got [%s].", t.GetName())
		}
		seen[t.GetName()] = true
	}
	return nil
}

func rotation(s *pb.Secret) error {
	r := s.GetRotation()
	if r == nil {
		return nil
	}
	if len(s.GetTopics()) == 0 {
		return invalid("Secret.topics must be set when Secret.rotation is set.")
	}
	if r.GetRotationPeriod() == nil {
		return nil
	}
	if r.GetNextRotationTime() == nil {
		return invalid("Secret.rotation.next_rotation_time must be set when Secret.rotation.rotation_period is set.")
	}
	if !within(r.GetRotationPeriod(), minRotationPeriod, maxRotation) {
		return invalid("Secret.rotation.rotation_period must be at least 3600s and at most 3153600000s.")
	}
	return nil
}

func destroyDelay(d *durationpb.Duration) error {
	if d != nil && !within(d, minDestroyDelay, maxDestroyDelay) {
		return invalid("Secret.version_destroy_ttl must be at least 86400s and at most 86400000s.")
	}
	return nil
}

func within(d *durationpb.Duration, least, most time.Duration) bool {
	return d.IsValid() && d.AsDuration() >= least && d.AsDuration() <= most
}

func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}
