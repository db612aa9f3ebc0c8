//go:build unix

package main

import (
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	apikeys "cloud.google.com/go/apikeys/apiv2"
	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	iam "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	localiam "example.com/keyturn/internal/localgcp/iam"
	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

const (
	consumer = "billing@local.iam.gserviceaccount.com"
	generate = "/v1beta/models/gemini-2.5-flash:generateContent"
)

// leakedKey has a thief use the key in use until it is noticed.
func leakedKey() runbook {
	var file []byte
	return runbook{
		breaks: func(w *incidentWorld) map[string]string {
			var id string
			file, id = w.current("billing-key")
			w.probe(w.mint(file))
			alert := w.alert(id, "distinct permissions")
			return map[string]string{"KEY": path.Base(alert["key"]), "SECRET": path.Base(alert["credential"]), "INCIDENT": alert["incident"]}
		},
		then: map[string]func(*incidentWorld, string){
			"sleep 1200": func(w *incidentWorld, _ string) {
				if w.signsIn(file) {
					w.Error("the leaked key still signs in")
				}
				w.consumersSignIn("billing-key")
			},
		},
	}
}

func (w *incidentWorld) consumersSignIn(secret string) {
	w.Helper()
	if file, _ := w.current(secret); !w.signsIn(file) {
		w.Error("what consumers are given does not sign in")
	}
}

// stolenToken has a thief hold a token of the key in use.
func stolenToken() runbook {
	var token string
	works := func(w *incidentWorld) bool {
		return w.call(token, http.MethodPost, generate) != http.StatusUnauthorized
	}
	return runbook{
		breaks: func(w *incidentWorld) map[string]string {
			file, id := w.current("billing-key")
			token = w.mint(file)
			if !works(w) {
				w.Fatal("the stolen token never worked")
			}
			return map[string]string{"KEY": id, "SECRET": "billing-key"}
		},
		then: map[string]func(*incidentWorld, string){
			"sleep 1200": func(w *incidentWorld, _ string) {
				if works(w) {
					w.Error("the stolen token still works")
				}
			},
			"sleep 4500": func(w *incidentWorld, _ string) { w.consumersSignIn("billing-key") },
		},
	}
}

// stuckRotation fails by all that the page knows: the organisation, too many keys, a
// missing grant, and sweeps that do not come.
func stuckRotation() runbook {
	var grant func()
	filled := map[string]string{"PROJECT": "local", "SECRET": "billing-key", "ACCOUNT": consumer, "REGION": "us-central1", "CONSTRAINT": "iam.disableServiceAccountKeyCreation"}
	return runbook{
		gcloud: true,
		breaks: func(w *incidentWorld) map[string]string {
			filled["KEY"] = w.fillAccount()
			w.Cloud.IAM.SetOrgPolicy(localiam.OrgPolicy{DenyKeyUpload: true})
			w.must(w.post("/v2/projects/local/policies", `{"name": "projects/local/policies/iam.disableServiceAccountKeyCreation", "spec": {"rules": [{"enforce": true}]}}`))
			w.must(w.post("/v1/projects/local/locations/us-central1/jobs/keyturn-sweep:pause", "{}"))
			if out, err := w.command("keyturn", "rotate", "billing-key").CombinedOutput(); err == nil {
				w.Fatalf("the rotation goes on:\n%s", out)
			}
			return filled
		},
		then: map[string]func(*incidentWorld, string){
			"keys delete": func(w *incidentWorld, _ string) {
				grant = w.refuse("CreateServiceAccountKey", status.Error(codes.PermissionDenied, "Permission 'iam.serviceAccountKeys.create' denied on resource (or it may not exist)."))
				if out, err := w.command("keyturn", "rotate", "billing-key").CombinedOutput(); err == nil || !strings.Contains(string(out), "iam.serviceAccountKeys.create") {
					w.Errorf("without the permission the rotation goes on: %v\n%s", err, out)
				}
			},
			"secrets add-iam-policy-binding": func(*incidentWorld, string) { grant() },
			"sleep 1200":                     func(w *incidentWorld, _ string) { w.consumersSignIn("billing-key") },
		},
	}
}

// fillAccount makes all the keys that the account can have, and returns one's id.
func (w *incidentWorld) fillAccount() (id string) {
	w.Helper()
	client, err := iam.NewIamClient(w.Context(), w.Options()...)
	w.must(err)
	defer client.Close()
	for range 9 {
		key, err := client.CreateServiceAccountKey(w.Context(), &adminpb.CreateServiceAccountKeyRequest{Name: "projects/local/serviceAccounts/" + consumer})
		w.must(err)
		id = path.Base(key.GetName())
	}
	return id
}

// post makes a call of Google's as the owner of the project.
func (w *incidentWorld) post(path, body string) error {
	resp, err := http.Post(w.Cloud.URL()+path, "application/json", strings.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("%s: HTTP %d: %s", path, resp.StatusCode, said)
	}
	return nil
}

// brokenConsumer has a program that keeps its key for ever, until the key is disabled.
func brokenConsumer() runbook {
	var kept []byte
	return runbook{
		breaks: func(w *incidentWorld) map[string]string {
			kept, _ = w.current("billing-key")
			w.keyturn("rotate", "billing-key")
			w.wait(30 * time.Hour)
			if w.signsIn(kept) {
				w.Fatal("the old key still signs in: nothing is broken")
			}
			return map[string]string{"PROJECT": "local", "SECRET": "billing-key"}
		},
		then: map[string]func(*incidentWorld, string){
			"keyturn rollback": func(w *incidentWorld, _ string) {
				w.wait(stride)
				if !w.signsIn(kept) {
					w.Error("the consumer is still refused")
				}
				w.consumersSignIn("billing-key")
			},
			"sleep 259200": func(w *incidentWorld, _ string) { w.consumersSignIn("billing-key") },
		},
	}
}

// badRotation has somebody restrict the new API key to an API that consumers do not call.
func badRotation() runbook {
	works := func(w *incidentWorld) bool {
		key, err := w.cloud.AccessVersion(w.Context(), "projects/local/secrets/gemini-key", "latest")
		w.must(err)
		req, err := http.NewRequestWithContext(w.Context(), http.MethodPost, w.Cloud.URL()+generate, strings.NewReader(`{"contents":[{"parts":[{"text":"ping"}]}]}`))
		w.must(err)
		req.Header.Set("X-Goog-Api-Key", string(key))
		resp, err := http.DefaultClient.Do(req)
		w.must(err)
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}
	mustWork := func(w *incidentWorld, _ string) {
		if !works(w) {
			w.Error("consumers fail")
		}
	}
	return runbook{
		breaks: func(w *incidentWorld) map[string]string {
			w.keyturn("adopt", "gemini-key", "--api-key", "gemini")
			mustWork(w, "")
			w.keyturn("rotate", "gemini-key")
			w.wait(30 * time.Minute)
			w.must(w.restrictNewest())
			w.wait(stride)
			if works(w) {
				w.Fatal("consumers do not fail")
			}
			return map[string]string{"SECRET": "gemini-key"}
		},
		then: map[string]func(*incidentWorld, string){"keyturn rollback": mustWork, "sleep 1200": mustWork},
	}
}

// restrictNewest lets the API key that keyturn made call nothing but another API.
func (w *incidentWorld) restrictNewest() error {
	client, err := apikeys.NewClient(w.Context(), w.Options()...)
	if err != nil {
		return err
	}
	defer client.Close()
	for key, err := range client.ListKeys(w.Context(), &apikeyspb.ListKeysRequest{Parent: "projects/local/locations/global"}).All() {
		if err != nil {
			return err
		}
		if path.Base(key.GetName()) == "gemini" {
			continue
		}
		key.Restrictions = &apikeyspb.Restrictions{ApiTargets: []*apikeyspb.ApiTarget{{Service: "translate.googleapis.com"}}}
		op, err := client.UpdateKey(w.Context(), &apikeyspb.UpdateKeyRequest{Key: key, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"restrictions"}}})
		if err != nil {
			return err
		}
		_, err = op.Wait(w.Context())
		return err
	}
	return fmt.Errorf("there is no second API key")
}

