package rotate

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// Plan is what is going to be done for one credential, if all goes well and nobody
// asks for anything, and what stands in the way of it.
type Plan struct {
	Secret   string  `json:"secret"`
	Kind     string  `json:"kind,omitempty"`
	Target   string  `json:"target,omitempty"`
	Turns    []Turn  `json:"turns"` // what is in hand to its end, or else the next rotation to its end
	Paused   *Pause  `json:"paused,omitempty"`
	Problems []Bar   `json:"problems"`       // what stands in the way, or may; the worst first
	Room     *Room   `json:"room,omitempty"` // of a service account: under Google's limit of keys
	Policies []Rule  `json:"policies"`       // of the organisation, on the way of a new key
	Unasked  []Doubt `json:"unasked"`        // what could not be found out
}

// Turn is what one trigger is going to do.
type Turn struct {
	At    time.Time  `json:"at"` // when it falls due: the first sweep from then on does it
	Steps []TurnStep `json:"steps"`
	Calls []Call     `json:"calls"` // of all steps, with reading the secret and writing the journal
}

// TurnStep is one step of a turn, with the remote calls that it makes itself.
type TurnStep struct {
	Step  rotation.Action `json:"step"`
	Key   string          `json:"key,omitempty"` // "new" is one that is still to be made
	Why   string          `json:"why"`
	Calls []Call          `json:"calls"`
}

// QuotaUse is how much of what keyturn allows itself in a minute, which is half of
// Google's quota for a project, the next sweep uses.
type QuotaUse struct {
	API       string `json:"api"`
	Kind      string `json:"kind"` // read, write or access
	Project   string `json:"project"`
	Calls     int    `json:"calls"`
	PerMinute int    `json:"perMinute"` // that keyturn allows itself
}

// plan foretells what is going to be done for one credential or for all. It changes
// nothing.
func (f *Function) plan(ctx context.Context, c event.Command) (Report, error) {
	secrets, err := f.planned(ctx, c.Secret)
	if err != nil {
		return Report{}, err
	}
	p := f.planner()
	plans, spent := p.all(ctx, secrets)
	return Report{Secret: c.Secret, Plans: plans, Quota: usage(spent)}, ctx.Err()
}

// planned are the secrets to plan for: one, or all that are managed.
func (f *Function) planned(ctx context.Context, name string) (secrets []gcp.Secret, err error) {
	if name == "" {
		for s, err := range f.cloud.Secrets(ctx, managed) {
			if err != nil {
				return nil, err
			}
			secrets = append(secrets, s)
		}
		return secrets, nil
	}
	one, err := f.cloud.Secret(ctx, name)
	if err != nil {
		return nil, err
	}
	if _, err := rotation.ParseCredential(one.Name, one.Labels, one.Annotations); err != nil {
		return nil, unreadable(err)
	}
	return []gcp.Secret{one}, nil
}

// planner makes plans as of a time.
type planner struct {
	*Function
	now   time.Time
	rules *rules
}

func (f *Function) planner() planner {
	return planner{Function: f, now: f.now(), rules: &rules{read: map[string]*onceRule{}}}
}

// planners are how many credentials are looked at at once.
const planners = 8

// all are the plans of secrets, by name, and what the soonest turns call.
func (p planner) all(ctx context.Context, secrets []gcp.Secret) ([]Plan, []spent) {
	plans := make([]Plan, len(secrets))
	outlooks := make([][]spent, len(secrets))
	var workers sync.WaitGroup
	free := make(chan struct{}, planners)
	for i, s := range secrets {
		workers.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			plans[i], outlooks[i] = p.one(ctx, s)
		})
	}
	workers.Wait()
	slices.SortFunc(plans, func(a, b Plan) int { return strings.Compare(a.Secret, b.Secret) })
	return plans, soonest(slices.Concat(outlooks...))
}

// one is the plan of one secret.
func (p planner) one(ctx context.Context, s gcp.Secret) (Plan, []spent) {
	plan := Plan{Secret: s.Name, Turns: []Turn{}, Problems: []Bar{}, Policies: []Rule{}, Unasked: []Doubt{}}
	cred, err := rotation.ParseCredential(s.Name, s.Labels, s.Annotations)
	if err != nil {
		plan.Problems = append(plan.Problems, Bar{Reason: err.Error(), Blocks: true})
		return plan, nil
	}
	plan.Kind, plan.Target = string(cred.Kind), cred.Target
	if cred.Journal.IsLost() {
		cred.Journal = p.look(ctx, cred)
	}
	if cred.Journal.Paused(p.now) {
		plan.Paused = cred.Journal.Pause
	}
	foretold := rotation.Foretell(p.now, cred, rotation.Observed{Aliases: s.Aliases}, rotation.Intent{})
	var used []spent
	plan.Turns, used = turnsOf(cred, foretold)
	p.preflight(ctx, &plan, cred)
	return plan, used
}

// spent is what a turn calls, and for which projects.
type spent struct {
	at             time.Time
	secret, target string // projects
	calls          []Call
}

// turnsOf groups steps by the trigger that takes them.
func turnsOf(cred rotation.Credential, foretold []rotation.Prospect) (turns []Turn, used []spent) {
	turns = []Turn{}
	o := outlook{fresh: cred.Journal.Staging == ""}
	for i, next := range foretold {
		if i == 0 || !next.At.Equal(foretold[i-1].At) {
			o = outlook{cred: cred, fresh: o.fresh, tally: tally{}}
			turns = append(turns, Turn{At: next.At})
		}
		t := &turns[len(turns)-1]
		own := o.step(next.Step)
		t.Steps = append(t.Steps, TurnStep{Step: next.Step.Action, Key: next.Step.Key.ID, Why: next.Step.Reason, Calls: own.calls()})
		if i == len(foretold)-1 || !next.At.Equal(foretold[i+1].At) {
			o.trigger()
			t.Calls = o.calls()
			used = append(used, spent{at: t.At, secret: gcp.ProjectOf(cred.Secret), target: cred.Project(), calls: t.Calls})
		}
	}
	return turns, used
}

// soonest are the turns that one sweep has taken: those that fall due first.
func soonest(all []spent) []spent {
	if len(all) == 0 {
		return nil
	}
	first := slices.MinFunc(all, func(a, b spent) int { return a.at.Compare(b.at) }).at
	return slices.DeleteFunc(all, func(s spent) bool { return s.at.After(first) })
}

// usage sums up what counts against quotas.
func usage(all []spent) []QuotaUse {
	sums := map[QuotaUse]int{}
	for _, s := range all {
		for _, c := range s.calls {
			service, limited := counted[c.API]
			if !limited {
				continue
			}
			u := QuotaUse{API: c.API, Kind: c.Kind, Project: s.target}
			if c.API == secretManager {
				u.Project = s.secret
			}
			_, u.PerMinute = gcp.QuotaOf(service + c.Method)
			sums[u] += c.Calls
		}
	}
	uses := []QuotaUse{}
	for u, n := range sums {
		u.Calls = n
		uses = append(uses, u)
	}
	slices.SortFunc(uses, func(a, b QuotaUse) int {
		return cmp.Or(cmp.Compare(a.Project, b.Project), cmp.Compare(a.API, b.API), cmp.Compare(a.Kind, b.Kind))
	})
	return uses
}
