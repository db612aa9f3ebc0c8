package survey

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/scheduler/apiv1/schedulerpb"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"cloud.google.com/go/serviceusage/apiv1/serviceusagepb"
	"google.golang.org/api/cloudresourcemanager/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"example.com/keyturn/shared/deployment"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

func number(p *cloudresourcemanager.Project) string { return strconv.FormatInt(p.ProjectNumber, 10) }

func (l *look) apis(ctx context.Context) {
	req := &serviceusagepb.BatchGetServicesRequest{Parent: l.site.Resource()}
	for _, a := range deployment.APIs {
		req.Names = append(req.Names, l.site.Resource()+"/services/"+a.Name)
	}
	resp, err := l.usage.BatchGetServices(ctx, req)
	enabled := map[string]bool{}
	for _, s := range resp.GetServices() {
		enabled[s.GetConfig().GetName()] = s.GetState() == serviceusagepb.State_ENABLED
	}
	l.o.APIs = known(enabled, err)
}

func (l *look) accounts(ctx context.Context) {
	disabled := map[string]bool{}
	for _, a := range deployment.Accounts {
		email := l.site.Email(a.ID)
		got, err := l.iam.GetServiceAccount(ctx, &adminpb.GetServiceAccountRequest{Name: l.site.Resource() + "/serviceAccounts/" + email})
		switch {
		case gcp.IsNotFound(err):
		case err != nil:
			l.o.Accounts.Unread = unread(err)
			return
		default:
			disabled[email] = got.GetDisabled()
		}
	}
	l.o.Accounts.Value = disabled
}

// each collects a listing.
func each[T, U any](items iter.Seq2[T, error], take func(T) U) ([]U, error) {
	var all []U
	for item, err := range items {
		if err != nil {
			return nil, err
		}
		all = append(all, take(item))
	}
	return all, nil
}

func (l *look) topics(ctx context.Context) {
	names, err := each(l.clients.topics.ListTopics(ctx, &pubsubpb.ListTopicsRequest{Project: l.site.Resource()}).All(), (*pubsubpb.Topic).GetName)
	there := map[string]bool{}
	for _, n := range names {
		there[n] = true
	}
	l.o.Topics = known(there, err)
}

func (l *look) functions(ctx context.Context) {
	parent := l.site.Resource() + "/locations/" + l.site.Region
	all, err := each(l.clients.functions.ListFunctions(ctx, &functionspb.ListFunctionsRequest{Parent: parent}).All(), func(f *functionspb.Function) *functionspb.Function { return f })
	deployed := map[string]deployment.Deployed{}
	for _, f := range all {
		deployed[f.GetName()] = l.functionOf(f)
	}
	l.o.Functions = known(deployed, err)
}

func (l *look) functionOf(f *functionspb.Function) deployment.Deployed {
	c := f.GetServiceConfig()
	d := deployment.Deployed{
		State: f.GetState().String(), Entry: f.GetBuildConfig().GetEntryPoint(), Account: c.GetServiceAccountEmail(), Timeout: time.Duration(c.GetTimeoutSeconds()) * time.Second,
		Topic: f.GetEventTrigger().GetPubsubTopic(), Retries: f.GetEventTrigger().GetRetryPolicy() == functionspb.EventTrigger_RETRY_POLICY_RETRY,
		Environment: c.GetEnvironmentVariables(), URI: c.GetUri(), Revision: c.GetRevision(), Behind: !c.GetAllTrafficOnLatestRevision(), Updated: f.GetUpdateTime().AsTime(),
	}
	for _, m := range f.GetStateMessages() {
		d.Messages = append(d.Messages, oneLine(m.GetMessage()))
	}
	environ := []string{"K_SERVICE=" + path.Base(c.GetService())} // Cloud Run sets it
	for name, value := range d.Environment {
		environ = append(environ, name+"="+value)
	}
	slices.Sort(environ)
	if err := l.Check(environ); err != nil {
		d.Refused = oneLine(err.Error())
	}
	return d
}

func (l *look) subscriptions(ctx context.Context) {
	all, err := each(l.clients.subscriptions.ListSubscriptions(ctx, &pubsubpb.ListSubscriptionsRequest{Project: l.site.Resource()}).All(), subscriptionOf)
	l.o.Subscriptions = known(all, err)
}

func subscriptionOf(s *pubsubpb.Subscription) deployment.Subscription {
	return deployment.Subscription{
		Name: s.GetName(), Topic: s.GetTopic(), Endpoint: s.GetPushConfig().GetPushEndpoint(), Account: s.GetPushConfig().GetOidcToken().GetServiceAccountEmail(),
		AckDeadline: time.Duration(s.GetAckDeadlineSeconds()) * time.Second, DeadLetter: s.GetDeadLetterPolicy().GetDeadLetterTopic(), Attempts: int(s.GetDeadLetterPolicy().GetMaxDeliveryAttempts()),
		HasRetry: s.GetRetryPolicy() != nil, Detached: s.GetDetached(), ExpiresAfter: s.GetExpirationPolicy().GetTtl().AsDuration(),
	}
}

func (l *look) sink(ctx context.Context) {
	s, err := l.logs.GetSink(ctx, &loggingpb.GetSinkRequest{SinkName: l.site.Resource() + "/sinks/" + deployment.SinkName})
	switch {
	case gcp.IsNotFound(err):
	case err != nil:
		l.o.Sink.Unread = unread(err)
	default:
		l.o.Sink.Value = &deployment.Sink{Destination: s.GetDestination(), Filter: s.GetFilter(), Writer: s.GetWriterIdentity(), Disabled: s.GetDisabled()}
	}
}

