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
