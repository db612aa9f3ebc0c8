package storage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"example.com/keyturn/internal/localgcp/wire"
)

// bucket is Cloud Storage's Bucket. It has no objects.
type bucket struct {
	Kind         string    `json:"kind"`
	ID           string    `json:"id"`
	Name         string    `json:"name"`
	Location     string    `json:"location"`
	StorageClass string    `json:"storageClass"`
	Created      time.Time `json:"timeCreated"`
	IAM          any       `json:"iamConfiguration,omitempty"`

	project string
}

// policy is the name of the bucket's allow policy.
func (b bucket) policy() string { return "projects/" + b.project + "/buckets/" + b.Name }

const bucketService = "/google.storage.v1.Buckets/" // as of the HMAC keys

// BucketMethods are those of buckets and of their policies.
func (s *Service) BucketMethods() []wire.Method {
	list, one, policy := regexp.MustCompile(`^/storage/v1/(b)$`), regexp.MustCompile(`^/storage/v1/b/([^/]+)$`), regexp.MustCompile(`^/storage/v1/b/([^/]+)/iam$`)
	method := func(verb string, path *regexp.Regexp, name, permission string, run func(*wire.Request) (any, error)) wire.Method {
		return wire.Method{Verb: verb, Path: path, Name: bucketService + name, Permission: "storage.buckets." + permission, On: s.on, Run: func(r *wire.Request) (any, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return run(r)
		}}
	}
	return []wire.Method{
		method(http.MethodGet, list, "ListBuckets", "list", s.listBuckets),
		method(http.MethodPost, list, "CreateBucket", "create", s.createBucket),
		method(http.MethodGet, one, "GetBucket", "get", s.getBucket),
		method(http.MethodDelete, one, "DeleteBucket", "delete", s.removeBucket),
		method(http.MethodGet, policy, "GetIamPolicy", "getIamPolicy", s.getPolicy),
		method(http.MethodPut, policy, "SetIamPolicy", "setIamPolicy", s.setPolicy),
	}
}

// on is whose policy a call is judged by: a bucket's, or the project's.
func (s *Service) on(r *wire.Request) string {
	if project := r.Query.Get("project"); project != "" {
		return "projects/" + project
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.findBucket(r)
	if err != nil {
		return "projects/-" // whose policy nobody has
	}
	return b.policy()
}

func (s *Service) listBuckets(r *wire.Request) (any, error) {
	var items []bucket
	for _, b := range s.buckets {
		if b.project == r.Query.Get("project") && strings.HasPrefix(b.Name, r.Query.Get("prefix")) {
			items = append(items, *b)
		}
	}
	slices.SortFunc(items, func(a, b bucket) int { return strings.Compare(a.Name, b.Name) })
	answer, err := wire.List(r, "items", items, r.Size("maxResults"), 1000)
	if err != nil {
		return nil, err
	}
	answer["kind"] = "storage#buckets"
	return answer, nil
}

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$`)

func (s *Service) createBucket(r *wire.Request) (any, error) {
	b := &bucket{}
	if err := r.Decode(b); err != nil {
		return nil, err
	}
	if !bucketName.MatchString(b.Name) {
		return nil, status.Errorf(codes.InvalidArgument, "Invalid bucket name: '%s'", b.Name)
	}
	if slices.ContainsFunc(s.buckets, func(o *bucket) bool { return o.Name == b.Name }) {
		return nil, status.Error(codes.AlreadyExists, "Your previous request to create the named bucket succeeded and you already own it.")
	}
	b.Kind, b.ID, b.project, b.Created, b.StorageClass = "storage#bucket", b.Name, r.Query.Get("project"), s.now(), "STANDARD"
	if b.Location = strings.ToUpper(b.Location); b.Location == "" {
		b.Location = "US"
	}
	s.buckets = append(s.buckets, b)
	return *b, nil
}

func (s *Service) findBucket(r *wire.Request) (*bucket, error) {
	i := slices.IndexFunc(s.buckets, func(b *bucket) bool { return b.Name == r.Args[0] })
	if i < 0 {
		return nil, status.Error(codes.NotFound, "The specified bucket does not exist.")
	}
	return s.buckets[i], nil
}

func (s *Service) getBucket(r *wire.Request) (any, error) {
	b, err := s.findBucket(r)
	if err != nil {
		return nil, err
	}
	return *b, nil
}

func (s *Service) removeBucket(r *wire.Request) (any, error) {
	b, err := s.findBucket(r)
	if err != nil {
		return nil, err
	}
	s.cfg.Policies.Delete(b.policy())
	s.buckets = slices.DeleteFunc(s.buckets, func(o *bucket) bool { return o == b })
	return nil, nil
}

func (s *Service) getPolicy(r *wire.Request) (any, error) {
	b, err := s.findBucket(r)
	if err != nil {
		return nil, err
	}
	return policyAnswer(s.cfg.Policies.Get(b.policy()))
}

func (s *Service) setPolicy(r *wire.Request) (any, error) {
	b, err := s.findBucket(r)
	if err != nil {
		return nil, err
	}
	p := &iampb.Policy{}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(bytes.TrimSpace(r.Body), p); err != nil {
		return nil, status.Error(codes.InvalidArgument, "Invalid JSON payload received.")
	}
	if p, err = s.cfg.Policies.Edit(&iampb.SetIamPolicyRequest{Resource: b.policy(), Policy: p}); err != nil {
		return nil, err
	}
	return policyAnswer(p)
}

// policyAnswer is a policy as the JSON API writes it.
func policyAnswer(p *iampb.Policy) (any, error) {
	text, err := protojson.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("writing a policy: %w", err)
	}
	return json.RawMessage(text), nil
}