// stormed has 40 subjects of a project denied what they do, and a stolen key among them.
func stormed() runbook {
	filled := map[string]string{"PROJECT": "sandbox", "DETECTOR": "denial-burst"}
	return runbook{
		breaks: func(w *incidentWorld) map[string]string {
			for i := range 40 {
				w.must(w.find(detect.Finding{ID: fmt.Sprint("f", i), Detector: "denial-burst", Severity: detect.Warning, Subject: fmt.Sprintf("job-%d@sandbox.iam.gserviceaccount.com", i), Project: "sandbox", Reason: "was denied 12 permissions"}))
			}
			w.must(w.find(detect.Finding{ID: "theft", Detector: "stolen-old-key", Severity: detect.Critical, Subject: consumer, Project: "local", Reason: "an old key is used from elsewhere"}))
			filled["INCIDENT"] = w.alert("an old key is used from elsewhere")["incident"]
			if !eventually(time.Minute, func() bool { return strings.Count(w.told.String(), "ALERT WARNING (open)") >= 40 }) {
				w.Fatalf("the storm does not come:\n%s", tail(w.told.String()))
			}
			return filled
		},
		then: map[string]func(*incidentWorld, string){
			"alerts silence": func(w *incidentWorld, printed string) {
				filled["SILENCE"] = strings.TrimSuffix(strings.Fields(printed)[1], ":")
			},
		},
	}
}

// find publishes a finding, as of now.
func (w *incidentWorld) find(f detect.Finding) error {
	f.Time = time.Now()
	f.FirstSeen, f.LastSeen, f.Count = f.Time, f.Time, 12
	out, err := event.FindingEvent(f)
	if err != nil {
		return err
	}
	return publish(w.World.Cloud.Addr(), out)
}
