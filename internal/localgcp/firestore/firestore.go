// Package firestore is as much of Firestore, in native mode, as functions share their
// state by: documents are read, written on condition, and found by fields.
package firestore

import (
	"context"
	"regexp"
	"sync"
	"time"

	"cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Service serves google.firestore.v1.Firestore. It is safe for concurrent use. What it
// does not know is UNIMPLEMENTED.
type Service struct {
	firestorepb.UnimplementedFirestoreServer

	mu        sync.Mutex
	documents map[string]*firestorepb.Document // by full name; replaced, never changed
	last      time.Time                        // of a commit
}

// New returns a service without documents.
func New() *Service { return &Service{documents: map[string]*firestorepb.Document{}} }

// Register adds google.firestore.v1.Firestore.
func (s *Service) Register(r grpc.ServiceRegistrar) { firestorepb.RegisterFirestoreServer(r, s) }

var documentName = regexp.MustCompile(`^projects/[^/]+/databases/[^/]+/documents(/[^/]+/[^/]+)+$`)

// GetDocument returns a document.
func (s *Service) GetDocument(_ context.Context, req *firestorepb.GetDocumentRequest) (*firestorepb.Document, error) {
	if !documentName.MatchString(req.GetName()) {
		return nil, status.Errorf(codes.InvalidArgument, "Document name %q lacks a collection, an id or more.", req.GetName())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.documents[req.GetName()]
	if found == nil {
		return nil, status.Errorf(codes.NotFound, "Document %q not found.", req.GetName())
	}
	return proto.CloneOf(found), nil
}

// Commit makes all writes, or none if a condition does not hold. There are no
// transactions, no masks and no transforms.
func (s *Service) Commit(_ context.Context, req *firestorepb.CommitRequest) (*firestorepb.CommitResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(req.GetTransaction()) > 0 {
		return nil, status.Error(codes.Unimplemented, "the embedded cloud has no transactions")
	}
	for _, w := range req.GetWrites() {
		if err := s.mayWrite(w); err != nil {
			return nil, err
		}
	}
	at := s.now()
	answer := &firestorepb.CommitResponse{CommitTime: at}
	for _, w := range req.GetWrites() {
		s.write(w, at)
		answer.WriteResults = append(answer.WriteResults, &firestorepb.WriteResult{UpdateTime: at})
	}
	return answer, nil
}

// now is a time that no commit had yet, of the machine, to the microsecond as Google's.
func (s *Service) now() *timestamppb.Timestamp {
	at := time.Now().Truncate(time.Microsecond)
	if !at.After(s.last) {
		at = s.last.Add(time.Microsecond)
	}
	s.last = at
	return timestamppb.New(at)
}

// target is the document that a write is about.
func target(w *firestorepb.Write) string {
	if w.GetUpdate() != nil {
		return w.GetUpdate().GetName()
	}
	return w.GetDelete()
}

func (s *Service) mayWrite(w *firestorepb.Write) error {
	name := target(w)
	found, c := s.documents[name], w.GetCurrentDocument()
	switch {
	case w.GetUpdateMask() != nil || len(w.GetUpdateTransforms()) > 0 || w.GetTransform() != nil:
		return status.Error(codes.Unimplemented, "the embedded cloud writes whole documents")
	case !documentName.MatchString(name):
		return status.Errorf(codes.InvalidArgument, "Document name %q lacks a collection, an id or more.", name)
	}
	switch c := c.GetConditionType().(type) {
	case *firestorepb.Precondition_Exists:
		if c.Exists && found == nil {
			return status.Errorf(codes.NotFound, "No document to update: %s", name)
		}
		if !c.Exists && found != nil {
			return status.Errorf(codes.AlreadyExists, "Document already exists: %s", name)
		}
	case *firestorepb.Precondition_UpdateTime:
		if found == nil || !proto.Equal(found.GetUpdateTime(), c.UpdateTime) {
			return status.Errorf(codes.FailedPrecondition, "the stored version of %s does not match the required base version", name)
		}
	}
	return nil
}

func (s *Service) write(w *firestorepb.Write, at *timestamppb.Timestamp) {
	name := target(w)
	if w.GetUpdate() == nil {
		delete(s.documents, name)
		return
	}
	d := proto.CloneOf(w.GetUpdate())
	d.CreateTime, d.UpdateTime = at, at
	if before := s.documents[name]; before != nil {
		d.CreateTime = before.GetCreateTime()
	}
	s.documents[name] = d
}
