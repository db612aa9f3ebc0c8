package world

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	apikeys "cloud.google.com/go/apikeys/apiv2"
	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	iam "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/scheduler/apiv1/schedulerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	keyturn "example.com/keyturn"
	"example.com/keyturn/cmd/keyturn/internal/keyfile"
	"example.com/keyturn/functions/audit"
	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/internal/granted"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/internal/localgcp/gemini/catalog"
	"example.com/keyturn/internal/localgcp/run"
	"example.com/keyturn/internal/schedule"
	"example.com/keyturn/shared/deployment"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/gcp/jobs"
	"example.com/keyturn/shared/gcp/traffic"
	"example.com/keyturn/shared/rotation"
)

// play has everything done once.
func (s *scene) play() {
	s.deployAll()
	uploaded := s.account("uploaded", rotation.Policy{Evidence: rotation.EvidenceIgnored})
	created := s.account("created", rotation.Policy{Evidence: rotation.EvidenceIgnored, KeyMode: rotation.Create})
	watched := s.account("watched", rotation.Policy{})
	plain, bound := s.apiKey("plain", ""), s.apiKey("bound", s.site().Email("uploaded"))
	s.pass(10 * time.Minute)
	for _, secret := range []string{uploaded, created, plain, bound} {
		s.rotateAndBack(secret)
	}
	s.useOldKey(watched)
	s.eraseByHand(created)
	s.killTokens(uploaded)
	s.stealKey(created)
	s.lookAround(uploaded, plain)
	s.sendJunk()
}

// overlap and quarantine are those of all credentials.
const overlap, quarantine = time.Hour, 2 * time.Hour

// rotateAndBack gives consumers a new key and takes the old one away, then brings it
// back: an API key even after it was deleted. In the end the new one is gone.
func (s *scene) rotateAndBack(secret string) {
	s.Helper()
	old := s.standing(secret).Current.ID
	s.losing("UploadServiceAccountKey", func() { s.try(event.Rotate, secret) })
	s.pass(20 * time.Minute)
	s.pass(20 * time.Minute)
	after := s.standing(secret)
	if after.Current.ID == old {
		s.Fatalf("%s has no new key: %+v", secret, after.Failure)
	}
	s.pass(overlap)
	if strings.Contains(old, "/locations/global/keys/") {
		s.pass(quarantine)
	}
	s.do(event.Rollback, secret, func(c *event.Command) { c.After = &after.Rotation })
	s.pass(20 * time.Minute)
	if now := s.standing(secret); now.Current.ID != old {
		s.Fatalf("%s has not its old key again: %+v", secret, now)
	}
	s.pass(overlap + 10*time.Minute)
	s.pass(quarantine + 10*time.Minute)
}

// token is one that a key file gives who has it.
func (s *scene) token(file []byte) string {
	s.Helper()
	token, err := keyfile.Mint(s.Context(), http.DefaultClient, file)
	s.must(err)
	return token
}

func (s *scene) file(secret string) []byte {
	s.Helper()
	file, err := s.as("").AccessVersion(s.Context(), secret, "current")
	s.must(err)
	return file
}

// useOldKey has a consumer go on with a key that was replaced: evidence is looked for,
// and who it is.
func (s *scene) useOldKey(secret string) {
	s.Helper()
	file := s.file(secret)
	s.do(event.Rotate, secret)
	s.pass(20 * time.Minute)
	for range 4 {
		s.get(s.Cloud.URL()+"/v1/"+secret+":getIamPolicy", s.token(file)) // refused, and logged
		s.pass(overlap)
	}
	if held := s.standing(secret).Retiring; len(held) != 1 || held[0].Phase != rotation.Overlapping {
		s.Errorf("a key in use is not held: %+v", held)
	}
}

// eraseByHand has a person destroy the version of an old key before keyturn does.
func (s *scene) eraseByHand(secret string) {
	s.Helper()
	s.do(event.Rotate, secret)
	s.pass(20 * time.Minute)
	s.must(s.as("").DestroyVersion(s.Context(), secret, s.standing(secret).Retiring[0].Version))
	s.pass(overlap)
	s.pass(quarantine + 10*time.Minute)
	if left := s.standing(secret).Retiring; len(left) > 0 {
		s.Errorf("the old key stays: %+v", left)
	}
}

// killTokens revokes a key with all that it has minted.
func (s *scene) killTokens(secret string) {
	s.Helper()
	key := s.standing(secret).Current.ID
	s.do(event.Revoke, secret, func(c *event.Command) { c.Key, c.KillTokens = key, true })
	s.pass(20 * time.Minute)
	s.pass(2 * time.Hour)
}

