package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	keyturn "example.com/keyturn"
	"example.com/keyturn/cmd/keyturn/internal/world"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/hierarchy"
	"example.com/keyturn/shared/deployment"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/gcp/survey"
)

// patient is a world for the doctor, whose every part is healthy at first.
type patient struct {
	*testing.T
	*world.World
	site deployment.Site
}

// healthy starts one, in which a service-account key and an API key are rotated.
func healthy(t *testing.T) *patient {
	t.Helper()
	program, err := exec.LookPath("keyturn") // which testscript has put there
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.Start(t.Context(), world.Config{
		Project: "acme", GCPAddr: "127.0.0.1:0", FunctionsAddr: "127.0.0.1:0", Clock: clock.NewFrozen(time.Date(2030, 1, 7, 8, 0, 0, 0, time.UTC)),
		FunctionLogs: &bytes.Buffer{}, Program: program, State: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	p := &patient{T: t, World: w, site: deployment.Site{Project: "acme", Region: world.Region}}
	p.must(seedAt(t.Context(), w.Cloud.Addr(), "acme"))
	p.keyturn("adopt", "billing-key", "--service-account", "billing@acme.iam.gserviceaccount.com")
	p.keyturn("adopt", "gemini-key", "--api-key", "projects/acme/locations/global/keys/gemini")
	return p
}

// run runs a command, and returns what it prints, and its exit code.
func (p *patient) run(args ...string) (stdout string, code int) {
	p.Helper()
	var out, errs bytes.Buffer
	code = run(p.Context(), append(args, "--project", "acme", "--endpoint", p.Cloud.Addr()), &out, &errs)
	if code == exitFailed {
		p.Logf("keyturn %s: %s", strings.Join(args, " "), &errs)
	}
	return out.String(), code
}

// keyturn runs a command that has to work, and returns what it prints.
func (p *patient) keyturn(args ...string) string {
	p.Helper()
	out, code := p.run(args...)
	if code != exitOK {
		p.Fatalf("keyturn %s: exit %d", strings.Join(args, " "), code)
	}
	return out
}

// must fails the test that a breakage could not be made in.
func (p *patient) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// examine is what 'keyturn doctor --json' says, and its exit code.
func (p *patient) examine() (doctorReport, int) {
	p.Helper()
	out, code := p.run("doctor", "--json")
	var r doctorReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		p.Fatalf("%v: %s", err, out)
	}
	return r, code
}

// mend carries out what a problem's fix says, by Google's own command line.
func (p *patient) mend(problem deployment.Problem) {
	p.Helper()
	for _, command := range problem.Fix {
		shell := exec.CommandContext(p.Context(), "sh", "-c", command)
		shell.Dir = p.TempDir()
		env, err := environment(p.Cloud.Addr(), "acme")
		p.must(err)
		env["CLOUDSDK_CONFIG"] = p.TempDir()
		shell.Env = os.Environ()
		for name, value := range env {
			shell.Env = append(shell.Env, name+"="+value)
		}
		if out, err := shell.CombinedOutput(); err != nil {
			p.Errorf("%s: %v\n%s", command, err, out)
		}
	}
}

// TestDoctorIsSilentAboutAHealthyDeployment looks at one before, during and after the
// overlap of rotations.
func TestDoctorIsSilentAboutAHealthyDeployment(t *testing.T) {
	p := healthy(t)
	silent := func(when string) {
		var out, errs bytes.Buffer
		code := run(t.Context(), []string{"doctor", "--project", "acme", "--endpoint", p.Cloud.Addr()}, &out, &errs)
		if code != exitOK || out.Len()+errs.Len() > 0 {
			t.Errorf("%s: exit %d: %s%s", when, code, &out, &errs)
		}
	}
	silent("before any rotation")
	if r, code := p.examine(); code != exitOK || !r.Healthy || len(r.Functions) != len(deployment.Functions) || r.Functions[0].Revision == "" {
		t.Errorf("exit %d: %+v", code, r)
	}
	credentials := []string{"billing-key", "gemini-key"}
	for _, id := range credentials {
		p.keyturn("rotate", id)
	}
	p.advance(30 * time.Minute)
	for _, id := range credentials {
		if text := p.keyturn("status", id); !strings.Contains(text, "overlap") {
			t.Fatalf("%s is not in its overlap:\n%s", id, text)
		}
	}
	silent("in the overlap")
	p.advance(20 * 24 * time.Hour)
	silent("after it")
}

// TestDoctorSeesWhatIsInherited moves grants from the project up, or down to single
// secrets: nothing is wrong.
func TestDoctorSeesWhatIsInherited(t *testing.T) {
	const role = acme + "/roles/keyturnRotate"
	rotating := "serviceAccount:" + (deployment.Site{Project: "acme"}).Email(deployment.Rotate)
	for name, move := range map[string]func(*patient){
		"to the folder": func(p *patient) {
			p.unbind(acme, auditRole, "serviceAccount:"+auditing)
			p.bind(theFolder, auditRole, "serviceAccount:"+auditing)
		},
		"to the organisation": func(p *patient) {
			p.unbind(acme, role, rotating)
			p.bind(hierarchy.Organization, role, rotating)
		},
		"to secrets": func(p *patient) {
			rest, err := p.Cloud.Policies.Roles.Get(role)
			p.must(err)
			secret := func(permission string) bool {
				return permission != "secretmanager.secrets.list" && permission != "secretmanager.secrets.create" && strings.HasPrefix(permission, "secretmanager.")
			}
			p.policy(acme+"/secrets/billing-key", func(pol *iampb.Policy) {
				pol.Bindings = append(pol.Bindings, &iampb.Binding{Role: "roles/secretmanager.admin", Members: []string{rotating}})
			})
			p.bind(acme+"/secrets/gemini-key", "roles/secretmanager.admin", rotating)
			rest.IncludedPermissions = slices.DeleteFunc(rest.IncludedPermissions, secret)
			p.must(second(p.Cloud.Policies.Roles.Update(role, rest, []string{"included_permissions"})))
		},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			p := healthy(t)
			settle(p)
			move(p)
			r, _ := p.examine()
			for _, problem := range r.Problems {
				if name != "to secrets" || problem.Check != "superfluous" {
					t.Errorf("%s", listed([]deployment.Problem{problem}))
				}
			}
		})
	}
}

