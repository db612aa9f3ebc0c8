package apikeys

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	maxKeys = 300 // of a project, the deleted ones not counted [mem]
	maxPage = 300 // also the default [mem]
)

// CreateKey makes a key. ALREADY_EXISTS also for the id of a key that was
// deleted and not purged yet. The operation's response, unlike every other
// answer, carries the key string.
func (s *Service) CreateKey(ctx context.Context, req *apikeyspb.CreateKeyRequest) (*longrunningpb.Operation, error) {
	project, err := s.parseParent(req.GetParent())
	if err != nil {
		return nil, err
	}
	account, err := s.binding(ctx, project)
	if err != nil {
		return nil, err
	}
	return s.change(ctx, "CreateKey", project, req, func(now time.Time) (*apikeyspb.Key, error) {
		return s.create(project, account, req, now)
	})
}

func (s *Service) create(project, account string, req *apikeyspb.CreateKeyRequest, now time.Time) (*apikeyspb.Key, error) {
	fields, err := writable(req.GetKey())
	if err != nil {
		return nil, err
	}
	id, uid, err := s.ids(req.GetKeyId())
	if err != nil {
		return nil, err
	}
	name := parentName(project) + "/keys/" + id
	if k, taken := s.keys[name]; taken && !k.purged(now) {
		return nil, status.Error(codes.AlreadyExists, "Requested entity already exists")
	}
	if s.count(project) >= maxKeys {
		return nil, status.Errorf(codes.ResourceExhausted, "The project has reached its limit of %d API keys.", maxKeys)
	}
	fields.Name, fields.Uid, fields.CreateTime = name, uid, timestamppb.New(now)
	s.born++
	k := &key{born: s.born, parent: parentName(project), secret: newSecret(s.cfg.Random)}
	k.set(fields, now, s.cfg.Lag)
	s.keys[name], s.strings[k.secret], s.accounts[name] = k, k, account
	answer := proto.CloneOf(k.current)
	answer.KeyString = k.secret
	return answer, nil
}

// ids returns the id and the unique id of a new key, which are the same where
// the client did not choose one.
func (s *Service) ids(chosen string) (id, uid string, err error) {
	uid = s.cfg.Random.UUID()
	if chosen == "" {
		return uid, uid, nil
	}
	return chosen, uid, checkKeyID(chosen)
}

func (s *Service) count(project string) (n int) {
	for _, k := range s.keys {
		if k.parent == parentName(project) && !k.deleted() {
			n++
		}
	}
	return n
}

// GetKey returns a key, even one that was deleted, without its string.
func (s *Service) GetKey(_ context.Context, req *apikeyspb.GetKeyRequest) (*apikeyspb.Key, error) {
	k, _, err := s.find(req.GetName())
	if err != nil {
		return nil, err
	}
	return k, nil
}

// GetKeyString returns the string of a key, even of one that was deleted [mem].
func (s *Service) GetKeyString(ctx context.Context, req *apikeyspb.GetKeyStringRequest) (*apikeyspb.GetKeyStringResponse, error) {
	project, _, err := s.parseName(req.GetName())
	if err != nil {
		return nil, err
	}
	_, secret, err := s.find(req.GetName())
	if s.cfg.DataAccess {
		s.record(ctx, entry{method: "GetKeyString", project: project, request: req, err: err})
	}
	if err != nil {
		return nil, err
	}
	return &apikeyspb.GetKeyStringResponse{KeyString: secret}, nil
}

