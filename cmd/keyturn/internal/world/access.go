package world

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cloud.google.com/go/iam/apiv1/iampb"
	logging "cloud.google.com/go/logging/apiv2"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"example.com/keyturn/internal/granted"
	"example.com/keyturn/shared/deployment"
)

// grant gives everybody exactly what a deployment has him have, and turns on the
// logs that detectors need.
func (w *World) grant(ctx context.Context) error {
	writer, err := w.sinkWriter(ctx)
	if err != nil {
		return err
	}
	if err := granted.Roles(w.Cloud, w.site(), writer, w.triggers()); err != nil {
		return err
	}
	p := w.Cloud.Policies.Get(w.site().Resource())
	p.AuditConfigs = auditConfigs()
	_, err = w.Cloud.Policies.Set(w.site().Resource(), p)
	return err
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
