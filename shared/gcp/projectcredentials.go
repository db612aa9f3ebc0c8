package gcp

import (
	"context"
	"time"

	"example.com/keyturn/shared/inventory"
	"golang.org/x/sync/errgroup"
)

// recordKept is how long Cloud Monitoring keeps what it counts.
const recordKept = 42 * 24 * time.Hour

// ProjectCredentials reads what one project has of service-account keys, API keys,
// HMAC keys and secrets, and when they were used last. What cannot be read is among
// its gaps; it is an error only if nobody answers, or ctx ends. now tells policy time.
func (c *Cloud) ProjectCredentials(ctx context.Context, project string, now func() time.Time) (inventory.Snapshot, error) {
	s := inventory.Snapshot{At: now(), Scope: "projects/" + project, Home: project, Projects: []inventory.Project{{ID: project, Uses: map[inventory.Kind]inventory.Record{}}}}
	p := &s.Projects[0]
	reads := []partRead{
		{inventory.Accounts, "", func() (err error) { p.Accounts, err = c.Accounts(ctx, project); return err }},
		{inventory.APIKeys, "", func() (err error) { p.APIKeys, err = c.APIKeyInventory(ctx, project); return err }},
		{inventory.HMACKeys, "", func() (err error) { p.HMACKeys, err = c.HMACKeys(ctx, project); return err }},
		{inventory.Secrets, "", func() (err error) { p.Secrets, err = c.SecretInventory(ctx, project); return err }},
	}
	for _, kind := range Recorded {
		reads = append(reads, partRead{inventory.Uses, kind, func() error {
			record, err := c.UseRecord(ctx, project, kind, s.At.Add(-recordKept), s.At)
			if err == nil {
				p.Uses[kind] = record
			}
			return err
		}})
	}
	for _, r := range reads {
		err := r.read()
		if IsUnavailable(err) {
			return s, err
		}
		if err != nil {
			g := GapOf(r.part, s.Scope, err)
			g.Kind = r.kind
			p.Gaps = append(p.Gaps, g)
		}
	}
	c.readAccountKeys(ctx, p)
	return s, ctx.Err()
}

// partRead reads a part of a project.
type partRead struct {
	part inventory.Part
	kind inventory.Kind // of inventory.Uses
	read func() error
}

func (c *Cloud) readAccountKeys(ctx context.Context, p *inventory.Project) {
	errs := make([]error, len(p.Accounts))
	var all errgroup.Group
	all.SetLimit(readers)
	for i := range p.Accounts {
		a := &p.Accounts[i]
		all.Go(func() error { a.Keys, errs[i] = c.AccountInventory(ctx, accountIn(p, a)); return nil })
	}
	_ = all.Wait() // what went wrong is in errs
	for i, err := range errs {
		if err != nil {
			p.Gaps = append(p.Gaps, GapOf(inventory.AccountKeys, accountIn(p, &p.Accounts[i]), err))
		}
	}
}

func accountIn(p *inventory.Project, a *inventory.Account) string {
	return "projects/" + p.ID + "/serviceAccounts/" + a.Email
}
