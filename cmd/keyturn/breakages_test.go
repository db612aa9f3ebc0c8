package main

import (
	"errors"
	"strings"
	"time"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/iam/apiv1/iampb"
	logging "cloud.google.com/go/logging/apiv2"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/run/apiv2/runpb"
	"cloud.google.com/go/scheduler/apiv1/schedulerpb"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"cloud.google.com/go/serviceusage/apiv1/serviceusagepb"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/internal/localgcp/hierarchy"
	"example.com/keyturn/internal/localgcp/iam"
	runlocal "example.com/keyturn/internal/localgcp/run"
	"example.com/keyturn/shared/gcp"
	"google.golang.org/genproto/googleapis/type/expr"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// breakage is one thing that goes wrong with a deployment.
type breakage struct {
	name   string
	do     func(*patient)
	check  string   // that notices it
	says   string   // part of the problem
	also   []string // checks that notice it, too
	gcloud bool     // whether the printed commands mend it, as far as the embedded cloud has what they need
}

// The resources that are broken.
const (
	acme       = "projects/acme"
	here       = acme + "/locations/us-central1"
	findings   = acme + "/topics/keyturn-findings"
	dead       = acme + "/topics/keyturn-dead"
	commanded  = acme + "/topics/keyturn-rotate"
	commanding = acme + "/subscriptions/eventarc-keyturn-rotate"
	sweeping   = here + "/jobs/keyturn-sweep"
	auditing   = "keyturn-audit@acme.iam.gserviceaccount.com"
	auditRole  = acme + "/roles/keyturnAudit"
)

var breakages = []breakage{
	{name: "Pub/Sub is off", do: disable("pubsub.googleapis.com"), check: "api", says: "pubsub.googleapis.com is not enabled", gcloud: true},
	{name: "Scheduler is off", do: disable("cloudscheduler.googleapis.com"), check: "api", says: "cloudscheduler.googleapis.com", gcloud: true},
	{name: "Functions are off", do: disable("cloudfunctions.googleapis.com"), check: "api", says: "cloudfunctions.googleapis.com", gcloud: true},
	{name: "a public function", do: func(p *patient) { p.bind(here+"/services/keyturn-rotate-http", "roles/run.invoker", "allUsers") },
		check: "public", says: "allUsers has roles/run.invoker on function keyturn-rotate-http", gcloud: true},
	{name: "a public topic", do: func(p *patient) { p.bind(commanded, "roles/pubsub.publisher", "allAuthenticatedUsers") },
		check: "public", says: "on topic keyturn-rotate", gcloud: true},
	{name: "no account", do: deleteAccount, check: "account", says: auditing + " does not exist", gcloud: true},
	{name: "a disabled account", do: func(p *patient) { p.must(p.connect().DisableAccount(p.Context(), acme+"/serviceAccounts/"+auditing)) },
		check: "account", says: auditing + " is disabled", gcloud: true},
	{name: "no seal", do: func(p *patient) {
		p.must(second(p.Cloud.Secrets.DeleteSecret(p.Context(), &secretmanagerpb.DeleteSecretRequest{Name: acme + "/secrets/keyturn-seal-commands"})))
	},
		check: "seal", says: "secret keyturn-seal-commands does not exist", also: []string{"permission"}, gcloud: true},
	{name: "a disabled seal", do: func(p *patient) {
		p.must(second(p.Cloud.Secrets.DisableSecretVersion(p.Context(), &secretmanagerpb.DisableSecretVersionRequest{Name: acme + "/secrets/keyturn-seal-findings/versions/1"})))
	},
		check: "seal", says: "the latest version of secret keyturn-seal-findings is disabled", gcloud: true},
	{name: "no topic", do: func(p *patient) {
		p.must(second(p.Cloud.PubSub.DeleteTopic(p.Context(), &pubsubpb.DeleteTopicRequest{Topic: findings})))
	},
		check: "topic", says: "topic keyturn-findings does not exist", gcloud: true},
	{name: "no function", do: func(p *patient) { p.Cloud.Functions.Remove(here + "/functions/keyturn-rotate") }, check: "function", says: "keyturn-rotate is not deployed"},
	{name: "a failed function", do: deployed("keyturn-audit", func(f *functionspb.Function) {
		f.State, f.StateMessages = functionspb.Function_FAILED, []*functionspb.StateMessage{{Message: "Build failed"}}
	}), check: "function", says: "function keyturn-audit is FAILED: Build failed"},
	{name: "a canary that failed", do: steppedBack, check: "function", says: "keyturn-alert-http has requests go to another revision than its latest"},
	{name: "another entry point", do: deployed("keyturn-alert", func(f *functionspb.Function) { f.BuildConfig.EntryPoint = "Audit" }), check: "function", says: `the entry point "Audit", not "Alert"`},
	{name: "another account", do: deployed("keyturn-alert", func(f *functionspb.Function) {
		f.ServiceConfig.ServiceAccountEmail = "1-compute@developer.gserviceaccount.com"
	}),
		check: "function", says: "1-compute@developer"},
	{name: "a short timeout", do: deployed("keyturn-rotate", func(f *functionspb.Function) { f.ServiceConfig.TimeoutSeconds = 60 }), check: "function", says: `the timeout "1m0s", not "9m0s"`},
	{name: "a misspelt variable", do: variable("keyturn-rotate", "KEYTURN_PROJCT", "acme"), check: "environment", says: "KEYTURN_PROJCT is not a variable of keyturn's"},
	{name: "another project", do: variable("keyturn-audit", "KEYTURN_PROJECT", "emca"), check: "environment", says: "KEYTURN_PROJECT=emca, not acme"},
	{name: "another seal", do: variable("keyturn-alert", "KEYTURN_SEAL_FINDINGS", "projects/acme/secrets/other/versions/1"), check: "environment", says: "secrets/other/versions/1"},
	{name: "no shared state", do: variable("keyturn-alert", "KEYTURN_STATE", ""), check: "environment", says: "KEYTURN_STATE="},
	{name: "another topic", do: deployed("keyturn-audit", func(f *functionspb.Function) { f.EventTrigger.PubsubTopic = findings }), check: "trigger", says: "is started by topic keyturn-findings, not by topic keyturn-logs"},
	{name: "no second attempt", do: deployed("keyturn-rotate", func(f *functionspb.Function) {
		f.EventTrigger.RetryPolicy = functionspb.EventTrigger_RETRY_POLICY_DO_NOT_RETRY
	}), check: "trigger", says: "does not get a message again"},
	{name: "no publisher", do: func(p *patient) { p.unbind(findings, "roles/pubsub.publisher", "serviceAccount:"+auditing) },
		check: "permission", says: "keyturn-audit lacks pubsub.topics.publish on topic keyturn-findings", gcloud: true},
	{name: "no role", do: func(p *patient) { p.unbind(acme, auditRole, "serviceAccount:"+auditing) },
		check: "permission", says: "keyturn-audit lacks secretmanager.secrets.list", gcloud: true},
	{name: "a role that lacks something", do: func(p *patient) { p.role(func(r *adminpb.Role) { r.IncludedPermissions = r.IncludedPermissions[:2] }) },
		check: "permission", says: "keyturn-audit lacks logging.privateLogEntries.list, monitoring.timeSeries.list, apikeys.keys.get and others on project acme", gcloud: true},
	{name: "a role without posture's", do: func(p *patient) { p.role(func(r *adminpb.Role) { r.IncludedPermissions = r.IncludedPermissions[:5] }) },
		check: "permission", says: "keyturn-audit lacks iam.serviceAccounts.list, iam.serviceAccountKeys.list, apikeys.keys.list and others", gcloud: true},
	{name: "a role without posture's, and no posture", do: func(p *patient) {
		p.role(func(r *adminpb.Role) { r.IncludedPermissions = r.IncludedPermissions[:5] })
		p.must(second(p.Cloud.Scheduler.DeleteJob(p.Context(), &schedulerpb.DeleteJobRequest{Name: here + "/jobs/keyturn-posture"})))
	}, check: "job", says: "job keyturn-posture does not exist"},
	{name: "a deleted role", do: func(p *patient) { p.must(second(p.Cloud.Policies.Roles.SetDeleted(auditRole, true, nil))) },
		check: "permission", says: "keyturn-audit lacks", gcloud: true},
	{name: "no invoker", do: func(p *patient) {
		p.unbind(here+"/services/keyturn-alert", "roles/run.invoker", "serviceAccount:keyturn-trigger@acme.iam.gserviceaccount.com")
	},
		check: "permission", says: "keyturn-trigger lacks run.routes.invoke on function keyturn-alert", gcloud: true},
	{name: "no reminder", do: func(p *patient) { p.unbind(commanded, "roles/pubsub.publisher", p.agent("gcp-sa-secretmanager")) },
		check: "permission", says: "lacks pubsub.topics.publish on topic keyturn-rotate", gcloud: true},
	{name: "no dead letters by Google", do: func(p *patient) { p.unbind(dead, "roles/pubsub.publisher", p.agent("gcp-sa-pubsub")) },
		check: "permission", says: "lacks pubsub.topics.publish on topic keyturn-dead", gcloud: true},
	{name: "dead letters stay", do: func(p *patient) { p.unbind(commanding, "roles/pubsub.subscriber", p.agent("gcp-sa-pubsub")) },
		check: "permission", says: "lacks pubsub.subscriptions.consume on subscription eventarc-keyturn-rotate", gcloud: true},
	{name: "a condition", do: conditional, check: "unread", says: "could not check whether keyturn-audit holds datastore.entities.get"},
	{name: "no subscription", do: func(p *patient) {
		p.must(second(p.Cloud.PubSub.DeleteSubscription(p.Context(), &pubsubpb.DeleteSubscriptionRequest{Subscription: commanding})))
	}, check: "subscription", says: "no subscription delivers topic keyturn-rotate to function keyturn-rotate", gcloud: true},
	{name: "a short deadline", do: subscription("ack_deadline_seconds", func(s *pubsubpb.Subscription) { s.AckDeadlineSeconds = 10 }), check: "subscription", says: "waits 10s", gcloud: true},
	{name: "no pause", do: subscription("retry_policy", func(s *pubsubpb.Subscription) { s.RetryPolicy = nil }), check: "subscription", says: "makes no pause", gcloud: true},
	{name: "an end", do: subscription("expiration_policy", func(s *pubsubpb.Subscription) {
		s.ExpirationPolicy = &pubsubpb.ExpirationPolicy{Ttl: durationpb.New(31 * 24 * time.Hour)}
	}), check: "subscription", says: "expires", gcloud: true},
	{name: "another caller", do: subscription("push_config", func(s *pubsubpb.Subscription) {
		s.PushConfig.AuthenticationMethod = &pubsubpb.PushConfig_OidcToken_{OidcToken: &pubsubpb.PushConfig_OidcToken{ServiceAccountEmail: auditing}}
	}), check: "subscription", says: `calls it as "` + auditing},
	{name: "no dead letters", do: subscription("dead_letter_policy", func(s *pubsubpb.Subscription) { s.DeadLetterPolicy = nil }), check: "dead-letter", says: "does not send to keyturn-dead", gcloud: true},
	{name: "nobody looks", do: func(p *patient) {
		p.must(second(p.Cloud.PubSub.DeleteSubscription(p.Context(), &pubsubpb.DeleteSubscriptionRequest{Subscription: acme + "/subscriptions/keyturn-dead"})))
	}, check: "dead-letter", says: "topic keyturn-dead has no subscription", gcloud: true},
	{name: "no sink", do: func(p *patient) {
		p.must(p.sinks().DeleteSink(p.Context(), &loggingpb.DeleteSinkRequest{SinkName: acme + "/sinks/keyturn-logs"}))
	},
		check: "sink", says: "log sink keyturn-logs does not exist", gcloud: true},
	{name: "an old filter", do: sink("filter", func(s *loggingpb.LogSink) { s.Filter = `log_id("cloudaudit.googleapis.com/activity")` }), check: "sink", says: "another filter", gcloud: true},
	{name: "a disabled sink", do: sink("disabled", func(s *loggingpb.LogSink) { s.Disabled = true }), check: "sink", says: "is disabled", gcloud: true},
	{name: "another destination", do: sink("destination", func(s *loggingpb.LogSink) { s.Destination = "pubsub.googleapis.com/" + findings }), check: "sink", says: "sends to", gcloud: true},
	{name: "no logs by the sink", do: func(p *patient) { p.unbindAll(acme+"/topics/keyturn-logs", "roles/pubsub.publisher") },
		check: "permission", says: "on topic keyturn-logs", gcloud: true},
	{name: "no logs of reads", do: func(p *patient) { p.policy(acme, func(pol *iampb.Policy) { pol.AuditConfigs = pol.AuditConfigs[1:] }) },
		check: "audit-log", says: "Data Access logs of secretmanager.googleapis.com lack DATA_READ", gcloud: true},
	{name: "no job", do: func(p *patient) {
		p.must(second(p.Cloud.Scheduler.DeleteJob(p.Context(), &schedulerpb.DeleteJobRequest{Name: sweeping})))
	},
		check: "job", says: "job keyturn-sweep does not exist", gcloud: true},
	{name: "another schedule", do: job(func(j *schedulerpb.Job) { j.Schedule = "0 0 1 1 *" }), check: "job", says: `schedule "0 0 1 1 *", not "*/10 * * * *"`, gcloud: true},
	{name: "a paused job", do: func(p *patient) {
		p.must(second(p.Cloud.Scheduler.PauseJob(p.Context(), &schedulerpb.PauseJobRequest{Name: sweeping})))
	},
		check: "job", says: "job keyturn-sweep is paused", gcloud: true},
	{name: "a failing job", do: func(p *patient) {
		p.Cloud.PubSub.Forbid(commanded, true)
		p.must(second(p.Cloud.Scheduler.RunJob(p.Context(), &schedulerpb.RunJobRequest{Name: sweeping})))
		p.Cloud.PubSub.Forbid(commanded, false)
	}, check: "firing", says: "job keyturn-sweep failed at", gcloud: true},
	{name: "a credential without its account", do: func(p *patient) { p.must(p.Cloud.IAM.RemoveAccount("billing@acme.iam.gserviceaccount.com")) },
		check: "orphan", says: "the service account billing@acme.iam.gserviceaccount.com of credential billing-key is gone", gcloud: true},
	{name: "the same in an overlap", do: func(p *patient) {
		p.keyturn("rotate", "billing-key")
		p.advance(30 * time.Minute)
		p.must(p.Cloud.IAM.RemoveAccount("billing@acme.iam.gserviceaccount.com"))
	}, check: "orphan", says: "of credential billing-key is gone", gcloud: true},
	{name: "a registration that cannot be read", do: func(p *patient) {
		s, err := p.Cloud.Secrets.GetSecret(p.Context(), &secretmanagerpb.GetSecretRequest{Name: acme + "/secrets/gemini-key"})
		p.must(err)
		s.Annotations["keyturn.policy"] = "{"
		p.must(second(p.Cloud.Secrets.UpdateSecret(p.Context(), &secretmanagerpb.UpdateSecretRequest{Secret: s, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"annotations"}}})))
	}, check: "registration", says: "the registration of credential gemini-key cannot be read"},
	{name: "a stranger who publishes", do: func(p *patient) { p.bind(commanded, "roles/pubsub.publisher", "user:eve@example.com") },
		check: "stranger", says: "user:eve@example.com has roles/pubsub.publisher on topic keyturn-rotate", gcloud: true},
	{name: "a stranger who reads seals", do: func(p *patient) {
		p.bind(acme+"/secrets/keyturn-seal-commands", "roles/secretmanager.secretAccessor", "user:eve@example.com")
	},
		check: "stranger", says: "on secret keyturn-seal-commands", gcloud: true},
	{name: "a seal for the wrong function", do: func(p *patient) {
		p.bind(acme+"/secrets/keyturn-seal-commands", "roles/secretmanager.secretAccessor", "serviceAccount:"+auditing)
	}, check: "superfluous", says: "keyturn-audit has roles/secretmanager.secretAccessor on secret keyturn-seal-commands", gcloud: true},
	{name: "too much on the project", do: func(p *patient) { p.bind(acme, "roles/editor", "serviceAccount:"+auditing) },
		check: "superfluous", says: "keyturn-audit has roles/editor on project acme", gcloud: true},
	{name: "too much instead of enough", do: func(p *patient) {
		p.unbind(findings, "roles/pubsub.publisher", "serviceAccount:"+auditing)
		p.bind(acme, "roles/pubsub.publisher", "serviceAccount:"+auditing)
	}, check: "superfluous", says: "keyturn-audit has roles/pubsub.publisher on project acme", gcloud: true},
	{name: "a role that is too broad", do: func(p *patient) {
		p.role(func(r *adminpb.Role) {
			r.IncludedPermissions = append(r.IncludedPermissions, "secretmanager.secrets.delete")
		})
	}, check: "superfluous", says: "role keyturnAudit holds more than is needed: secretmanager.secrets.delete", gcloud: true},
	{name: "somebody who is gone", do: func(p *patient) {
		p.bind(findings, "roles/pubsub.publisher", "deleted:serviceAccount:old@acme.iam.gserviceaccount.com?uid=1")
	},
		check: "deleted-member", says: "was deleted", gcloud: true},
	{name: "a quota that is used up", do: func(p *patient) {
		p.Cloud.Monitoring.Count("serviceruntime.googleapis.com/quota/exceeded", map[string]string{"quota_metric": "iam.googleapis.com/writes"}, "consumer_quota", map[string]string{"service": "iam.googleapis.com"}, 1)
		p.must(second(localgcp.Advance(p.Context(), p.Cloud.URL(), 11*time.Minute)))
	}, check: "quota", says: "iam.googleapis.com/writes"},
	{name: "a folder that may not be seen, which may grant something", do: func(p *patient) {
		settle(p)
		p.unbind(acme, auditRole, "serviceAccount:"+auditing)
		failing("/google.cloud.resourcemanager.v3.Folders/GetIamPolicy", status.Error(codes.PermissionDenied, "The caller does not have permission"))(p)
	}, check: "unread", says: "could not check what folder 200000000001 grants: The caller does not have permission"},
	{name: "a folder that may not be seen, and a public topic", do: func(p *patient) {
		settle(p)
		p.bind(commanded, "roles/pubsub.publisher", "allUsers")
		failing("/google.cloud.resourcemanager.v3.Folders/GetIamPolicy", status.Error(codes.PermissionDenied, "The caller does not have permission"))(p)
	}, check: "public", says: "allUsers"},
	{name: "a public credential", do: func(p *patient) {
		p.bind(acme+"/secrets/billing-key", "roles/secretmanager.secretAccessor", "allAuthenticatedUsers")
	},
		check: "public", says: "on secret billing-key", gcloud: true},
	{name: "subscriptions that may not be seen", do: failing("/google.pubsub.v1.Subscriber/ListSubscriptions", status.Error(codes.PermissionDenied, "User not authorized to perform this action.")),
		check: "unread", says: "could not check the subscriptions: needs roles/pubsub.viewer"},
	{name: "roles that cannot be read", do: failing("/google.iam.admin.v1.IAM/GetRole", status.Error(codes.Internal, "oops")), check: "unread", says: "could not check what", also: []string{"unread"}},
}

