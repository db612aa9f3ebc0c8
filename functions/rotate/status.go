package rotate

import (
	"context"
	"time"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
)

// Standing is how a credential stands.
type Standing struct {
	Target   string            `json:"target"`
	Rotation int               `json:"rotation"` // number of the latest rotation begun
	Due      time.Time         `json:"due,omitzero"`
	Incoming *rotation.Key     `json:"incoming,omitempty"`
	Current  *rotation.Key     `json:"current,omitempty"`
	Retiring []rotation.Key    `json:"retiring,omitempty"`
	Suspend  *Suspension       `json:"suspend,omitempty"`
	Failure  *rotation.Failure `json:"failure,omitempty"`
	Policy   rotation.Policy   `json:"policy"`

	Requests []rotation.Request `json:"requests,omitempty"` // the last few that somebody made, oldest first
}

func (f *Function) status(ctx context.Context, c event.Command) (Report, error) {
	t, err := f.observe(ctx, c)
	if err != nil {
		return Report{}, err
	}
	t.cred.Journal = f.look(ctx, t.cred)
	t.report.Journal = standing(t.cred)
	return t.answer(), nil
}

func standing(c rotation.Credential) *Standing {
	return &Standing{
		Target: c.Target, Rotation: c.Journal.Rotation, Due: rotation.NextDue(c.Policy, c.Journal),
		Incoming: c.Journal.Incoming, Current: c.Journal.Current, Retiring: c.Journal.Retiring, Suspend: suspension(c.Journal),
		Failure: c.Journal.Failure, Policy: c.Policy, Requests: c.Journal.Requests,
	}
}

// StatusAll is how every credential of the project stands. A secret whose
// annotations cannot be read is in Report.Broken.
func (f *Function) StatusAll(ctx context.Context) ([]Report, error) {
	var all []Report
	now := f.now()
	for secret, err := range f.cloud.Secrets(ctx, managed) {
		if err != nil {
			return all, err
		}
		cred, err := rotation.ParseCredential(secret.Name, secret.Labels, secret.Annotations)
		if err != nil {
			all = append(all, Report{Secret: secret.Name, Broken: []string{err.Error()}})
			continue
		}
		r := Report{Secret: secret.Name, Kind: string(cred.Kind), Journal: standing(cred)}
		r.foresee(now, cred)
		all = append(all, r)
	}
	shareSuspensions(all)
	return all, nil
}

// shareSuspensions tells every credential of a disabled account that it is.
func shareSuspensions(all []Report) {
	disabled := map[string]*Suspension{}
	for _, r := range all {
		if r.Suspend != nil && !r.Suspend.Pending {
			disabled[r.Journal.Target] = r.Suspend
		}
	}
	for i, r := range all {
		if r.Journal != nil && disabled[r.Journal.Target] != nil {
			all[i].Suspend = disabled[r.Journal.Target]
		}
	}
}
