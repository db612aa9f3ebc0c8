package pubsub

import (
	"context"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

var errNoReplay = status.Error(codes.Unimplemented,
	"the embedded Pub/Sub forgets acknowledged messages, so it has no snapshots and cannot seek; delete and create the subscription to drop its backlog")

// CreateSnapshot is not implemented.
func (s *Service) CreateSnapshot(context.Context, *pubsubpb.CreateSnapshotRequest) (*pubsubpb.Snapshot, error) {
	return nil, errNoReplay
}

// Seek is not implemented.
func (s *Service) Seek(context.Context, *pubsubpb.SeekRequest) (*pubsubpb.SeekResponse, error) {
	return nil, errNoReplay
}

// GetSnapshot finds no snapshot.
func (s *Service) GetSnapshot(_ context.Context, req *pubsubpb.GetSnapshotRequest) (*pubsubpb.Snapshot, error) {
	return nil, notFound(req.Snapshot)
}

// UpdateSnapshot finds no snapshot.
func (s *Service) UpdateSnapshot(_ context.Context, req *pubsubpb.UpdateSnapshotRequest) (*pubsubpb.Snapshot, error) {
	return nil, notFound(req.Snapshot.GetName())
}

// DeleteSnapshot finds no snapshot.
func (s *Service) DeleteSnapshot(_ context.Context, req *pubsubpb.DeleteSnapshotRequest) (*emptypb.Empty, error) {
	return nil, notFound(req.Snapshot)
}

// ListSnapshots lists none.
func (s *Service) ListSnapshots(context.Context, *pubsubpb.ListSnapshotsRequest) (*pubsubpb.ListSnapshotsResponse, error) {
	return &pubsubpb.ListSnapshotsResponse{}, nil
}