// find returns copies of a key and its string.
func (s *Service) find(name string) (*apikeyspb.Key, string, error) {
	_, name, err := s.parseName(name)
	if err != nil {
		return nil, "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.stored(name, s.cfg.Clock.Now())
	if err != nil {
		return nil, "", err
	}
	return proto.CloneOf(k.current), k.secret, nil
}

// stored returns the key of that canonical name, deleted or not, unless it is purged.
func (s *Service) stored(name string, now time.Time) (*key, error) {
	k, ok := s.keys[name]
	if !ok || k.purged(now) {
		return nil, errNotFound()
	}
	return k, nil
}

// ListKeys lists a project's keys in the order they were made [mem].
func (s *Service) ListKeys(_ context.Context, req *apikeyspb.ListKeysRequest) (*apikeyspb.ListKeysResponse, error) {
	project, err := s.parseParent(req.GetParent())
	if err != nil {
		return nil, err
	}
	after, err := parsePageToken(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	size := int(req.GetPageSize())
	if size < 0 {
		return nil, status.Error(codes.InvalidArgument, "page_size must not be negative.")
	}
	if size == 0 || size > maxPage {
		size = maxPage
	}
	keys := s.list(parentName(project), req.GetShowDeleted(), after)
	resp := &apikeyspb.ListKeysResponse{}
	if len(keys) > size {
		keys = keys[:size]
		resp.NextPageToken = strconv.Itoa(keys[size-1].born)
	}
	for _, k := range keys {
		resp.Keys = append(resp.Keys, proto.CloneOf(k.current))
	}
	return resp, nil
}

// list returns copies of the keys made after the given one.
func (s *Service) list(parent string, showDeleted bool, after int) []key {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Clock.Now()
	var keys []key
	for _, k := range slices.SortedFunc(maps.Values(s.keys), func(a, b *key) int { return a.born - b.born }) {
		if k.parent == parent && k.born > after && !k.purged(now) && (showDeleted || !k.deleted()) {
			keys = append(keys, *k)
		}
	}
	return keys
}

func parsePageToken(token string) (after int, err error) {
	if token == "" {
		return 0, nil
	}
	after, err = strconv.Atoi(token)
	if err != nil || after < 0 {
		return 0, status.Error(codes.InvalidArgument, "page_token was not issued by this service.")
	}
	return after, nil
}

// LookupKey finds the project, and unless it is purged the name, of the key of a string.
func (s *Service) LookupKey(_ context.Context, req *apikeyspb.LookupKeyRequest) (*apikeyspb.LookupKeyResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.strings[req.GetKeyString()]
	if !ok {
		return nil, errNotFound()
	}
	resp := &apikeyspb.LookupKeyResponse{Parent: k.parent}
	if !k.purged(s.cfg.Clock.Now()) {
		resp.Name = k.current.GetName()
	}
	return resp, nil
}

// UpdateKey changes what the mask names. ABORTED when the key carries an etag
// that is not the current one; NOT_FOUND for a deleted key [mem].
func (s *Service) UpdateKey(ctx context.Context, req *apikeyspb.UpdateKeyRequest) (*longrunningpb.Operation, error) {
	return s.changeKey(ctx, "UpdateKey", req.GetKey().GetName(), req, func(k *key, now time.Time) (*apikeyspb.Key, error) {
		if k.deleted() {
			return nil, errNotFound()
		}
		if err := k.checkEtag(req.GetKey().GetEtag()); err != nil {
			return nil, err
		}
		return masked(k.current, req.GetKey(), req.GetUpdateMask().GetPaths())
	})
}

// DeleteKey deletes a key in a way that can be undone for 30 days. A key that
// is deleted already is NOT_FOUND, as AIP-164 has it.
func (s *Service) DeleteKey(ctx context.Context, req *apikeyspb.DeleteKeyRequest) (*longrunningpb.Operation, error) {
	return s.changeKey(ctx, "DeleteKey", req.GetName(), req, func(k *key, now time.Time) (*apikeyspb.Key, error) {
		if k.deleted() {
			return nil, errNotFound()
		}
		updated := proto.CloneOf(k.current)
		updated.DeleteTime = timestamppb.New(now)
		return updated, k.checkEtag(req.GetEtag())
	})
}

// UndeleteKey brings a deleted key back, with the same string. A key that is
// not deleted is ALREADY_EXISTS, as AIP-164 has it.
func (s *Service) UndeleteKey(ctx context.Context, req *apikeyspb.UndeleteKeyRequest) (*longrunningpb.Operation, error) {
	return s.changeKey(ctx, "UndeleteKey", req.GetName(), req, func(k *key, now time.Time) (*apikeyspb.Key, error) {
		if !k.deleted() {
			return nil, status.Error(codes.AlreadyExists, "The API key is not deleted.")
		}
		updated := proto.CloneOf(k.current)
		updated.DeleteTime = nil
		return updated, nil
	})
}

// changeKey gives a key the state that edit returns.
func (s *Service) changeKey(ctx context.Context, method, name string, req proto.Message, edit func(*key, time.Time) (*apikeyspb.Key, error)) (*longrunningpb.Operation, error) {
	project, name, err := s.parseName(name)
	if err != nil {
		return nil, err
	}
	return s.change(ctx, method, project, req, func(now time.Time) (*apikeyspb.Key, error) {
		k, err := s.stored(name, now)
		if err != nil {
			return nil, err
		}
		updated, err := edit(k, now)
		if err != nil {
			return nil, err
		}
		k.set(updated, now, s.cfg.Lag)
		return proto.CloneOf(k.current), nil
	})
}

// change runs do, which may touch the keys, as one long-running operation, and
// writes its audit entries.
func (s *Service) change(ctx context.Context, method, project string, req proto.Message, do func(now time.Time) (*apikeyspb.Key, error)) (*longrunningpb.Operation, error) {
	s.mu.Lock()
	changed, err := do(s.cfg.Clock.Now())
	s.mu.Unlock()
	e := entry{method: method, project: project, request: req, response: changed, err: err}
	if err != nil {
		s.record(ctx, e)
		return nil, err
	}
	e.operation = "operations/akmf.p7-" + project + "-" + s.cfg.Random.UUID()
	s.record(ctx, e)
	return s.cfg.Operations.Start(e.operation, changed)
}