func second[T any](_ T, err error) error { return err }

// connect is the world's cloud as the functions reach it.
func (p *patient) connect() *gcp.Cloud {
	p.Helper()
	cloud, err := gcp.New(p.Connection())
	p.must(err)
	p.Cleanup(func() { cloud.Close() })
	return cloud
}

// sinks are the log sinks.
func (p *patient) sinks() *logging.ConfigClient {
	p.Helper()
	c, err := logging.NewConfigClient(p.Context(), p.Options()...)
	p.must(err)
	p.Cleanup(func() { c.Close() })
	return c
}

func disable(api string) func(*patient) {
	return func(p *patient) {
		p.must(second(p.Cloud.Usage.DisableService(p.Context(), &serviceusagepb.DisableServiceRequest{Name: acme + "/services/" + api})))
	}
}

// agent is a service agent of Google's in the project.
func (p *patient) agent(domain string) string {
	return "serviceAccount:service-" + iam.ProjectNumber("acme") + "@" + domain + ".iam.gserviceaccount.com"
}

// policy changes the policy of a resource.
func (p *patient) policy(on string, change func(*iampb.Policy)) {
	p.Helper()
	pol := p.Cloud.Policies.Get(on)
	change(pol)
	p.must(second(p.Cloud.Policies.Set(on, pol)))
}

