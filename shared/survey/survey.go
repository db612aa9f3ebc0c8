// Package survey reads an inventory.Snapshot of a project, a folder or an
// organisation from Google Cloud: all pages, several calls at once, and no part
// that cannot be read keeps the others from it. One that is interrupted goes on
// where it was.
package survey

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/inventory"
	"example.com/keyturn/shared/rotation"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Config says what to survey.
type Config struct {
	Cloud *gcp.Cloud       // required; gcp.QuotasOfCaller keeps to half of the quotas
	Scope string           // projects/P, folders/N or organizations/N; required
	Home  string           // id of the project that holds keyturn's secrets; required
	Now   func() time.Time // policy time; required

	// Checkpoint is the file in which an interrupted survey leaves what it has read;
	// empty is none.
	Checkpoint string
	Parallel   int      // calls at once; zero is 16
	Progress   Progress // nil tells nobody

	without []inventory.Part // that are not read
}

// Progress is told how far a survey is.
type Progress interface {
	Stage(name string, total int)
	Advance(done int)
}

// Take surveys the scope. A part that cannot be read is a gap in the snapshot; the
// error is that of what a survey cannot begin or go on without, and then what was
// read so far is in the checkpoint.
func Take(ctx context.Context, c Config) (inventory.Snapshot, error) {
	s, err := c.begin()
	if err != nil {
		return inventory.Snapshot{}, err
	}
	if err = s.run(ctx); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // whatever the calls that it ended say
		}
		return s.state.Snapshot, errors.Join(err, s.save())
	}
	return s.state.Snapshot, s.discard()
}

// Project surveys one project, that of keyturn's secrets, for what posture judges, and
// keeps nothing on the way. now tells policy time. OAuth clients are left out: whoever
// may list their credentials may read the secrets.
func Project(ctx context.Context, cloud *gcp.Cloud, id string, now func() time.Time) (inventory.Snapshot, error) {
	return Take(ctx, Config{Cloud: cloud, Scope: "projects/" + id, Home: id, Now: now, without: []inventory.Part{inventory.OAuthClients}})
}

// survey is one on its way.
type survey struct {
	Config

	mu    sync.Mutex // guards what follows, and the projects of the snapshot
	state checkpoint
	saved time.Time // wall time
	done  int       // of the stage
}

func (s *survey) run(ctx context.Context) error {
	if !s.state.Listed {
		s.stage("listing projects", 1)
		if err := s.list(ctx); err != nil {
			return err
		}
	}
	projects := s.state.Snapshot.Projects
	s.stage("reading projects", len(projects))
	if err := s.each(ctx, len(projects), func(ctx context.Context, i int) error { return s.project(ctx, &projects[i]) }); err != nil {
		return err
	}
	var accounts []place
	for i := range projects {
		for j := range projects[i].Accounts {
			accounts = append(accounts, place{&projects[i], &projects[i].Accounts[j]})
		}
	}
	s.stage("reading service accounts", len(accounts))
	return s.each(ctx, len(accounts), func(ctx context.Context, i int) error { return s.account(ctx, accounts[i]) })
}

func (s *survey) stage(name string, total int) {
	s.done = 0
	if s.Progress != nil {
		s.Progress.Stage(name, total)
	}
}

