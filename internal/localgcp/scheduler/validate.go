package scheduler

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/scheduler/apiv1/schedulerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	"example.com/keyturn/internal/localgcp/scheduler/cron"
	"example.com/keyturn/shared/lazyregexp"
)

var (
	jobName   = lazyregexp.New(`^projects/[A-Za-z0-9:.-]+/locations/[a-z0-9-]+/jobs/[A-Za-z0-9_-]{1,500}$`)
	topicName = lazyregexp.New(`^projects/[^/]+/topics/[A-Za-z][A-Za-z0-9._~+%-]{2,254}$`)
)

func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}

// complete checks what the user set, and fills in Google's defaults.
func complete(p *schedulerpb.Job) (cron.Schedule, error) {
	if !jobName.MatchString(p.GetName()) {
		return cron.Schedule{}, invalid("Job name %q is invalid: write projects/PROJECT/locations/LOCATION/jobs/JOB, with up to 500 letters, digits, hyphens and underscores for JOB.", p.GetName())
	}
	if p.TimeZone == "" {
		p.TimeZone = "Etc/UTC"
	}
	sched, err := cron.Parse(p.GetSchedule(), p.GetTimeZone())
	if err != nil {
		return cron.Schedule{}, invalid("Schedule or time zone is invalid: %v.", err)
	}
	if err := completeTarget(p); err != nil {
		return cron.Schedule{}, err
	}
	return sched, completeRetry(p)
}

func completeTarget(p *schedulerpb.Job) error {
	switch target := p.GetTarget().(type) {
	case nil:
		return invalid("The job has no target: set pubsubTarget or httpTarget.")
	case *schedulerpb.Job_PubsubTarget:
		return checkPubSub(target.PubsubTarget)
	case *schedulerpb.Job_HttpTarget:
		if p.AttemptDeadline == nil {
			p.AttemptDeadline = durationpb.New(3 * time.Minute)
		}
		if d := p.AttemptDeadline.AsDuration(); d < 15*time.Second || d > 30*time.Minute {
			return invalid("attempt_deadline %v is out of range: for HTTP targets it is between 15 seconds and 30 minutes.", d)
		}
		return completeHTTP(target.HttpTarget)
	}
	return status.Error(codes.Unimplemented, "The embedded Scheduler has no App Engine; use pubsubTarget or httpTarget.")
}

func checkPubSub(t *schedulerpb.PubsubTarget) error {
	if !topicName.MatchString(t.GetTopicName()) {
		return invalid("Topic name %q is invalid: write projects/PROJECT/topics/TOPIC.", t.GetTopicName())
	}
	if len(t.GetData()) == 0 && len(t.GetAttributes()) == 0 {
		return invalid("Pubsub message must contain either non-empty data, or at least one attribute.")
	}
	return nil
}

func completeHTTP(t *schedulerpb.HttpTarget) error {
	u, err := url.Parse(t.GetUri())
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || len(t.GetUri()) > 2083 {
		return invalid("URI %q is invalid: it must begin with http:// or https:// and have at most 2083 characters.", t.GetUri())
	}
	if t.HttpMethod == schedulerpb.HttpMethod_HTTP_METHOD_UNSPECIFIED {
		t.HttpMethod = schedulerpb.HttpMethod_POST
	}
	if _, known := schedulerpb.HttpMethod_name[int32(t.HttpMethod)]; !known {
		return invalid("HTTP method %d is unknown.", t.HttpMethod)
	}
	if !strings.HasPrefix(t.HttpMethod.String(), "P") && len(t.GetBody()) > 0 {
		return invalid("A body is allowed only with the methods POST, PUT and PATCH, not with %s.", t.HttpMethod)
	}
	if t.GetOauthToken() != nil {
		return status.Error(codes.Unimplemented, "The embedded Scheduler sends no OAuth access tokens; use oidcToken.")
	}
	if oidc := t.GetOidcToken(); oidc != nil {
		if oidc.GetServiceAccountEmail() == "" {
			return invalid("oidcToken needs a serviceAccountEmail.")
		}
		if oidc.Audience == "" {
			oidc.Audience = t.GetUri()
		}
	}
	return nil
}

func completeRetry(p *schedulerpb.Job) error {
	if p.RetryConfig == nil {
		p.RetryConfig = &schedulerpb.RetryConfig{}
	}
	r := p.RetryConfig
	if r.RetryCount < 0 || r.RetryCount > 5 {
		return invalid("retry_count %d is out of range: it is between 0 and 5.", r.RetryCount)
	}
	if r.MaxDoublings < 0 || r.MaxRetryDuration.AsDuration() < 0 || r.MinBackoffDuration.AsDuration() < 0 || r.MaxBackoffDuration.AsDuration() < 0 {
		return invalid("retry_config must hold nothing negative.")
	}
	if r.MinBackoffDuration.AsDuration() == 0 {
		r.MinBackoffDuration = durationpb.New(5 * time.Second)
	}
	if r.MaxBackoffDuration.AsDuration() == 0 {
		r.MaxBackoffDuration = durationpb.New(time.Hour)
	}
	if r.MaxDoublings == 0 {
		r.MaxDoublings = 5
	}
	if r.MinBackoffDuration.AsDuration() > r.MaxBackoffDuration.AsDuration() {
		return invalid("min_backoff_duration is longer than max_backoff_duration.")
	}
	return nil
}

// settable are the fields that a user may update.
var settable = []string{
	"description", "pubsub_target", "http_target", "app_engine_http_target", "schedule", "time_zone", "retry_config", "attempt_deadline",
}

// applyMask copies what the paths name from one job to another; without paths, what is set.
func applyMask(to, from *schedulerpb.Job, paths []string) error {
	if len(paths) == 0 {
		for _, name := range settable {
			if fd := from.ProtoReflect().Descriptor().Fields().ByTextName(name); from.ProtoReflect().Has(fd) {
				paths = append(paths, name)
			}
		}
	}
	for _, path := range paths {
		top, _, _ := strings.Cut(path, ".")
		if top == "name" {
			continue
		}
		if !slices.Contains(settable, top) || !copyPath(to.ProtoReflect(), from.ProtoReflect(), strings.Split(path, ".")) {
			return invalid("update_mask: %q is not a field that can be updated.", path)
		}
	}
	return nil
}

// copyPath copies one field, or clears it; false when there is no such field.
func copyPath(to, from protoreflect.Message, path []string) bool {
	fd := to.Descriptor().Fields().ByTextName(path[0])
	switch {
	case fd == nil:
		return false
	case len(path) > 1:
		return fd.Message() != nil && !fd.IsMap() && !fd.IsList() &&
			copyPath(to.Mutable(fd).Message(), from.Get(fd).Message(), path[1:])
	case from.Has(fd):
		to.Set(fd, from.Get(fd))
	default:
		to.Clear(fd)
	}
	return true
}