func (p *patient) bind(on, role string, members ...string) {
	p.Helper()
	p.policy(on, func(pol *iampb.Policy) {
		pol.Bindings = append(pol.Bindings, &iampb.Binding{Role: role, Members: members})
	})
}

func (p *patient) unbind(on, role, member string) {
	p.Helper()
	found := false
	p.policy(on, func(pol *iampb.Policy) {
		for _, b := range pol.GetBindings() {
			for i, m := range b.GetMembers() {
				if b.GetRole() == role && m == member {
					b.Members, found = append(b.Members[:i:i], b.Members[i+1:]...), true
					break
				}
			}
		}
	})
	if !found {
		p.Fatalf("%s never had %s on %s", member, role, on)
	}
}

func (p *patient) unbindAll(on, role string) {
	p.Helper()
	p.policy(on, func(pol *iampb.Policy) {
		for _, b := range pol.GetBindings() {
			if b.GetRole() == role {
				b.Members = nil
			}
		}
	})
}

// conditional has the audit function hold a role only at times.
func conditional(p *patient) {
	p.unbind(acme, "roles/datastore.user", "serviceAccount:"+auditing)
	p.policy(acme, func(pol *iampb.Policy) {
		pol.Bindings = append(pol.Bindings, &iampb.Binding{Role: "roles/datastore.user", Members: []string{"serviceAccount:" + auditing}, Condition: &expr.Expr{Title: "by-day", Expression: "true"}})
	})
}

