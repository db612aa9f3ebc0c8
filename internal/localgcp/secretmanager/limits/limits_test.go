package limits

import (
	"fmt"
	"strings"
	"testing"
	"time"

	pb "cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

var now = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func automatic() *pb.Replication {
	return &pb.Replication{Replication: &pb.Replication_Automatic_{Automatic: &pb.Replication_Automatic{}}}
}

func userManaged(locations ...string) *pb.Replication {
	all := &pb.Replication_UserManaged{}
	for _, l := range locations {
		all.Replicas = append(all.Replicas, &pb.Replication_UserManaged_Replica{Location: l})
	}
	return &pb.Replication{Replication: &pb.Replication_UserManaged_{UserManaged: all}}
}

func topicList(names ...string) (all []*pb.Topic) {
	for _, n := range names {
		all = append(all, &pb.Topic{Name: n})
	}
	return all
}

func manyTopics(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("projects/p/topics/t%d", i))
	}
	return names
}

func many[V any](n int, v V) map[string]V {
	m := map[string]V{}
	for i := range n {
		m[fmt.Sprintf("k%d", i)] = v
	}
	return m
}

func seconds(n int64) *durationpb.Duration { return &durationpb.Duration{Seconds: n} }

func at(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(now.Add(d)) }

var (
	one  = topicList("projects/p/topics/t")
	next = at(time.Hour)
)

var checks = []struct {
	name string
	set  func(*pb.Secret)
	ok   bool
}{
	{"automatic", func(s *pb.Secret) {}, true},
	{"no replication", func(s *pb.Secret) { s.Replication = nil }, false},
	{"empty replication", func(s *pb.Secret) { s.Replication = &pb.Replication{} }, false},
	{"two replicas", func(s *pb.Secret) { s.Replication = userManaged("us-east1", "us-west1") }, true},
	{"no replica", func(s *pb.Secret) { s.Replication = userManaged() }, false},
	{"same replica twice", func(s *pb.Secret) { s.Replication = userManaged("us-east1", "us-east1") }, false},
	{"replica nowhere", func(s *pb.Secret) { s.Replication = userManaged("") }, false},

	{"64 labels", func(s *pb.Secret) { s.Labels = many(64, "v") }, true},
	{"65 labels", func(s *pb.Secret) { s.Labels = many(65, "v") }, false},
	{"longest label", func(s *pb.Secret) { s.Labels = map[string]string{strings.Repeat("a", 63): strings.Repeat("b", 63)} }, true},
	{"long label key", func(s *pb.Secret) { s.Labels = map[string]string{strings.Repeat("a", 64): ""} }, false},
	{"long label value", func(s *pb.Secret) { s.Labels = map[string]string{"a": strings.Repeat("b", 64)} }, false},
	{"label key in many bytes", func(s *pb.Secret) { s.Labels = map[string]string{strings.Repeat("語", 43): ""} }, false},
	{"label value in many bytes", func(s *pb.Secret) { s.Labels = map[string]string{"a": strings.Repeat("語", 43)} }, false},
	{"upper case label key", func(s *pb.Secret) { s.Labels = map[string]string{"Team": "a"} }, false},
	{"upper case label value", func(s *pb.Secret) { s.Labels = map[string]string{"team": "A"} }, false},
	{"label key from digit", func(s *pb.Secret) { s.Labels = map[string]string{"1a": ""} }, false},
	{"label value with dot", func(s *pb.Secret) { s.Labels = map[string]string{"a": "a.b"} }, false},
	{"empty label value", func(s *pb.Secret) { s.Labels = map[string]string{"a": ""} }, true},

	{"dotted annotation", func(s *pb.Secret) { s.Annotations = map[string]string{"keyturn.kind": "x y\nz"} }, true},
	{"annotation key of 63", func(s *pb.Secret) { s.Annotations = map[string]string{strings.Repeat("a", 63): ""} }, true},
	{"annotation key of 64", func(s *pb.Secret) { s.Annotations = map[string]string{strings.Repeat("a", 64): ""} }, false},
	{"annotation key ends in dot", func(s *pb.Secret) { s.Annotations = map[string]string{"a.": ""} }, false},
	{"annotation of 16383 bytes", func(s *pb.Secret) { s.Annotations = map[string]string{"a": strings.Repeat("b", 16382)} }, true},
	{"annotation of 16384 bytes", func(s *pb.Secret) { s.Annotations = map[string]string{"a": strings.Repeat("b", 16383)} }, false},
	{"annotation not UTF-8", func(s *pb.Secret) { s.Annotations = map[string]string{"a": "\xff"} }, false},

	{"50 aliases", func(s *pb.Secret) { s.VersionAliases = many(50, int64(2)) }, true},
	{"51 aliases", func(s *pb.Secret) { s.VersionAliases = many(51, int64(2)) }, false},
	{"alias of 63", func(s *pb.Secret) { s.VersionAliases = map[string]int64{strings.Repeat("A", 63): 1} }, true},
	{"alias of 64", func(s *pb.Secret) { s.VersionAliases = map[string]int64{strings.Repeat("A", 64): 1} }, false},
	{"alias from digit", func(s *pb.Secret) { s.VersionAliases = map[string]int64{"1": 1} }, false},
	{"alias latest", func(s *pb.Secret) { s.VersionAliases = map[string]int64{"latest": 1} }, false},
	{"alias NEW", func(s *pb.Secret) { s.VersionAliases = map[string]int64{"NEW": 1} }, false},
	{"alias new", func(s *pb.Secret) { s.VersionAliases = map[string]int64{"new": 1} }, true},
	{"alias to nothing", func(s *pb.Secret) { s.VersionAliases = map[string]int64{"current": 3} }, false},
	{"alias to zero", func(s *pb.Secret) { s.VersionAliases = map[string]int64{"current": 0} }, false},

	{"10 topics", func(s *pb.Secret) { s.Topics = topicList(manyTopics(10)...) }, true},
	{"11 topics", func(s *pb.Secret) { s.Topics = topicList(manyTopics(11)...) }, false},
	{"short topic", func(s *pb.Secret) { s.Topics = topicList("t") }, false},
	{"topic twice", func(s *pb.Secret) { s.Topics = topicList("projects/p/topics/t", "projects/p/topics/t") }, false},

	{"rotation", func(s *pb.Secret) {
		s.Topics, s.Rotation = one, &pb.Rotation{NextRotationTime: next, RotationPeriod: seconds(3600)}
	}, true},
	{"rotation once", func(s *pb.Secret) { s.Topics, s.Rotation = one, &pb.Rotation{NextRotationTime: next} }, true},
	{"rotation without topics", func(s *pb.Secret) { s.Rotation = &pb.Rotation{NextRotationTime: next} }, false},
	{"period without time", func(s *pb.Secret) { s.Topics, s.Rotation = one, &pb.Rotation{RotationPeriod: seconds(3600)} }, false},
	{"period of 3599s", func(s *pb.Secret) {
		s.Topics, s.Rotation = one, &pb.Rotation{NextRotationTime: next, RotationPeriod: seconds(3599)}
	}, false},
	{"period of a century and a second", func(s *pb.Secret) {
		s.Topics, s.Rotation = one, &pb.Rotation{NextRotationTime: next, RotationPeriod: seconds(3153600001)}
	}, false},

	{"destroyed after a day", func(s *pb.Secret) { s.VersionDestroyTtl = seconds(86400) }, true},
	{"destroyed after less", func(s *pb.Secret) { s.VersionDestroyTtl = seconds(86399) }, false},
	{"destroyed after too long", func(s *pb.Secret) { s.VersionDestroyTtl = seconds(86400001) }, false},
	{"destroyed after nonsense", func(s *pb.Secret) { s.VersionDestroyTtl = &durationpb.Duration{Seconds: 1 << 60} }, false},
}