// advance has time pass, in which jobs fire.
func (p *patient) advance(d time.Duration) {
	p.Helper()
	p.must(second(localgcp.Advance(p.Context(), p.Cloud.URL(), d)))
}

var everyFix = flag.Bool("every-fix", false, "carry out the fixes of every breakage, rather than of one that each of some checks notices")

// someFixes are carried out by gcloud, which takes seconds for each.
const someFixes = 6

// TestDoctorNamesWhatIsBroken breaks one thing at a time: it must come first, alone
// with what follows from it, and be gone when its fixes have been carried out.
func TestDoctorNamesWhatIsBroken(t *testing.T) {
	leaveToPlain(t)
	_, err := exec.LookPath("gcloud")
	if err != nil {
		t.Log("there is no gcloud: what is to be mended by it is not")
	}
	mended := map[string]bool{}
	if len(breakages) < 25 {
		t.Fatalf("only %d breakages", len(breakages))
	}
	for _, b := range breakages {
		mend := b.gcloud && err == nil && (*everyFix || len(mended) < someFixes && !mended[b.check])
		if mend {
			mended[b.check] = true
		}
		t.Run(strings.ReplaceAll(b.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			p := healthy(t)
			b.do(p)
			r, code := p.examine()
			want := exitFound
			if b.check == "unread" {
				want = exitFailed
			}
			if code != want || len(r.Problems) == 0 || r.Problems[0].Check != b.check || !strings.Contains(r.Problems[0].Problem, b.says) {
				t.Fatalf("exit %d, want %d and first the problem %s: …%s…:\n%s", code, want, b.check, b.says, listed(r.Problems))
			}
			for _, other := range r.Problems[1:] {
				if !slices.Contains(b.also, other.Check) {
					t.Errorf("a false alarm: %s", listed([]deployment.Problem{other}))
				}
			}
			if first := r.Problems[0]; first.Consequence == "" || first.About == "" || first.Kind != deployment.Unchecked && len(first.Fix) == 0 {
				t.Errorf("%+v lacks something", first)
			}
			if mend {
				p.recover()
			}
		})
	}
}