// role changes the audit function's.
func (p *patient) role(change func(*adminpb.Role)) {
	p.Helper()
	r, err := p.Cloud.Policies.Roles.Get(auditRole)
	p.must(err)
	change(r)
	p.must(second(p.Cloud.Policies.Roles.Update(auditRole, r, []string{"included_permissions"})))
}

func deleteAccount(p *patient) {
	p.must(p.Cloud.IAM.RemoveAccount(auditing))
}

// steppedBack has a function keep to its first revision when it is deployed again.
func steppedBack(p *patient) {
	service := here + "/services/keyturn-alert-http"
	p.must(second(p.Cloud.Run.UpdateService(p.Context(), &runpb.UpdateServiceRequest{
		Service: &runpb.Service{Name: service, Traffic: []*runpb.TrafficTarget{{
			Type: runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION, Revision: "keyturn-alert-http-00001-abc", Percent: 100,
		}}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"traffic"}},
	})))
	p.Cloud.Run.Deployed(runlocal.Revision{Service: service, Name: "keyturn-alert-http-00002-abc", URL: "http://127.0.0.1:9"})
}

func deployed(name string, change func(*functionspb.Function)) func(*patient) {
	return func(p *patient) {
		f, err := p.Cloud.Functions.GetFunction(p.Context(), &functionspb.GetFunctionRequest{Name: here + "/functions/" + name})
		p.must(err)
		change(f)
		p.Cloud.Functions.Put(f)
	}
}

