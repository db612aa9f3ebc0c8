package rotate

import (
	"context"
	"errors"
	"path"
	"time"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// managed selects the secrets that are credentials.
const managed = "labels." + rotation.Label + "=" + rotation.Managed

// sweep sends one message for each credential that has something due, so that
// Pub/Sub and Cloud Run spread the work and one bad credential stops no other.
func (f *Function) sweep(ctx context.Context) (Report, error) {
	now := f.now()
	return f.fanOut(ctx, event.Continue, func(c rotation.Credential, aliases map[string]string) bool {
		return len(rotation.Decide(now, c.Policy, c.Journal, rotation.Observed{Aliases: aliases}, rotation.Intent{})) > 0
	})
}

// lookBack is more than the time between two inspections.
const lookBack = 2 * time.Hour

// inspectAll has every credential inspected, each by a message of its own, and
// tells of those whose notices from Secret Manager get lost.
func (f *Function) inspectAll(ctx context.Context) (Report, error) {
	managed := map[string]rotation.Credential{}
	r, err := f.fanOut(ctx, event.Inspect, func(c rotation.Credential, _ map[string]string) bool {
		managed[path.Base(c.Secret)] = c
		return true
	})
	lost, lostErr := f.cloud.LostNotices(ctx, f.now().Add(-lookBack))
	for _, n := range lost {
		if c, ok := managed[path.Base(n.Secret)]; ok {
			t := turn{Function: f, cred: c}
			t.warn(ctx, event.Overdue, n.Why, "", "Secret Manager could not publish its rotation notice: "+n.Why)
			r.Warnings = append(r.Warnings, t.report.Warnings...)
		}
	}
	return r, errors.Join(err, lostErr)
}

// fanOut sends a message for each credential that is chosen.
func (f *Function) fanOut(ctx context.Context, verb event.Verb, chosen func(c rotation.Credential, aliases map[string]string) bool) (Report, error) {
	var r Report
	var out []event.Outgoing
	var problem error // with the list: what was listed before is sent all the same
	for secret, err := range f.cloud.Secrets(ctx, managed) {
		if err != nil {
			problem = err
			break
		}
		r.Swept++
		cred, err := rotation.ParseCredential(secret.Name, secret.Labels, secret.Annotations)
		switch {
		case err != nil:
			r.Broken = append(r.Broken, secret.Name)
			f.refuse(ctx, secret, err)
		case chosen(cred, secret.Aliases):
			out = append(out, event.Command{Verb: verb, Secret: secret.Name}.Outgoing())
		}
	}
	if err := f.publish(ctx, out...); err != nil {
		return r, errors.Join(problem, err)
	}
	r.Sent = len(out)
	return r, problem
}

// refuse tells that a credential cannot be rotated until somebody mends it. It
// is told at each sweep; alerting sees to it that people hear it once.
func (f *Function) refuse(ctx context.Context, secret gcp.Secret, cause error) {
	f.log.ErrorContext(ctx, "credential cannot be read", "secret", secret.Name, "error", cause.Error())
	f.announce(ctx, event.Rotation{
		ID:        milestoneID(secret.Name, secret.Etag, event.Refused),
		Milestone: event.Refused, Time: f.now(), Project: f.cloud.Project(), Secret: secret.Name,
		Reason: cause.Error(), Severity: event.Refused.SeverityOf(), Labels: rotation.OwnerLabels(secret.Labels),
	})
}