// stealKey has a thief try out a key: it is found, told, and revoked without anybody
// being asked.
func (s *scene) stealKey(secret string) {
	s.Helper()
	before, token := s.standing(secret).Current.ID, s.token(s.file(secret))
	for _, m := range catalog.Methods() {
		req, err := http.NewRequestWithContext(s.Context(), m.HTTP, s.Cloud.URL()+"/v1beta/"+strings.ReplaceAll(m.Path, "*", "gemini-2.5-flash"), strings.NewReader("{}"))
		s.must(err)
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		s.must(err)
		s.must(resp.Body.Close())
	}
	s.settle()
	s.pass(30 * time.Minute)
	if after := s.standing(secret); after.Current.ID == before {
		s.Errorf("the stolen key is still in use: %+v", after)
	}
}

// lookAround asks for everything that changes nothing, and for pauses.
func (s *scene) lookAround(secret, other string) {
	s.Helper()
	s.ask("RotateHTTP", event.Command{Verb: event.Status, Secret: secret})
	s.ask("RotateHTTP", event.Command{Verb: event.Plan})
	s.ask("RotateHTTP", event.Command{Verb: event.Inspect, Secret: secret})
	s.ask("RotateHTTP", event.Command{Verb: event.Revoke, Secret: secret, Key: s.standing(secret).Current.ID, DryRun: true})
	s.do(event.Pause, other, func(c *event.Command) { c.Why, c.By = "freeze", "ada@example.com" })
	s.do(event.Resume, other)
	s.do(event.Release, other)
	s.ask("AuditHTTP", audit.Command{Verb: "replay", Since: s.clock.Now().Add(-24 * time.Hour)})
	s.ask("AuditHTTP", audit.Command{Verb: "posture"})
	s.ask("AuditHTTP", audit.Command{Verb: "explain", Text: "403 PERMISSION_DENIED"})
	s.ask("AlertHTTP", map[string]string{"command": "list"})
	s.pass(24 * time.Hour) // every job has its turn
}

// sendJunk sends each function what it cannot read.
func (s *scene) sendJunk() {
	s.Helper()
	for _, f := range deployment.Functions {
		if f.Topic != "" {
			s.must(s.as("").Publish(s.Context(), event.Outgoing{Topic: f.Topic, Data: []byte("junk")}))
		}
	}
	s.settle()
}

// account makes a service account with a key in a secret, and adopts it.
func (s *scene) account(id string, p rotation.Policy) (secret string) {
	s.Helper()
	client, err := iam.NewIamClient(s.Context(), s.Options()...)
	s.must(err)
	defer client.Close()
	a, err := client.CreateServiceAccount(s.Context(), &adminpb.CreateServiceAccountRequest{Name: s.site().Resource(), AccountId: id})
	s.must(err)
	k, err := client.CreateServiceAccountKey(s.Context(), &adminpb.CreateServiceAccountKeyRequest{Name: a.GetName()})
	s.must(err)
	return s.adopt(id, k.GetPrivateKeyData(), rotate.Adoption{Kind: rotation.ServiceAccountKey, Target: a.GetName(), Policy: p})
}

// apiKey makes an API key, which may act as an account, and adopts it.
func (s *scene) apiKey(id, account string) (secret string) {
	s.Helper()
	parent := s.site().Resource() + "/locations/global"
	body, err := json.Marshal(map[string]any{"displayName": id, "serviceAccountEmail": account})
	s.must(err)
	if code, answer := s.post(s.Cloud.URL()+"/v2/"+parent+"/keys?keyId="+id, body, ""); code != http.StatusOK {
		s.Fatalf("making an API key is answered HTTP %d %s", code, answer)
	}
	client, err := apikeys.NewClient(s.Context(), s.Options()...)
	s.must(err)
	defer client.Close()
	text, err := client.GetKeyString(s.Context(), &apikeyspb.GetKeyStringRequest{Name: parent + "/keys/" + id})
	s.must(err)
	return s.adopt(id, []byte(text.GetKeyString()), rotate.Adoption{Kind: rotation.APIKey, Target: parent + "/keys/" + id, Policy: rotation.Policy{Evidence: rotation.EvidenceIgnored}})
}