// variable sets one, or takes it away.
func variable(function, name, value string) func(*patient) {
	return deployed(function, func(f *functionspb.Function) {
		if value == "" {
			delete(f.ServiceConfig.EnvironmentVariables, name)
			return
		}
		f.ServiceConfig.EnvironmentVariables[name] = value
	})
}

// subscription changes a field of the one that starts keyturn-rotate.
func subscription(field string, change func(*pubsubpb.Subscription)) func(*patient) {
	return func(p *patient) {
		s, err := p.Cloud.PubSub.GetSubscription(p.Context(), &pubsubpb.GetSubscriptionRequest{Subscription: commanding})
		p.must(err)
		change(s)
		p.must(second(p.Cloud.PubSub.UpdateSubscription(p.Context(), &pubsubpb.UpdateSubscriptionRequest{Subscription: s, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{field}}})))
	}
}

func sink(field string, change func(*loggingpb.LogSink)) func(*patient) {
	return func(p *patient) {
		const name = acme + "/sinks/keyturn-logs"
		s, err := p.sinks().GetSink(p.Context(), &loggingpb.GetSinkRequest{SinkName: name})
		p.must(err)
		change(s)
		p.must(second(p.sinks().UpdateSink(p.Context(), &loggingpb.UpdateSinkRequest{SinkName: name, Sink: s, UniqueWriterIdentity: true, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{field}}})))
	}
}

