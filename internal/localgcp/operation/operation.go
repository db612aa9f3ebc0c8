// Package operation keeps the long-running operations of a Google Cloud API:
// google.longrunning.Operations over results that are known from the start and
// shown after a while, and over work that takes its time.
package operation

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"sync"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Store serves google.longrunning.Operations. It is safe for concurrent use.
// The zero Store is ready; its operations are done as soon as they are started.
type Store struct {
	longrunningpb.UnimplementedOperationsServer

	// Delay is how long, in wall time, an operation stays not done.
	Delay time.Duration

	mu      sync.Mutex
	started map[string]entry
}

// Rules returns the REST bindings of operations, whose own annotations are those of a
// /v1 API: of API Keys and of Cloud Functions.
func Rules() []*annotations.HttpRule {
	return []*annotations.HttpRule{{
		Selector:           "google.longrunning.Operations.GetOperation",
		Pattern:            &annotations.HttpRule_Get{Get: "/v2/{name=operations/*}"},
		AdditionalBindings: []*annotations.HttpRule{{Pattern: &annotations.HttpRule_Get{Get: "/v2/{name=projects/*/locations/*/operations/*}"}}},
	}}
}

// entry is an operation.
type entry struct {
	pending *longrunningpb.Operation
	done    *longrunningpb.Operation // nil until it has ended
	ended   chan struct{}            // closed by then
	due     time.Time                // when it may be shown that it has
	born    int
}

// Start keeps an operation of that name whose response will be the message,
// and returns it as it stands now. It fails only for a message that cannot be
// marshalled.
func (s *Store) Start(name string, response proto.Message) (*longrunningpb.Operation, error) {
	packed, err := anypb.New(response)
	if err != nil {
		return nil, fmt.Errorf("packing the response of %s: %w", name, err)
	}
	e := entry{
		pending: &longrunningpb.Operation{Name: name},
		done:    &longrunningpb.Operation{Name: name, Done: true, Result: &longrunningpb.Operation_Response{Response: packed}},
		due:     time.Now().Add(s.Delay), ended: make(chan struct{}),
	}
	close(e.ended)
	s.put(name, e)
	return e.now(), nil
}

// Begin keeps an operation of that name that goes on until end is called, once, with
// its response or why there is none.
func (s *Store) Begin(name string, metadata proto.Message) (op *longrunningpb.Operation, end func(proto.Message, error), err error) {
	packed, err := anypb.New(metadata)
	if err != nil {
		return nil, nil, fmt.Errorf("packing the metadata of %s: %w", name, err)
	}
	e := entry{pending: &longrunningpb.Operation{Name: name, Metadata: packed}, ended: make(chan struct{})}
	s.put(name, e)
	return e.now(), func(response proto.Message, err error) {
		done := &longrunningpb.Operation{Name: name, Metadata: packed, Done: true}
		answer, unpacked := anypb.New(response)
		if err == nil {
			err = unpacked
		}
		if done.Result = (&longrunningpb.Operation_Response{Response: answer}); err != nil {
			done.Result = &longrunningpb.Operation_Error{Error: status.Convert(err).Proto()}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		e := s.started[name]
		e.done = done
		s.started[name] = e
		close(e.ended)
	}, nil
}

func (s *Store) put(name string, e entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started == nil {
		s.started = map[string]entry{}
	}
	e.born = len(s.started)
	s.started[name] = e
}

// now is the operation as a client may see it.
func (e entry) now() *longrunningpb.Operation {
	if e.done == nil || time.Now().Before(e.due) {
		return proto.CloneOf(e.pending)
	}
	return proto.CloneOf(e.done)
}

func (s *Store) find(name string) (entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.started[name]
	if !ok {
		return e, status.Error(codes.NotFound, "Requested entity was not found.")
	}
	return e, nil
}

// GetOperation returns the operation as it stands now; NOT_FOUND if there is none.
func (s *Store) GetOperation(_ context.Context, req *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	e, err := s.find(req.GetName())
	if err != nil {
		return nil, err
	}
	return e.now(), nil
}

// WaitOperation returns the operation when it is done, or as it stands when the
// request's timeout or the call ends.
func (s *Store) WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest) (*longrunningpb.Operation, error) {
	e, err := s.find(req.GetName())
	if err != nil {
		return nil, err
	}
	if t := req.GetTimeout(); t != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.AsDuration())
		defer cancel()
	}
	select {
	case <-e.ended:
	case <-ctx.Done():
	}
	select {
	case <-time.After(time.Until(e.due)):
	case <-ctx.Done():
	}
	return s.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: req.GetName()})
}

// ListOperations lists all operations, oldest first, by pages. Filters are
// refused as INVALID_ARGUMENT.
func (s *Store) ListOperations(_ context.Context, req *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error) {
	if req.GetFilter() != "" {
		return nil, status.Error(codes.InvalidArgument, "filter is not supported.")
	}
	from, err := offset(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	all := s.all()
	all = all[min(from, len(all)):]
	resp := &longrunningpb.ListOperationsResponse{}
	if size := int(req.GetPageSize()); size > 0 && size < len(all) {
		all, resp.NextPageToken = all[:size], strconv.Itoa(from+size)
	}
	for _, e := range all {
		resp.Operations = append(resp.Operations, e.now())
	}
	return resp, nil
}

func (s *Store) all() []entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]entry, 0, len(s.started))
	for _, e := range s.started {
		all = append(all, e)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].born < all[j].born })
	return all
}

// offset reads a page token.
func offset(token string) (int, error) {
	if token == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(token)
	if err != nil || n < 0 {
		return 0, status.Error(codes.InvalidArgument, "page_token was not issued by this service.")
	}
	return n, nil
}
