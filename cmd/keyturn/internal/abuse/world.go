package abuse

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Days is how long a world is simulated.
const Days = 28

// warmUp is how long nobody attacks, as the comparators with a week's baseline need.
const warmUp = 7 * day

const day = 24 * time.Hour

// Start is the beginning of every world, a Monday.
var Start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// World is one organisation with its principals, credentials and all that
// happens in it. The same seed always makes the same world.
type World struct {
	Seed        uint64
	Principals  []*Principal
	Credentials []*Credential
	APIKeys     []APIKey
	Episodes    []Episode // Episodes[0] stands for everyday work

	projects  []*Project
	catalogue []Endpoint
	silences  []silence
	scripted  [Days + 2][]*Event // what the episodes do, by day
	taken     map[*Principal]bool
	exposed   map[*Credential]bool // that one episode has to itself
}

// NewWorld makes the world of a seed.
func NewWorld(seed uint64) *World {
	w := &World{
		Seed: seed, catalogue: Catalogue(), Episodes: []Episode{{Kind: "everyday"}},
		taken: make(map[*Principal]bool), exposed: make(map[*Credential]bool),
	}
	r := w.rand(1)
	for i, name := range []string{"shop-prod", "shop-dev", "pay-prod", "pay-dev", "data-lake", "data-lab", "web-prod", "web-dev", "platform", "security", "ml-train", "ops"} {
		w.projects = append(w.projects, &Project{name, 100_000_000_001 + 17*i})
	}
	w.populate(r)
	w.keepSecrets(r)
	w.keepAPIKeys()
	w.stage()
	return w
}

// rand returns a source of chance of its own, so that a change of one part of
// the world leaves the others as they were.
func (w *World) rand(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(w.Seed, stream)) }

// populate hires everybody.
func (w *World) populate(r *rand.Rand) {
	for i := range 110 {
		w.add(w.person(r, fmt.Sprintf("user%03d@example.com", i)))
	}
	for i := range 40 {
		w.add(w.pipeline(r, i))
	}
	for i := range 60 {
		w.add(w.workload(r, i))
	}
	for i := range 20 {
		w.add(w.agent(r, i))
	}
	for i := range 20 {
		w.add(w.controller(r, i))
	}
	w.add(w.rotator(r))
}

func (w *World) add(p *Principal) { w.Principals = append(w.Principals, p) }

// of returns the principals of a role.
func (w *World) of(role Role) []*Principal {
	var found []*Principal
	for _, p := range w.Principals {
		if p.Role == role {
			found = append(found, p)
		}
	}
	return found
}

var peoplesAgents = []string{
	"google-cloud-sdk gcloud/552.0.0 command/gcloud.invocation,gzip(gfe)",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36,gzip(gfe)",
	"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36,gzip(gfe)",
	"google-api-python-client/2.180.0 (gzip),gzip(gfe)",
}

func (w *World) person(r *rand.Rand, email string) *Principal {
	p := &Principal{
		Role: Person, Email: email, Subject: "user:" + email, Agent: pick(r, peoplesAgents), Projects: w.some(r, 2+r.IntN(3)),
		Places: []string{fmt.Sprintf("203.0.113.%d", 1+r.IntN(6)), anyAddress(r), anyAddress(r)},
		offset: pick(r, []time.Duration{-8 * time.Hour, -5 * time.Hour, 0, 0, time.Hour, time.Hour, 5 * time.Hour}), pace: 0.3 + r.ExpFloat64(),
	}
	w.teach(r, p, 15+r.IntN(45))
	return p
}

func (w *World) pipeline(r *rand.Rand, i int) *Principal {
	project := pick(r, w.projects)
	email := fmt.Sprintf("deploy-%02d@%s.iam.gserviceaccount.com", i, project.ID)
	p := &Principal{Role: Pipeline, Email: email, Agent: "Terraform/1.13.3 (+https://www.terraform.io) Terraform-Plugin-SDK/2.37.0 terraform-provider-google/7.4.0,gzip(gfe)", Projects: []*Project{project, pick(r, w.projects)},
		Places: runners(r), pace: 0.4 + r.ExpFloat64()}
	if i%3 == 0 {
		p.Key = keyName(email, keyID(r))
	} else {
		p.Chain = []string{identity(project, "ci", fmt.Sprintf("subject/repo:example/app-%02d", i))}
	}
	w.teach(r, p, 30+r.IntN(50))
	return p
}

func (w *World) workload(r *rand.Rand, i int) *Principal {
	return w.workloadIn(r, i, pick(r, w.projects))
}