func job(change func(*schedulerpb.Job)) func(*patient) {
	return func(p *patient) {
		j, err := p.Cloud.Scheduler.GetJob(p.Context(), &schedulerpb.GetJobRequest{Name: sweeping})
		p.must(err)
		j = &schedulerpb.Job{Name: j.GetName(), Schedule: j.GetSchedule()}
		change(j)
		p.must(second(p.Cloud.Scheduler.UpdateJob(p.Context(), &schedulerpb.UpdateJobRequest{Job: j, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"schedule"}}})))
	}
}

// failing has one method of the cloud fail.
func failing(method string, err error) func(*patient) {
	return func(p *patient) {
		if !strings.HasPrefix(method, "/") {
			p.Fatal(errors.New("a method has the form /service/method"))
		}
		p.Cloud.Faults.Set(func(called string, _ any) fault.Fault {
			if called == method {
				return fault.Fault{Before: err}
			}
			return fault.Fault{}
		})
	}
}

// settle puts the project below a folder of the organisation.
func settle(p *patient) {
	p.Cloud.Hierarchy.AddFolder(hierarchy.Folder{Name: theFolder, DisplayName: "team", Parent: hierarchy.Organization})
	p.Cloud.Hierarchy.AddProject(hierarchy.Project{ID: "acme", Number: iam.ProjectNumber("acme"), Name: "acme", Parent: theFolder})
}

const theFolder = "folders/200000000001"
