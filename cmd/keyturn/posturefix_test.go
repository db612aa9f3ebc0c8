package main

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	iam "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"example.com/keyturn/shared/deployment"
	"example.com/keyturn/shared/inventory"
	"example.com/keyturn/shared/posture"
)

// toFillIn is a word of a command that whoever carries it out has to think of.
var toFillIn = regexp.MustCompile(`[ =][A-Z_]{3,}( |$)`)

// TestPostureFixesLeaveEveryCredentialWorking carries out every command that posture
// prints, in order, while rotations are in their overlap and in quarantine, until nothing is
// left to be carried out: consumers must not notice, and rotations must go on.
func TestPostureFixesLeaveEveryCredentialWorking(t *testing.T) {
	leaveToPlain(t)
	if _, err := exec.LookPath("gcloud"); err != nil {
		t.Skip("there is no gcloud")
	}
	p := healthy(t)
	admin, err := iam.NewIamClient(t.Context(), p.Options()...)
	p.must(err)
	defer admin.Close()
	foreign, err := admin.CreateServiceAccountKey(t.Context(), &adminpb.CreateServiceAccountKeyRequest{Name: acme + "/serviceAccounts/billing@acme.iam.gserviceaccount.com"})
	p.must(err)
	p.bind(acme, "roles/iam.serviceAccountTokenCreator", "user:dev@example.com")
	p.bind(acme+"/secrets/billing-key", "roles/secretmanager.secretAccessor", "domain:example.com")
	for range 2 {
		for _, id := range []string{"billing-key", "gemini-key"} {
			p.keyturn("rotate", id)
		}
		p.advance(30 * time.Hour)
	}
	for _, id := range []string{"billing-key", "gemini-key"} {
		p.keyturn("rotate", id)
	}
	p.advance(30 * time.Minute)
	p.consume("current", "previous")

	did := map[string]bool{}
	for range 3 {
		for _, fix := range p.fixes() {
			if did[fix] || toFillIn.MatchString(fix) || strings.HasPrefix(fix, "keyturn inventory") {
				continue
			}
			did[fix] = true
			t.Log(fix)
			p.mend(deployment.Problem{Fix: []string{fix}})
			if strings.Contains(fix, foreign.GetName()[strings.LastIndexByte(foreign.GetName(), '/')+1:]) {
				t.Errorf("a key that may be used is taken away: %s", fix)
			}
			p.consume("current", "previous")
		}
	}
	if len(did) < 4 {
		t.Errorf("only %d commands were carried out: %v", len(did), did)
	}
	p.advance(40 * 24 * time.Hour)
	p.consume("current")
	if text := p.keyturn("status"); strings.Contains(text, "FAILED") || strings.Contains(text, "overdue") {
		t.Errorf("rotations do not go on:\n%s", text)
	}
}

// fixes are the commands that posture prints, in order.
func (p *patient) fixes() []string {
	p.Helper()
	var r posture.Report
	out, code := p.run("posture", "--json", "--state", "-")
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitFound {
		p.Fatalf("exit %d, %v: %s", code, err, out)
	}
	var all []string
	for _, result := range r.Results {
		if result.Fix != "" && !slices.Contains(all, result.Fix) {
			all = append(all, result.Fix)
		}
	}
	return all
}

// consume authenticates with what consumers of aliases are given.
func (p *patient) consume(aliases ...string) {
	p.Helper()
	cloud := p.connect()
	for _, alias := range aliases {
		file, err := cloud.AccessVersion(p.Context(), acme+"/secrets/billing-key", alias)
		p.must(err)
		if err := cloud.ProbeAccountKey(p.Context(), acme+"/serviceAccounts/billing@acme.iam.gserviceaccount.com", file); err != nil {
			p.Errorf("%s of billing-key: %v", alias, err)
		}
		key, err := cloud.AccessVersion(p.Context(), acme+"/secrets/gemini-key", alias)
		p.must(err)
		if err := cloud.ProbeAPIKey(p.Context(), string(key)); err != nil {
			p.Errorf("%s of gemini-key: %v", alias, err)
		}
	}
}

// TestTheAuditFunctionMayReadWhatPostureJudges compares the permissions of its role
// with those that package posture names.
func TestTheAuditFunctionMayReadWhatPostureJudges(t *testing.T) {
	i := slices.IndexFunc(deployment.Roles, func(r deployment.Role) bool { return r.ID == "keyturnAudit" })
	for part, permission := range posture.Permissions() {
		if part == inventory.Folders || part == inventory.Projects {
			continue // which a project is not read for
		}
		if !slices.ContainsFunc(deployment.Roles[i].Permissions, func(p deployment.Permission) bool { return p.Name == permission }) {
			t.Errorf("role keyturnAudit lacks %s, for %s", permission, part)
		}
	}
}