// recover mends what comes first until nothing is left.
func (p *patient) recover() {
	p.Helper()
	for range 12 {
		r, _ := p.examine()
		if r.Healthy {
			return
		}
		p.mend(r.Problems[0])
	}
	r, _ := p.examine()
	if !r.Healthy {
		p.Errorf("after all fixes there still is:\n%s", listed(r.Problems))
	}
}

func listed(problems []deployment.Problem) string {
	var all []string
	for i, p := range problems {
		all = append(all, p.Check+": "+problemText(i+1, p, unbroken))
	}
	return strings.Join(all, "\n")
}

// TestDoctorOrdersWhatToMend breaks several things at once.
func TestDoctorOrdersWhatToMend(t *testing.T) {
	for _, tt := range []struct {
		name   string
		broken []string
		want   []string // checks, in order
	}{
		{"the API before what it serves", []string{"a paused job", "Pub/Sub is off", "a public function"}, []string{"api", "public", "job"}},
		{"an account before its grants", []string{"no logs of reads", "no account", "no publisher"}, []string{"account", "audit-log"}},
		{"holes, functions, deliveries, jobs, excess", []string{"too much on the project", "no job", "no dead letters", "a failed function", "a stranger who publishes"},
			[]string{"function", "dead-letter", "job", "stranger", "superfluous"}},
		{"a topic before its function", []string{"no topic", "a role that is too broad"}, []string{"topic", "superfluous"}},
	} {
		t.Run(strings.ReplaceAll(tt.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			p := healthy(t)
			for _, name := range tt.broken {
				i := slices.IndexFunc(breakages, func(b breakage) bool { return b.name == name })
				if i < 0 {
					t.Fatalf("there is no breakage %q", name)
				}
				breakages[i].do(p)
			}
			r, code := p.examine()
			var got []string
			for _, problem := range r.Problems {
				if len(got) == 0 || got[len(got)-1] != problem.Check {
					got = append(got, problem.Check)
				}
			}
			if code != exitFound || !slices.Equal(got, tt.want) {
				t.Errorf("exit %d, %v, want %v:\n%s", code, got, tt.want, listed(r.Problems))
			}
		})
	}
}

// TestDoctorGoesByTheClocks looks at a world whose clock stands still from a machine
// whose clock is wrong, and later.
func TestDoctorGoesByTheClocks(t *testing.T) {
	p := healthy(t)
	cloud, err := gcp.New(p.Connection())
	p.must(err)
	defer cloud.Close()
	a := &app{project: "acme", endpoint: p.Cloud.Addr()}
	wanted, err := a.wanted(world.Region)
	p.must(err)
	later := p.clockNow().Add(2 * time.Hour)
	site, observed, err := survey.Look(context.Background(), survey.Config{
		Cloud: cloud, Region: world.Region, Check: keyturn.CheckEnvironment, Now: func() time.Time { return later }, Wall: func() time.Time { return time.Now().Add(-5 * time.Minute) },
	})
	p.must(err)
	wanted.Number = site.Number
	problems := deployment.Diagnose(wanted, observed)
	if len(problems) != 5 || problems[0].Check != "clock" || !strings.Contains(problems[0].Problem, "5m0s behind") || problems[1].Check != "firing" {
		t.Errorf("of a late clock and jobs that do not fire it says:\n%s", listed(problems))
	}
}

func (p *patient) clockNow() time.Time {
	return (&app{endpoint: p.Cloud.Addr()}).clock()()
}
