package localgcp

import (
	"testing"

	functionsclient "cloud.google.com/go/functions/apiv2"
	"cloud.google.com/go/functions/apiv2/functionspb"
	run "cloud.google.com/go/run/apiv2"
	"cloud.google.com/go/run/apiv2/runpb"
	runlocal "example.com/keyturn/internal/localgcp/run"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

const (
	toLatest   = runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
	toRevision = runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
)

// revision has the service alpha's next one be ready.
func (w *world) revision(name string) {
	w.cloud.Run.Deployed(runlocal.Revision{Service: region + "/services/alpha", Name: name, URL: "http://127.0.0.1:9/alpha", Address: "http://127.0.0.1:9/" + name})
}

func sends(s *runpb.Service, etag string, targets ...*runpb.TrafficTarget) *runpb.UpdateServiceRequest {
	return &runpb.UpdateServiceRequest{
		Service: &runpb.Service{Name: s.GetName(), Etag: etag, Traffic: targets}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"traffic"}},
	}
}

// TestNewRevisionWaitsWhileTrafficIsPinned is what a canary relies on.
func TestNewRevisionWaitsWhileTrafficIsPinned(t *testing.T) {
	w, ctx := start(t), t.Context()
	service := region + "/services/alpha"
	for transport, c := range both(w, run.NewServicesClient, run.NewServicesRESTClient) {
		w.cloud.Run.Remove(service)
		w.revision("alpha-1")
		w.cloud.Functions.Put(&functionspb.Function{Name: region + "/functions/alpha", ServiceConfig: &functionspb.ServiceConfig{Service: service, Revision: "alpha-1", Uri: "http://127.0.0.1:9/alpha"}})
		s, err := c.GetService(ctx, &runpb.GetServiceRequest{Name: service})
		w.must(err)
		if s.GetLatestReadyRevision() != service+"/revisions/alpha-1" || len(s.GetTraffic()) != 1 || s.GetTraffic()[0].GetType() != toLatest {
			t.Fatalf("%s: deployed once, the service is %v", transport, s)
		}
		update := func(etag string, targets ...*runpb.TrafficTarget) *runpb.Service {
			op, err := c.UpdateService(ctx, sends(s, etag, targets...))
			w.must(err)
			updated, err := op.Wait(ctx)
			w.must(err)
			return updated
		}
		update(s.GetEtag(), &runpb.TrafficTarget{Type: toRevision, Revision: "alpha-1", Percent: 100})
		w.revision("alpha-2")
		for dice := range 100 {
			if got := w.cloud.Run.Route(service, dice); got != "http://127.0.0.1:9/alpha-1" {
				t.Fatalf("%s: pinned to the first revision, a request goes to %s", transport, got)
			}
		}
		if w.told("alpha").GetServiceConfig().GetAllTrafficOnLatestRevision() {
			t.Errorf("%s: the function says that its latest revision serves all", transport)
		}
		s = update("", &runpb.TrafficTarget{Type: toRevision, Revision: "alpha-1", Percent: 90}, &runpb.TrafficTarget{Type: toRevision, Revision: "alpha-2", Percent: 10, Tag: "canary"})
		if told := s.GetTrafficStatuses(); len(told) != 2 || told[1].GetUri() != "http://127.0.0.1:9/alpha-2" || told[0].GetUri() != "" {
			t.Errorf("%s: told of the split: %v", transport, told)
		}
		if a, b := w.cloud.Run.Route(service, 89), w.cloud.Run.Route(service, 90); a == b || b != "http://127.0.0.1:9/alpha-2" {
			t.Errorf("%s: of a split of 90 to 10, 89 goes to %s and 90 to %s", transport, a, b)
		}
		s = update(s.GetEtag()) // no target is the latest
		if s.GetTraffic()[0].GetType() != toLatest || w.cloud.Run.Route(service, 0) != "http://127.0.0.1:9/alpha-2" || !w.told("alpha").GetServiceConfig().GetAllTrafficOnLatestRevision() {
			t.Errorf("%s: sent to the latest, the service is %v", transport, s)
		}
	}
	if w.cloud.Run.Route(region+"/services/none", 0) != "" {
		t.Error("no service has an address")
	}
}

// told is what Cloud Functions says of a function.
func (w *world) told(name string) *functionspb.Function {
	f, err := open(w, functionsclient.NewFunctionClient, w.overGRPC()).GetFunction(w.Context(), &functionspb.GetFunctionRequest{Name: region + "/functions/" + name})
	w.must(err)
	return f
}

func TestTrafficThatIsRefused(t *testing.T) {
	w, ctx := start(t), t.Context()
	w.revision("alpha-1")
	for transport, c := range both(w, run.NewServicesClient, run.NewServicesRESTClient) {
		s, err := c.GetService(ctx, &runpb.GetServiceRequest{Name: region + "/services/alpha"})
		w.must(err)
		all := &runpb.TrafficTarget{Type: toRevision, Revision: "alpha-1", Percent: 100}
		for name, tt := range map[string]struct {
			req  *runpb.UpdateServiceRequest
			want codes.Code
		}{
			"stale":          {sends(s, `"0"`, all), codes.Aborted},
			"no service":     {sends(&runpb.Service{Name: region + "/services/none"}, ""), codes.NotFound},
			"no such":        {sends(s, "", &runpb.TrafficTarget{Type: toRevision, Revision: "alpha-9", Percent: 100}), codes.InvalidArgument},
			"ninety":         {sends(s, "", &runpb.TrafficTarget{Type: toLatest, Percent: 90}), codes.InvalidArgument},
			"named latest":   {sends(s, "", &runpb.TrafficTarget{Type: toLatest, Revision: "alpha-1", Percent: 100}), codes.InvalidArgument},
			"no type":        {sends(s, "", &runpb.TrafficTarget{Revision: "alpha-1", Percent: 100}), codes.InvalidArgument},
			"tag twice":      {sends(s, "", &runpb.TrafficTarget{Type: toLatest, Tag: "x"}, &runpb.TrafficTarget{Type: toLatest, Percent: 100, Tag: "x"}), codes.InvalidArgument},
			"tag":            {sends(s, "", &runpb.TrafficTarget{Type: toLatest, Percent: 100, Tag: "No Tag"}), codes.InvalidArgument},
			"another change": {&runpb.UpdateServiceRequest{Service: s, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"template"}}}, codes.InvalidArgument},
		} {
			if _, err := c.UpdateService(ctx, tt.req); status.Code(err) != tt.want {
				t.Errorf("%s: %s: %v, want %v", transport, name, err, tt.want)
			}
		}
		rehearsal := sends(s, "", &runpb.TrafficTarget{Type: toLatest, Percent: 100, Tag: "kept"})
		rehearsal.ValidateOnly = true
		op, err := c.UpdateService(ctx, rehearsal)
		w.must(err)
		if now, err := op.Wait(ctx); err != nil || now.GetEtag() != s.GetEtag() {
			t.Errorf("%s: a rehearsal makes it %v, %v", transport, now, err)
		}
		if _, err := c.GetService(ctx, &runpb.GetServiceRequest{Name: "none"}); err == nil {
			t.Errorf("%s: a service without a full name is found", transport)
		}
	}
}