// each does n things, several at once.
func (s *survey) each(ctx context.Context, n int, do func(context.Context, int) error) error {
	group, ours := errgroup.WithContext(ctx)
	group.SetLimit(s.parallel())
	for i := 0; i < n && ours.Err() == nil; i++ {
		group.Go(func() error { return do(ours, i) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

func (s *survey) parallel() int {
	if s.Parallel == 0 {
		return 16
	}
	return s.Parallel
}

// finished notes that one thing of the stage is done, and saves now and then.
func (s *survey) finished(note func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if note != nil {
		note()
	}
	s.done++
	if s.Progress != nil {
		s.Progress.Advance(s.done)
	}
	if time.Since(s.saved) < saveEvery {
		return nil
	}
	return s.save()
}

// stops reports whether an error is not about what was asked for: nobody answers,
// or the survey was interrupted.
func stops(ctx context.Context, err error) bool {
	return err != nil && (ctx.Err() != nil || gcp.IsUnavailable(err) || status.Code(err) == codes.DeadlineExceeded)
}

// project reads all of a project but the keys of its accounts.
func (s *survey) project(ctx context.Context, p *inventory.Project) error {
	if s.state.project(p.ID) {
		return s.finished(nil)
	}
	read := inventory.Project{ID: p.ID, Number: p.Number, Name: p.Name, Parent: p.Parent, Outside: p.Outside, Gaps: p.Gaps}
	for _, part := range s.parts(&read) {
		if read.Outside && part.part != inventory.Secrets || slices.Contains(s.without, part.part) {
			continue
		}
		if err := part.read(ctx); stops(ctx, err) {
			return err
		} else if err != nil {
			read.Gaps = append(read.Gaps, gcp.GapOf(part.part, "projects/"+p.ID, err))
		}
	}
	if err := errors.Join(s.uses(ctx, &read), s.activities(ctx, &read)); err != nil {
		return err
	}
	return s.finished(func() {
		*p = read
		s.state.Projects = append(s.state.Projects, p.ID)
	})
}

// part is one list of a project.
type part struct {
	part inventory.Part
	read func(context.Context) error
}

func (s *survey) parts(p *inventory.Project) []part {
	return []part{
		{inventory.Accounts, into(&p.Accounts, s.Cloud.Accounts, p.ID)},
		{inventory.APIKeys, func(ctx context.Context) error {
			keys, err := s.Cloud.APIKeyInventory(ctx, p.ID)
			p.APIKeys = named(p, keys)
			return err
		}},
		{inventory.HMACKeys, into(&p.HMACKeys, s.Cloud.HMACKeys, p.ID)},
		{inventory.OAuthClients, into(&p.OAuthClients, s.Cloud.OAuthClients, p.ID)},
		{inventory.Secrets, into(&p.Secrets, s.Cloud.SecretInventory, p.ID)},
	}
}

func into[T any](list *[]T, read func(context.Context, string) ([]T, error), project string) func(context.Context) error {
	return func(ctx context.Context) (err error) {
		*list, err = read(ctx, project)
		return err
	}
}

// named gives API keys names with the project's id, and learns its number from
// those that Google gave them.
func named(p *inventory.Project, keys []inventory.APIKey) []inventory.APIKey {
	for i, k := range keys {
		if number := gcp.ProjectOf(k.Name); p.Number == "" && number != p.ID {
			p.Number = number
		}
		keys[i].Name = "projects/" + p.ID + "/locations/global/keys/" + rotation.ShortID(k.Name)
	}
	return keys
}

// uses asks Cloud Monitoring for the kinds of which the project has any.
func (s *survey) uses(ctx context.Context, p *inventory.Project) error {
	has := map[inventory.Kind]bool{
		inventory.AccountKeyKind: len(p.Accounts) > 0, inventory.APIKeyKind: len(p.APIKeys) > 0, inventory.HMACKeyKind: len(p.HMACKeys) > 0,
	}
	at := s.state.Snapshot.At
	for _, kind := range gcp.Recorded {
		if !has[kind] {
			continue
		}
		record, err := s.Cloud.UseRecord(ctx, p.ID, kind, at.Add(-rotation.Window), at)
		if stops(ctx, err) {
			return err
		}
		if err != nil {
			gap := gcp.GapOf(inventory.Uses, "projects/"+p.ID, err)
			gap.Kind = kind
			p.Gaps = append(p.Gaps, gap)
			continue
		}
		if p.Uses == nil {
			p.Uses = map[inventory.Kind]inventory.Record{}
		}
		p.Uses[kind] = record
	}
	return nil
}

// activities asks Policy Analyzer, which knows of longer ago than Cloud Monitoring
// does, and more of keys of which nothing was counted.
func (s *survey) activities(ctx context.Context, p *inventory.Project) (err error) {
	if len(p.Accounts) == 0 {
		return nil
	}
	if p.Activities, err = s.Cloud.KeyActivities(ctx, p.ID); err == nil || stops(ctx, err) {
		return err
	}
	gap := gcp.GapOf(inventory.Activities, "projects/"+p.ID, err)
	gap.Kind = inventory.AccountKeyKind
	p.Gaps = append(p.Gaps, gap)
	return nil
}

// place is an account and where it is.
type place struct {
	project *inventory.Project
	account *inventory.Account
}

// account reads the keys of an account. One that is gone meanwhile has none.
func (s *survey) account(ctx context.Context, at place) error {
	if s.state.account(at.account.Email) {
		return s.finished(nil)
	}
	name := "projects/" + at.project.ID + "/serviceAccounts/" + at.account.Email
	keys, err := s.Cloud.AccountInventory(ctx, name)
	if stops(ctx, err) {
		return err
	}
	return s.finished(func() {
		at.account.Keys = keys
		if err != nil && !gcp.IsNotFound(err) {
			at.project.Gaps = append(at.project.Gaps, gcp.GapOf(inventory.AccountKeys, name, err))
		}
		s.state.Accounts = append(s.state.Accounts, at.account.Email)
	})
}

// CheckScope refuses what is no scope.
func CheckScope(scope string) error {
	kind, id, _ := strings.Cut(scope, "/")
	if !slices.Contains([]string{"projects", "folders", "organizations"}, kind) || id == "" || strings.ContainsAny(id, "/?#%") {
		return fmt.Errorf("scope %.80q is none of projects/ID, folders/NUMBER and organizations/NUMBER", scope)
	}
	if kind != "projects" && strings.Trim(id, "0123456789") != "" {
		return fmt.Errorf("%s %.80q has no number, such as 123456789012", strings.TrimSuffix(kind, "s"), id)
	}
	return nil
}