func (s *scene) adopt(id string, payload []byte, a rotate.Adoption) (secret string) {
	s.Helper()
	cloud := s.as("")
	a.Secret = s.site().Secret(id)
	s.must(cloud.EnsureSecret(s.Context(), a.Secret, nil))
	_, _, err := cloud.AddVersion(s.Context(), a.Secret, payload)
	s.must(err)
	a.Policy.Period, a.Policy.Overlap, a.Policy.Quarantine = rotation.Duration(72*time.Hour), rotation.Duration(time.Hour), rotation.Duration(2*time.Hour)
	s.clock.Advance(2 * time.Minute)
	_, err = s.owner.Adopt(s.Context(), a)
	s.must(err)
	s.settle()
	return a.Secret
}

// standing is how a credential stands, as the command line tells it.
func (s *scene) standing(secret string) *rotate.Standing {
	s.Helper()
	r, err := s.owner.Do(s.Context(), event.Command{Verb: event.Status, Secret: secret})
	s.must(err)
	return r.Journal
}

// deployAll does what the build does with the embedded cloud: it makes the jobs of
// scheduler.yaml as they are to be, and gives a new revision a share of the requests.
func (s *scene) deployAll() {
	s.Helper()
	cloud := s.as(deployment.Deploy)
	client, err := jobs.New(s.Context(), cloud.Options()...)
	s.must(err)
	defer client.Close()
	for _, err := range client.All(s.Context(), path.Dir(path.Dir(s.site().Function("any")))) {
		s.must(err)
	}
	wanted, err := schedule.Parse(keyturn.Schedule, map[string]string{"PROJECT_ID": s.Project, "REGION": Region})
	s.must(err)
	tend := wanted[2]
	again := proto.CloneOf(tend)
	again.Name += "-2"
	again.State = schedulerpb.Job_PAUSED
	s.must(client.Create(s.Context(), again))
	again.State = schedulerpb.Job_ENABLED
	s.must(client.Update(s.Context(), again))
	s.updateThatFails(client, tend)
	for _, j := range []*schedulerpb.Job{tend, again} { // every minute would be too often for this test
		j.State = schedulerpb.Job_PAUSED
		s.must(client.Update(s.Context(), j))
	}
	s.rollOut(cloud)
}

// losing loses the first reply of a method.
func (s *scene) losing(method string, during func()) {
	var once sync.Once
	s.Cloud.Faults.Set(func(called string, _ any) (f fault.Fault) {
		if path.Base(called) == method {
			once.Do(func() { f.After = status.Error(codes.Internal, "lost on purpose") })
		}
		return f
	})
	during()
	s.Cloud.Faults.Set(nil)
}

// updateThatFails is one after which a job has to be looked at.
func (s *scene) updateThatFails(client *jobs.Client, job *schedulerpb.Job) {
	s.Helper()
	s.Cloud.Faults.Set(func(method string, _ any) fault.Fault {
		if strings.HasSuffix(method, "/UpdateJob") {
			return fault.Fault{Before: status.Error(codes.FailedPrecondition, "refused on purpose")}
		}
		return fault.Fault{}
	})
	defer s.Cloud.Faults.Set(nil)
	if err := client.Update(s.Context(), job); err == nil {
		s.Error("an update that fails is not told")
	}
}

func (s *scene) rollOut(cloud *gcp.Cloud) {
	s.Helper()
	const name = "keyturn-rotate-http"
	service := s.site().Service(name)
	s.Cloud.Run.Deployed(run.Revision{Service: service, Name: name + "-00001-abc", URL: s.FunctionsURL})
	client, err := traffic.New(s.Context(), cloud.Options()...)
	s.must(err)
	defer client.Close()
	before, err := client.Get(s.Context(), service)
	s.must(err)
	_, err = client.Set(s.Context(), before, []traffic.Target{{Percent: 100}})
	s.must(err)
	if code, answer := s.post(s.FunctionsURL+"/RotateHTTP", []byte(`{"command":"sweep","dry_run":true}`), s.identityToken()); code != http.StatusOK {
		s.Errorf("asking the new revision is answered HTTP %d %s", code, answer)
	}
}

// identityToken says that the build is who it is.
func (s *scene) identityToken() string {
	s.Helper()
	email := s.site().Email(deployment.Deploy)
	client := &http.Client{Transport: granted.As(s.Cloud, email).Over(nil)}
	resp, err := client.Post(s.Cloud.URL()+"/v1/projects/-/serviceAccounts/"+email+":generateIdToken", "application/json",
		strings.NewReader(fmt.Sprintf(`{"audience":%q,"includeEmail":true}`, s.FunctionsURL)))
	s.must(err)
	defer resp.Body.Close()
	var answer struct{ Token string }
	s.must(json.NewDecoder(resp.Body).Decode(&answer))
	return answer.Token
}
