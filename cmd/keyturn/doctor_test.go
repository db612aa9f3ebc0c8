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

	keyturn "example.com/keyturn"
	"example.com/keyturn/cmd/keyturn/internal/world"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/raced"
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

// healthy starts one.
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
	return &patient{T: t, World: w, site: deployment.Site{Project: "acme", Region: world.Region}}
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
	var out, errs bytes.Buffer
	code := run(p.Context(), []string{"doctor", "--project", "acme", "--endpoint", p.Cloud.Addr(), "--json"}, &out, &errs)
	var r doctorReport
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		p.Fatalf("%v: %s%s", err, &out, &errs)
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

func TestDoctorIsSilentAboutAHealthyDeployment(t *testing.T) {
	p := healthy(t)
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"doctor", "--project", "acme", "--endpoint", p.Cloud.Addr()}, &out, &errs)
	if code != exitOK || out.Len()+errs.Len() > 0 {
		t.Errorf("exit %d: %s%s", code, &out, &errs)
	}
	if r, code := p.examine(); code != exitOK || !r.Healthy || len(r.Functions) != len(deployment.Functions) || r.Functions[0].Revision == "" {
		t.Errorf("exit %d: %+v", code, r)
	}
}

var everyFix = flag.Bool("every-fix", false, "carry out the fixes of every breakage, rather than of one that each check notices")

// TestDoctorNamesWhatIsBroken breaks one thing at a time: it must come first, alone
// with what follows from it, and be gone when its fixes have been carried out.
func TestDoctorNamesWhatIsBroken(t *testing.T) {
	_, err := exec.LookPath("gcloud")
	if err != nil {
		t.Log("there is no gcloud: what is to be mended by it is not")
	}
	hasGcloud := err == nil && !raced.Detector // which slows gcloud's cloud down
	mended := map[string]bool{}
	if len(breakages) < 25 {
		t.Fatalf("only %d breakages", len(breakages))
	}
	for _, b := range breakages {
		mend := b.gcloud && hasGcloud && (*everyFix || !mended[b.check])
		mended[b.check] = mended[b.check] || mend
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
	for range 4 {
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
