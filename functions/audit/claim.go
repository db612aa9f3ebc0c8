package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"example.com/keyturn/shared/detect"
)

// All instances may come to the same finding. One claims it, publishes it and
// confirms that it did; if it dies before, another one that comes to the finding
// publishes it once the lease is over. Only an instance that dies between
// publishing and confirming has a finding published twice: the alternative is to
// lose it.
const (
	lease         = 30 * time.Second   // in which whoever claimed a finding must publish it
	claimRetry    = 10 * time.Second   // after the store could not be reached
	claimPatience = 5 * time.Minute    // then a finding is published unclaimed: rather twice than never
	claimTimeout  = 5 * time.Second    // of one call of the store
	claimSkew     = 5 * time.Minute    // by which clocks differ at most: a longer claim was made by a wrong one
	claimKept     = 7 * 24 * time.Hour // no entry that leads to a finding comes later than that
)

// claim is the document of one finding.
type claim struct {
	Owner     string    `json:"owner"`          // the instance that claimed it
	Until     time.Time `json:"until,omitzero"` // when others may claim it
	Published bool      `json:"published,omitempty"`
}

// parseClaim reads a claim. What is none was never claimed.
func parseClaim(data []byte) (c claim) {
	if json.Unmarshal(data, &c) != nil {
		return claim{}
	}
	return c
}

// by is what the claim becomes when an instance wants to publish the finding at
// now, and whether it may.
func (c claim) by(owner string, now time.Time) (claim, bool) {
	held := now.Before(c.Until) && !c.Until.After(now.Add(lease+claimSkew))
	if c.Published || held && c.Owner != owner {
		return c, false
	}
	return claim{Owner: owner, Until: now.Add(lease)}, true
}

// pending is a finding on its way out.
type pending struct {
	detect.Finding
	published bool      // and not confirmed yet
	failing   time.Time // since when it could not be claimed; zero is that it was not tried, or worked
	next      time.Time // when to try again; zero is at once
}

// tell publishes a finding that nobody else has published or is publishing, and
// reports whether nothing is left to do for it.
func (f *Function) tell(ctx context.Context, p *pending) (settled bool, err error) {
	if f.config.Store == nil {
		err := f.publish(ctx, p.Finding)
		return err == nil, err
	}
	if !p.published {
		if mine, settled, err := f.claim(ctx, p); !mine {
			return settled, err
		}
		if err := f.publish(ctx, p.Finding); err != nil {
			return false, err
		}
		p.published = true
	}
	return f.confirm(ctx, p), nil
}

// claim reports whether this instance is the one to publish a finding, and if not
// whether another one has.
func (f *Function) claim(ctx context.Context, p *pending) (mine, settled bool, err error) {
	var c claim
	now := f.wall()
	err = f.setClaim(ctx, p.ID, func(old claim) claim {
		c, mine = old.by(f.owner, now)
		return c
	})
	switch {
	case err != nil && f.holdBack(p, now):
		return false, false, fmt.Errorf("claiming finding %s, which is held back for now: %w", p.ID, err)
	case err != nil:
		f.log.ErrorContext(ctx, "a finding is published unclaimed, perhaps by other instances too", "id", p.ID, "error", err.Error())
		return true, false, nil
	case !mine:
		p.next = c.Until
	}
	return mine, c.Published, nil
}

// confirm notes that a finding is published, and reports whether it could.
func (f *Function) confirm(ctx context.Context, p *pending) bool {
	err := f.setClaim(ctx, p.ID, func(claim) claim { return claim{Owner: f.owner, Published: true} })
	if err != nil {
		f.log.ErrorContext(ctx, "a published finding is not confirmed yet", "id", p.ID, "error", err.Error())
		p.next = f.wall().Add(claimRetry)
	}
	return err == nil
}

// holdBack reports whether a finding that could not be claimed may wait longer,
// and sets when it is tried again.
func (f *Function) holdBack(p *pending, now time.Time) bool {
	if p.failing.IsZero() {
		p.failing = now
	}
	p.next = now.Add(claimRetry)
	return now.Sub(p.failing) < claimPatience
}

func (f *Function) setClaim(ctx context.Context, id string, set func(claim) claim) error {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	return f.config.Store.Update(ctx, "finding-"+id, func(old []byte) ([]byte, time.Time, error) {
		data, err := json.Marshal(set(parseClaim(old)))
		return data, f.wall().Add(claimKept), err
	})
}
