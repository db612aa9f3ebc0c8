package run

import (
	"cmp"
	"context"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Revision is what one deployment of a function makes of its service.
type Revision struct {
	Service string // full name of the service that it is of
	Name    string // short, such as keyturn-rotate-http-00002-abc
	URL     string // of the service
	Address string // URL at which this revision alone is served; empty is URL

}

// service is one, as it is.
type service struct {
	pb        *runpb.Service
	revisions map[string]*revision // by their short names
}

// revision is one of a service's.
type revision struct {
	address  string    // where it alone is served
	instance *instance // that serves it; nil is served by somebody else
}

const (
	latest    = runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
	pinned    = runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
	wholeness = 100 // percent
)

// Deployed makes a revision the latest of its service, and the service if there is
// none. As in the cloud it gets requests only if the service sends them to its latest
// revision: a service whose traffic is pinned keeps to what it is pinned to, for
// gcloud functions deploy leaves all_traffic_on_latest_revision alone, and unless that is
// true Cloud Functions goes by the traffic that the service has
// (github.com/GoogleCloudPlatform/magic-modules/pull/16981).
func (s *Service) Deployed(r Revision) { s.deployed(r, nil) }

func (s *Service) deployed(r Revision, i *instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.services[r.Service]
	if one == nil {
		one = &service{pb: &runpb.Service{Name: r.Service, Traffic: []*runpb.TrafficTarget{{Type: latest, Percent: wholeness}}}, revisions: map[string]*revision{}}
		s.services[r.Service] = one
	}
	if former := one.revisions[r.Name]; former != nil && former.instance != nil {
		former.instance.stop()
	}
	one.revisions[r.Name] = &revision{cmp.Or(r.Address, r.URL), i}
	one.pb.Uri, one.pb.Urls = r.URL, []string{r.URL}
	full := r.Service + "/revisions/" + r.Name
	one.pb.LatestReadyRevision, one.pb.LatestCreatedRevision = full, full
	one.changed()
}

// Has reports whether a service, by its full name, has a revision, by its short one.
func (s *Service) Has(name, revision string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.services[name]
	if one == nil {
		return false
	}
	_, has := one.revisions[revision]
	return has
}

// Remove forgets a service, by its full name, and ends what runs for it.
func (s *Service) Remove(name string) {
	s.mu.Lock()
	one := s.services[name]
	delete(s.services, name)
	s.mu.Unlock()
	one.stop()
}

func (one *service) stop() {
	if one == nil {
		return
	}
	for _, r := range one.revisions {
		if r.instance != nil {
			r.instance.stop()
		}
	}
}

// Route is the address of the revision that one request to a service goes to, of which
// dice, from 0 to 99, chooses; "" if there is no such service.
func (s *Service) Route(name string, dice int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.services[name]; one != nil {
		return one.address(one.chosen(dice))
	}
	return ""
}

// chosen is the revision that one request goes to.
func (one *service) chosen(dice int) string {
	for _, t := range one.pb.GetTraffic() {
		if dice -= int(t.GetPercent()); dice < 0 {
			return one.revisionOf(t)
		}
	}
	return ""
}

// tagged is the revision of a tag.
func (one *service) tagged(tag string) string {
	for _, t := range one.pb.GetTraffic() {
		if t.GetTag() == tag {
			return one.revisionOf(t)
		}
	}
	return ""
}

// AllOnLatest reports whether a service sends every request to its latest revision, as
// serviceConfig.allTrafficOnLatestRevision tells of a function.
func (s *Service) AllOnLatest(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.services[name]
	return one != nil && !slices.ContainsFunc(one.pb.GetTraffic(), func(t *runpb.TrafficTarget) bool {
		return t.GetPercent() > 0 && one.revisionOf(t) != path.Base(one.pb.GetLatestReadyRevision())
	})
}

// address is where a revision alone is served.
func (one *service) address(revision string) string {
	r := one.revisions[revision]
	if r == nil {
		return ""
	}
	return r.address
}

func (one *service) revisionOf(t *runpb.TrafficTarget) string {
	if t.GetType() == latest {
		return path.Base(one.pb.GetLatestReadyRevision())
	}
	return t.GetRevision()
}

// changed gives a service the statuses of its traffic and a new etag.
func (one *service) changed() {
	one.pb.TrafficStatuses = nil
	for _, t := range one.pb.GetTraffic() {
		told := &runpb.TrafficTargetStatus{Type: t.GetType(), Revision: t.GetRevision(), Percent: t.GetPercent(), Tag: t.GetTag()}
		if t.GetTag() != "" {
			told.Uri = one.taggedURL(t)
		}
		one.pb.TrafficStatuses = append(one.pb.TrafficStatuses, told)
	}
	one.pb.Generation++
	one.pb.ObservedGeneration = one.pb.GetGeneration()
	one.pb.Etag = strconv.Quote(strconv.FormatInt(one.pb.GetGeneration(), 10))
}

// taggedURL is where what is tagged is called alone: the tag before the service's host
// [mem], or an address of its own.
func (one *service) taggedURL(t *runpb.TrafficTarget) string {
	if r := one.revisions[one.revisionOf(t)]; r == nil || r.instance == nil {
		return one.address(one.revisionOf(t))
	}
	base, host, _ := strings.Cut(one.pb.GetUri(), frontPath)
	return base + frontPath + t.GetTag() + tagMark + host
}

// GetService returns a service: its traffic and its revisions, as far as they are known
// here.
func (s *Service) GetService(_ context.Context, req *runpb.GetServiceRequest) (*runpb.Service, error) {
	if err := s.find(req.GetName()); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return proto.CloneOf(s.services[req.GetName()].pb), nil
}

// UpdateService changes where requests go to; the mask has to say just that. ABORTED
// when the etag shows that the service changed since it was read. The operation is done
// at once.
func (s *Service) UpdateService(_ context.Context, req *runpb.UpdateServiceRequest) (*longrunningpb.Operation, error) {
	if err := s.find(req.GetService().GetName()); err != nil {
		return nil, err
	}
	if !slices.Equal(req.GetUpdateMask().GetPaths(), []string{"traffic"}) {
		return nil, status.Error(codes.InvalidArgument, "the embedded cloud updates nothing but traffic")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.services[req.GetService().GetName()]
	if etag := req.GetService().GetEtag(); etag != "" && etag != one.pb.GetEtag() {
		return nil, status.Errorf(codes.Aborted, "Conflict for resource '%s': version '%s' was specified but current version is '%s'.", path.Base(one.pb.GetName()), etag, one.pb.GetEtag()) // [mem]
	}
	traffic := req.GetService().GetTraffic()
	if len(traffic) == 0 {
		traffic = []*runpb.TrafficTarget{{Type: latest, Percent: wholeness}}
	}
	if err := one.takes(traffic); err != nil {
		return nil, err
	}
	if !req.GetValidateOnly() {
		one.pb.Traffic = proto.CloneOf(&runpb.Service{Traffic: traffic}).GetTraffic()
		one.changed()
	}
	return done(one.pb)
}

var tag = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`) // [mem]

// takes says what is wrong with where requests are to go to. The texts are [mem].
func (one *service) takes(traffic []*runpb.TrafficTarget) error {
	sum, tags := 0, map[string]bool{"": true}
	for _, t := range traffic {
		_, known := one.revisions[t.GetRevision()]
		switch {
		case t.GetType() == latest && t.GetRevision() != "":
			return status.Error(codes.InvalidArgument, "a target of the latest revision must not name a revision")
		case t.GetType() == pinned && !known:
			return status.Errorf(codes.InvalidArgument, "Revision '%s' is not found.", t.GetRevision())
		case t.GetType() != latest && t.GetType() != pinned:
			return status.Error(codes.InvalidArgument, "a target of traffic must have a type")
		case t.GetTag() != "" && (tags[t.GetTag()] || !tag.MatchString(t.GetTag())):
			return status.Errorf(codes.InvalidArgument, "Traffic tag '%s' is not one of its own.", t.GetTag())
		}
		tags[t.GetTag()] = true
		sum += int(t.GetPercent())
	}
	if sum != wholeness {
		return status.Errorf(codes.InvalidArgument, "Traffic targets must sum up to 100, got %d.", sum)
	}
	return nil
}

func done(pb *runpb.Service) (*longrunningpb.Operation, error) {
	response, err := anypb.New(pb)
	if err != nil {
		return nil, err
	}
	name := path.Dir(path.Dir(pb.GetName())) + "/operations/" + path.Base(pb.GetName()) + "-" + strconv.FormatInt(pb.GetGeneration(), 10)
	return &longrunningpb.Operation{Name: name, Done: true, Metadata: response, Result: &longrunningpb.Operation_Response{Response: response}}, nil
}