func TestCheck(t *testing.T) {
	for _, tt := range checks {
		t.Run(tt.name, func(t *testing.T) {
			s := &pb.Secret{Replication: automatic()}
			tt.set(s)
			want(t, Check(s, false, 2), tt.ok)
		})
	}
}

func TestRegionalSecretsHaveNoReplication(t *testing.T) {
	want(t, Check(&pb.Secret{}, true, 0), true)
	want(t, Check(&pb.Secret{Replication: &pb.Replication{}}, true, 0), true)
	want(t, Check(&pb.Secret{Replication: automatic()}, true, 0), false)
}

func TestRotationTime(t *testing.T) {
	for ahead, ok := range map[time.Duration]bool{
		299 * time.Second: false, 300 * time.Second: true, -time.Hour: false,
		maxRotation: true, maxRotation + time.Second: false,
	} {
		t.Run(ahead.String(), func(t *testing.T) { want(t, RotationTime(&pb.Rotation{NextRotationTime: at(ahead)}, now), ok) })
	}
	want(t, RotationTime(nil, now), true)
	want(t, RotationTime(&pb.Rotation{NextRotationTime: &timestamppb.Timestamp{Nanos: -1}}, now), false)
}

func TestExpiry(t *testing.T) {
	ttl := func(n int64) *pb.Secret { return &pb.Secret{Expiration: &pb.Secret_Ttl{Ttl: seconds(n)}} }
	expires := func(d time.Duration) *pb.Secret {
		return &pb.Secret{Expiration: &pb.Secret_ExpireTime{ExpireTime: at(d)}}
	}
	want(t, Expiry(&pb.Secret{}, now), true)
	want(t, Expiry(ttl(1), now), true)
	want(t, Expiry(ttl(0), now), false)
	want(t, Expiry(ttl(1<<60), now), false)
	want(t, Expiry(expires(time.Second), now), true)
	want(t, Expiry(expires(0), now), false)
}

func want(t *testing.T, err error, ok bool) {
	t.Helper()
	if ok && err != nil {
		t.Errorf("refused: %v", err)
	}
	if !ok && status.Code(err) != codes.InvalidArgument {
		t.Errorf("error %v, want InvalidArgument", err)
	}
}
