package localgcp

import (
	"crypto/rsa"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	apikeys "cloud.google.com/go/apikeys/apiv2"
	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	iam "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	logging "cloud.google.com/go/logging/apiv2"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	scheduler "cloud.google.com/go/scheduler/apiv1"
	"cloud.google.com/go/scheduler/apiv1/schedulerpb"
	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"example.com/keyturn/internal/localgcp/clock"
)

// pair is made once: what it is does not matter.
var pair = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(nil, 2048) })

// seeded is a cloud whose ids come from a seed. It has a fixed port, as its key
// files name it.
func seeded(t *testing.T, seed byte) *world {
	t.Helper()
	w := &world{T: t, clock: clock.NewFrozen(t0)}
	var err error
	w.cloud, err = Start(Config{
		Addr: "127.0.0.1:0", ProjectID: "acme", Clock: w.clock, DataAccess: true, Random: rand.NewChaCha8([32]byte{seed}), Pair: pair,
	})
	w.must(err)
	w.cloud.IAM.SetBaseURL("http://127.0.0.1:1")
	return w
}

// transcript makes something of everything that has an id and returns all answers.
func (w *world) transcript() (answers []string) {
	w.Helper()
	note := func(m proto.Message, err error) {
		w.Helper()
		w.must(err)
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		w.must(err)
		answers = append(answers, string(m.ProtoReflect().Descriptor().Name())+" "+string(b))
	}
	ctx, topic := w.Context(), w.topic("ttt")
	accounts := open(w, iam.NewIamClient, w.overGRPC())
	account := w.account("billing")
	note(account, nil)
	key, err := accounts.CreateServiceAccountKey(ctx, &adminpb.CreateServiceAccountKeyRequest{Name: account.GetName()})
	note(key, err)
	note(accounts.GetServiceAccountKey(ctx, &adminpb.GetServiceAccountKeyRequest{Name: key.GetName(), PublicKeyType: adminpb.ServiceAccountPublicKeyType_TYPE_X509_PEM_FILE}))
	note(accounts.ListServiceAccountKeys(ctx, &adminpb.ListServiceAccountKeysRequest{Name: account.GetName()}))

	secrets := open(w, secretmanager.NewClient, w.overGRPC())
	note(secrets.CreateSecret(ctx, &secretmanagerpb.CreateSecretRequest{Parent: project, SecretId: "s", Secret: &secretmanagerpb.Secret{
		Replication: &secretmanagerpb.Replication{Replication: &secretmanagerpb.Replication_Automatic_{Automatic: &secretmanagerpb.Replication_Automatic{}}},
		Topics:      []*secretmanagerpb.Topic{{Name: topic}},
		Rotation:    &secretmanagerpb.Rotation{NextRotationTime: timestamppb.New(t0.Add(time.Hour)), RotationPeriod: durationpb.New(time.Hour)},
	}}))
	note(secrets.AddSecretVersion(ctx, &secretmanagerpb.AddSecretVersionRequest{Parent: project + "/secrets/s", Payload: &secretmanagerpb.SecretPayload{Data: []byte("x")}}))

	apiKeys := open(w, apikeys.NewClient, w.overGRPC())
	for _, id := range []string{"chosen", ""} {
		op, err := apiKeys.CreateKey(ctx, &apikeyspb.CreateKeyRequest{Parent: project + "/locations/global", KeyId: id, Key: &apikeyspb.Key{}})
		w.must(err)
		answers = append(answers, op.Name())
		note(op.Wait(ctx))
	}
	note(open(w, scheduler.NewCloudSchedulerClient, w.overGRPC()).CreateJob(ctx, &schedulerpb.CreateJobRequest{Parent: region, Job: &schedulerpb.Job{
		Schedule: "0 0 1 1 *", Target: &schedulerpb.Job_PubsubTarget{PubsubTarget: &schedulerpb.PubsubTarget{TopicName: topic, Data: []byte("x")}},
	}}))
	messages, err := open(w, pubsub.NewTopicAdminClient, w.overGRPC()).Publish(ctx, &pubsubpb.PublishRequest{Topic: topic, Messages: []*pubsubpb.PubsubMessage{{Data: []byte("x")}}})
	note(messages, err)
	for e, err := range open(w, logging.NewClient, w.overGRPC()).ListLogEntries(ctx, &loggingpb.ListLogEntriesRequest{ResourceNames: []string{project}}).All() {
		w.must(err)
		answers = append(answers, e.GetLogName()+" "+e.GetInsertId())
	}
	return answers
}

func TestASeedRepeatsItself(t *testing.T) {
	run := func(seed byte) []string {
		w := seeded(t, seed)
		defer func() { w.must(w.cloud.Close()) }()
		return w.transcript()
	}
	first, second, other := run(1), run(1), run(2)
	if len(first) < 15 || len(first) != len(second) {
		t.Fatalf("%d and %d answers", len(first), len(second))
	}
	same := 0
	for i := range first {
		if first[i] != second[i] {
			t.Errorf("one seed answers %q and %q", first[i], second[i])
		}
		if first[i] == other[i] {
			same++
		}
	}
	if same > len(first)/2 {
		t.Errorf("%d of %d answers are the same for another seed", same, len(first))
	}
}

// Simulations start thousands of clouds in one process.
func TestManyCloudsLeaveNothingBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	for seed := range byte(20) {
		t.Run("", func(t *testing.T) { // its clients are closed by its end
			w := seeded(t, seed)
			w.account("billing")
			if code, answer := w.call("GET /v1/projects/acme/serviceAccounts", ""); code != 200 || len(answer) == 0 {
				t.Errorf("%d %v", code, answer)
			}
			w.must(w.cloud.Close())
		})
	}
	for deadline := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), strings.TrimSpace(string(buf[:runtime.Stack(buf, true)])))
		}
	}
}