func (l *look) jobs(ctx context.Context) {
	parent := l.site.Resource() + "/locations/" + l.site.Region
	all, err := each(l.clients.jobs.All(ctx, parent), stateOf)
	there := map[string]deployment.JobState{}
	for _, j := range all {
		there[j.Name] = j
	}
	l.o.Jobs = known(there, err)
}

func stateOf(j *schedulerpb.Job) deployment.JobState {
	s := deployment.JobState{Job: JobOf(j), Enabled: j.GetState() == schedulerpb.Job_ENABLED}
	if at := j.GetLastAttemptTime(); at != nil {
		s.LastAttempt = at.AsTime()
	}
	if next := j.GetScheduleTime(); next != nil {
		s.Next = next.AsTime()
	}
	if st := j.GetStatus(); st.GetCode() != 0 {
		s.Failure = oneLine(fmt.Sprintf("%v %s", codes.Code(st.GetCode()), st.GetMessage()))
	}
	return s
}

// JobOf is what of a job Diagnose compares.
func JobOf(j *schedulerpb.Job) deployment.Job {
	target, out := j.GetPubsubTarget(), []string{}
	for _, name := range slices.Sorted(maps.Keys(target.GetAttributes())) {
		out = append(out, name+"="+target.GetAttributes()[name])
	}
	return deployment.Job{
		Name: j.GetName(), Schedule: j.GetSchedule(), TimeZone: j.GetTimeZone(), Topic: target.GetTopicName(),
		Attributes: strings.Join(out, ","), Retries: int(j.GetRetryConfig().GetRetryCount()),
	}
}

func (l *look) seals(ctx context.Context) {
	l.o.Seals = map[string]deployment.Part[*deployment.Seal]{}
	for _, id := range deployment.Seals {
		name := l.site.Secret(id)
		seal, err := l.seal(ctx, name)
		l.o.Seals[name] = known(seal, err)
	}
}

// seal is nil for a secret that does not exist.
func (l *look) seal(ctx context.Context, name string) (*deployment.Seal, error) {
	_, err := l.secrets.GetSecret(ctx, &secretmanagerpb.GetSecretRequest{Name: name})
	if gcp.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v, err := l.secrets.GetSecretVersion(ctx, &secretmanagerpb.GetSecretVersionRequest{Name: name + "/versions/latest"})
	if gcp.IsNotFound(err) {
		return &deployment.Seal{}, nil
	}
	return &deployment.Seal{State: v.GetState().String()}, err
}

// credentials are those that keyturn manages, and whether their accounts are there.
func (l *look) credentials(ctx context.Context) {
	var all []deployment.Credential
	for s, err := range l.Cloud.Secrets(ctx, "labels."+rotation.Label+"="+rotation.Managed) {
		if err != nil {
			l.o.Credentials.Unread = unread(err)
			return
		}
		all = append(all, credentialOf(s))
	}
	l.checkAccounts(ctx, all)
	l.o.Credentials.Value = all
}

func credentialOf(s gcp.Secret) deployment.Credential {
	out := deployment.Credential{Secret: s.Name}
	c, err := rotation.ParseCredential(s.Name, s.Labels, s.Annotations)
	switch {
	case err != nil:
		out.Broken = oneLine(err.Error())
	case c.Kind == rotation.ServiceAccountKey:
		out.Account = c.Target
	}
	return out
}

// checkAccounts asks for each account once.
func (l *look) checkAccounts(ctx context.Context, all []deployment.Credential) {
	var mu sync.Mutex
	answers := map[string]error{}
	for _, c := range all {
		if c.Account != "" {
			answers[c.Account] = nil
		}
	}
	together(slices.Sorted(maps.Keys(answers)), func(account string) {
		_, err := l.Cloud.AccountDisabled(ctx, account)
		mu.Lock()
		defer mu.Unlock()
		answers[account] = err
	})
	for i, c := range all {
		switch err := answers[c.Account]; {
		case gcp.IsNotFound(err):
			all[i].Gone = true
		case err != nil:
			all[i].Unread = oneLine(status.Convert(err).Message())
		}
	}
}

// exceeded are the quotas that calls were refused by, of the APIs that keyturn calls.
func (l *look) exceeded(ctx context.Context) {
	now := l.Now()
	series, err := each(l.metrics.ListTimeSeries(ctx, &monitoringpb.ListTimeSeriesRequest{
		Name: l.site.Resource(), Filter: `metric.type="serviceruntime.googleapis.com/quota/exceeded"`,
		Interval: &monitoringpb.TimeInterval{StartTime: timestamppb.New(now.Add(-time.Hour)), EndTime: timestamppb.New(now)},
	}).All(), func(s *monitoringpb.TimeSeries) string {
		return s.GetResource().GetLabels()["service"] + "/" + s.GetMetric().GetLabels()["quota_metric"]
	})
	if gcp.IsNotFound(err) { // nothing was ever measured
		err = nil
	}
	of := func(name string) bool {
		return slices.ContainsFunc(deployment.APIs, func(a deployment.API) bool { return strings.HasPrefix(name, a.Name+"/") })
	}
	series = slices.DeleteFunc(series, func(name string) bool { return !of(name) })
	slices.Sort(series)
	l.o.Exceeded = known(slices.Compact(series), err)
}
