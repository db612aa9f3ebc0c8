package operation

import (
	"context"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func started(t *testing.T, s *Store, names ...string) {
	t.Helper()
	for _, n := range names {
		if _, err := s.Start(n, &emptypb.Empty{}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGet(t *testing.T) {
	s := &Store{Delay: time.Hour}
	started(t, s, "operations/a")
	op, err := s.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: "operations/a"})
	if err != nil || op.GetDone() || op.GetResponse() != nil {
		t.Errorf("an hour early: %v, %v", op, err)
	}
	if _, err := s.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: "operations/b"}); status.Code(err) != codes.NotFound {
		t.Errorf("an unknown operation: %v", err)
	}
	if _, err := s.Start("operations/c", wrapperspb.String("\xff")); err == nil {
		t.Error("a response that cannot be marshalled was taken")
	}
}

func TestWait(t *testing.T) {
	s := &Store{Delay: 20 * time.Millisecond}
	started(t, s, "operations/a")
	op, err := s.WaitOperation(t.Context(), &longrunningpb.WaitOperationRequest{Name: "operations/a"})
	if err != nil || !op.GetDone() {
		t.Errorf("waited for: %v, %v", op, err)
	}
	slow := &Store{Delay: time.Hour}
	started(t, slow, "operations/a")
	op, err = slow.WaitOperation(t.Context(), &longrunningpb.WaitOperationRequest{Name: "operations/a", Timeout: durationpb.New(time.Millisecond)})
	if err != nil || op.GetDone() {
		t.Errorf("timed out: %v, %v", op, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if op, err = slow.WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: "operations/a"}); err != nil || op.GetDone() {
		t.Errorf("cancelled: %v, %v", op, err)
	}
	if _, err = slow.WaitOperation(t.Context(), &longrunningpb.WaitOperationRequest{Name: "operations/b"}); status.Code(err) != codes.NotFound {
		t.Errorf("an unknown operation: %v", err)
	}
}

func TestList(t *testing.T) {
	s := &Store{}
	started(t, s, "operations/b", "operations/a", "operations/c")
	var names []string
	req := &longrunningpb.ListOperationsRequest{Name: "operations", PageSize: 2}
	for {
		resp, err := s.ListOperations(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range resp.GetOperations() {
			names = append(names, op.GetName())
		}
		if req.PageToken = resp.GetNextPageToken(); req.PageToken == "" {
			break
		}
	}
	if len(names) != 3 || names[0] != "operations/b" || names[2] != "operations/c" {
		t.Errorf("listed %v", names)
	}
	for _, bad := range []*longrunningpb.ListOperationsRequest{{Filter: "done=true"}, {PageToken: "x"}, {PageToken: "-1"}} {
		if _, err := s.ListOperations(t.Context(), bad); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if resp, err := s.ListOperations(t.Context(), &longrunningpb.ListOperationsRequest{PageToken: "9"}); err != nil || len(resp.GetOperations()) != 0 {
		t.Errorf("past the end: %v, %v", resp, err)
	}
}

func TestBegin(t *testing.T) {
	s := &Store{}
	for name, failed := range map[string]error{"operations/a": nil, "operations/b": status.Error(codes.InvalidArgument, "on purpose")} {
		op, end, err := s.Begin(name, wrapperspb.String("metadata"))
		if err != nil || op.GetDone() || op.GetMetadata() == nil {
			t.Fatalf("%s begins as %v, %v", name, op, err)
		}
		short := &longrunningpb.WaitOperationRequest{Name: name, Timeout: durationpb.New(time.Millisecond)}
		if op, err := s.WaitOperation(t.Context(), short); err != nil || op.GetDone() {
			t.Errorf("%s is done before its end: %v, %v", name, op, err)
		}
		go end(wrapperspb.String("response"), failed)
		op, err = s.WaitOperation(t.Context(), &longrunningpb.WaitOperationRequest{Name: name})
		if err != nil || !op.GetDone() || op.GetMetadata() == nil || (op.GetError() == nil) != (failed == nil) || (op.GetResponse() == nil) != (failed != nil) {
			t.Errorf("%s ends as %v, %v", name, op, err)
		}
	}
	_, end, err := s.Begin("operations/c", &emptypb.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	end(wrapperspb.String("\xff"), nil)
	if op, err := s.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: "operations/c"}); err != nil || op.GetError() == nil {
		t.Errorf("a response that cannot be marshalled: %v, %v", op, err)
	}
	if _, _, err := s.Begin("operations/d", wrapperspb.String("\xff")); err == nil {
		t.Error("metadata that cannot be marshalled was taken")
	}
}