func (w *World) workloadIn(r *rand.Rand, i int, project *Project) *Principal {
	email := fmt.Sprintf("svc-%02d@%s.iam.gserviceaccount.com", i, project.ID)
	p := &Principal{Role: Workload, Email: email, Agent: pick(r, []string{"google-api-go-client/0.5,gzip(gfe)", "google-api-python-client/2.180.0 (gzip),gzip(gfe)", "gcloud-java/2.58.0,gzip(gfe)", ""}),
		Projects: []*Project{project}, Places: network(r), pace: 0.3 + r.ExpFloat64()}
	if chance(r, 0.15) {
		p.Places = []string{"private"}
	}
	w.teach(r, p, 3+r.IntN(6))
	return p
}

func (w *World) agent(r *rand.Rand, i int) *Principal {
	project := pick(r, w.projects)
	product := pick(r, []string{"gcp-sa-scc-notification", "container-engine-robot", "compute-system", "gcp-sa-artifactregistry", "gcp-sa-monitoring", "dataflow-service-producer-prod"})
	p := &Principal{Role: ServiceAgent, Email: fmt.Sprintf("service-%d@%s.iam.gserviceaccount.com", project.Number+1000*i, product), Projects: w.some(r, 3),
		Places: []string{"private"}, pace: 0.3 + r.ExpFloat64()}
	w.teach(r, p, 4+r.IntN(8))
	return p
}

func (w *World) controller(r *rand.Rand, i int) *Principal {
	p := &Principal{Role: Controller, Email: fmt.Sprintf("system:serviceaccount:team-%02d:operator", i), Agent: "operator/v1.31 (linux/amd64) kubernetes/$Format", Projects: w.some(r, 1),
		Places: []string{fmt.Sprintf("10.%d.0.%d", r.IntN(200), 2+r.IntN(200))}, pace: 0.5 + r.Float64()}
	for n := range 4 {
		p.Habits = append(p.Habits, p.call(patchStatus, p.Projects[0], patchStatus.resource(p.Projects[0], n)), p.call(getObjects, p.Projects[0], getObjects.resource(p.Projects[0], n)))
	}
	return p
}

func (w *World) rotator(r *rand.Rand) *Principal {
	ops := w.projects[len(w.projects)-1]
	return &Principal{Role: Rotator, Email: "keyturn-rotate@" + ops.ID + ".iam.gserviceaccount.com", Agent: "keyturn", Projects: []*Project{ops}, Places: []string{"gce-internal-ip"}, pace: 1}
}

// teach gives p n habits in its projects, reads more than writes. Hardly anybody
// changes roles, and nobody policies, every day.
func (w *World) teach(r *rand.Rand, p *Principal, n int) {
	for len(p.Habits) < n {
		e := pick(r, w.catalogue)
		writesRole := !e.Read && strings.HasPrefix(e.Permission, "iam.roles.")
		if strings.HasSuffix(e.Permission, ".setIamPolicy") || writesRole && chance(r, 0.9) || !e.Read && chance(r, 0.5) {
			continue
		}
		project := p.Projects[zipf(r, len(p.Projects))]
		p.Habits = append(p.Habits, p.call(e, project, e.resource(project, r.IntN(20))))
	}
}

// may reports whether p has ever been given the permission.
func (p *Principal) may(permission string) bool {
	for _, h := range p.Habits {
		if h.Permissions[0].Name == permission && h.Permissions[0].Granted {
			return true
		}
	}
	return false
}

// some picks n projects, not one twice.
func (w *World) some(r *rand.Rand, n int) []*Project {
	var found []*Project
	for _, i := range r.Perm(len(w.projects))[:n] {
		found = append(found, w.projects[i])
	}
	return found
}

// anyAddress is a public one.
func anyAddress(r *rand.Rand) string {
	return fmt.Sprintf("%d.%d.%d.%d", pick(r, []int{24, 31, 45, 62, 81, 91, 109, 146, 176, 185, 194, 212}), r.IntN(256), r.IntN(256), 1+r.IntN(254))
}

// network is a pool of addresses in one or two networks, as egress gateways have.
func network(r *rand.Rand) []string {
	var pool []string
	for range 1 + r.IntN(2) {
		base := fmt.Sprintf("%d.%d.%d.", pick(r, []int{52, 54, 104, 138, 159}), r.IntN(256), r.IntN(256))
		for range 1 + r.IntN(4) {
			pool = append(pool, base+fmt.Sprint(1+r.IntN(254)))
		}
	}
	return pool
}

// runners are the addresses of a hosted build farm: many.
func runners(r *rand.Rand) []string {
	pool := make([]string, 40)
	for i := range pool {
		pool[i] = fmt.Sprintf("20.%d.%d.%d", 40+r.IntN(20), r.IntN(256), 1+r.IntN(254))
	}
	return pool
}

func keyID(r *rand.Rand) string {
	return fmt.Sprintf("%016x%016x%08x", r.Uint64(), r.Uint64(), r.Uint32())
}

func keyName(email, id string) string {
	_, domain, _ := strings.Cut(email, "@")
	project, _, _ := strings.Cut(domain, ".")
	return "//iam.googleapis.com/projects/" + project + "/serviceAccounts/" + email + "/keys/" + id
}
