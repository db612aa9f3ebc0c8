package world

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/iam/apiv1/iampb"
	logging "cloud.google.com/go/logging/apiv2"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"example.com/keyturn/shared/deployment"
)

// Whoever set the world up did so long ago: no audit log tells of it.

// makeAccounts makes the service accounts of a deployment.
func (w *World) makeAccounts() error {
	for _, a := range deployment.Accounts {
		if err := w.Cloud.IAM.AddAccount(w.Project, a.ID, a.Why); err != nil {
			return fmt.Errorf("creating service account %s: %w", a.ID, err)
		}
	}
	return nil
}

// grant gives everybody exactly what a deployment has him have, and turns on the
// logs that detectors need.
func (w *World) grant(ctx context.Context) error {
	for _, r := range deployment.Roles {
		role := &adminpb.Role{Title: r.Title, Stage: adminpb.Role_GA}
		for _, p := range r.Permissions {
			role.IncludedPermissions = append(role.IncludedPermissions, p.Name)
		}
		if _, err := w.Cloud.Policies.Roles.Create(w.site().Resource(), r.ID, role); err != nil {
			return fmt.Errorf("creating role %s: %w", r.ID, err)
		}
	}
	writer, err := w.sinkWriter(ctx)
	if err != nil {
		return err
	}
	byResource := map[string][]deployment.Grant{}
	for _, g := range w.site().Granted(writer, w.triggers()) {
		byResource[g.On] = append(byResource[g.On], g)
	}
	for _, on := range slices.Sorted(maps.Keys(byResource)) {
		if err := w.grantOn(on, byResource[on]); err != nil {
			return fmt.Errorf("granting roles on %s: %w", on, err)
		}
	}
	return nil
}

// triggers are the subscriptions that start functions.
func (w *World) triggers() []string {
	all := slices.Sorted(maps.Keys(w.Cloud.PubSub.Outstanding("")))
	return slices.DeleteFunc(all, func(name string) bool { return !strings.Contains(name, "/subscriptions/eventarc-") })
}

// sinkWriter is the account that sends log entries.
func (w *World) sinkWriter(ctx context.Context) (string, error) {
	client, err := logging.NewConfigClient(ctx, w.Options()...)
	if err != nil {
		return "", fmt.Errorf("connecting to Cloud Logging: %w", err)
	}
	defer client.Close()
	sink, err := client.GetSink(ctx, &loggingpb.GetSinkRequest{SinkName: w.site().Resource() + "/sinks/" + deployment.SinkName})
	if err != nil {
		return "", fmt.Errorf("reading the log sink: %w", err)
	}
	return sink.GetWriterIdentity(), nil
}

// grantOn adds to the policy of a resource, which for the project names its owner.
func (w *World) grantOn(on string, grants []deployment.Grant) error {
	if project, email, ok := strings.Cut(on, "/serviceAccounts/"); ok { // whose policy goes by the id that no other account will have
		on = project + "/serviceAccounts/" + w.Cloud.IAM.UniqueID(email)
	}
	p := w.Cloud.Policies.Get(on)
	for _, g := range grants {
		i := slices.IndexFunc(p.GetBindings(), func(b *iampb.Binding) bool { return b.GetRole() == g.Role })
		if i < 0 {
			i = len(p.GetBindings())
			p.Bindings = append(p.Bindings, &iampb.Binding{Role: g.Role})
		}
		p.Bindings[i].Members = append(p.Bindings[i].Members, g.Member)
	}
	if on == w.site().Resource() {
		p.AuditConfigs = auditConfigs()
	}
	_, err := w.Cloud.Policies.Set(on, p)
	return err
}

func auditConfigs() []*iampb.AuditConfig {
	var all []*iampb.AuditConfig
	for _, l := range deployment.AuditLogs {
		c := &iampb.AuditConfig{Service: l.Service}
		for _, t := range l.Types {
			c.AuditLogConfigs = append(c.AuditLogConfigs, &iampb.AuditLogConfig{LogType: iampb.AuditLogConfig_LogType(iampb.AuditLogConfig_LogType_value[t])})
		}
		all = append(all, c)
	}
	return all
}
