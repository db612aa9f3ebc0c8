// Package location lists the locations of the embedded Google Cloud, which are
// the same for every project and every service.
package location

import (
	"context"
	"strings"

	"google.golang.org/genproto/googleapis/cloud/location"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Register adds google.cloud.location.Locations to r, which must be a
// *grpc.Server: the generated code of this service takes nothing else.
func Register(r grpc.ServiceRegistrar) {
	location.RegisterLocationsServer(r.(*grpc.Server), server{})
}

type server struct {
	location.UnimplementedLocationsServer
}

// displayNames are those of the locations, in the order in which they are listed.
var displayNames = []struct{ id, name string }{
	{"global", "Global"},
	{"asia-northeast1", "Tokyo"},
	{"europe-west1", "Belgium"},
	{"europe-west3", "Frankfurt"},
	{"us-central1", "Iowa"},
	{"us-east1", "South Carolina"},
	{"us-west1", "Oregon"},
}

func describe(parent, id, name string) *location.Location {
	return &location.Location{
		Name:        parent + "/locations/" + id,
		LocationId:  id,
		DisplayName: name,
		Labels:      map[string]string{"cloud.googleapis.com/region": id},
	}
}

// ListLocations lists all locations of projects/P on one page; the filter is not looked at.
func (server) ListLocations(_ context.Context, req *location.ListLocationsRequest) (*location.ListLocationsResponse, error) {
	resp := &location.ListLocationsResponse{}
	for _, l := range displayNames {
		resp.Locations = append(resp.Locations, describe(req.GetName(), l.id, l.name))
	}
	return resp, nil
}

// GetLocation returns projects/P/locations/L.
func (server) GetLocation(_ context.Context, req *location.GetLocationRequest) (*location.Location, error) {
	parent, id, _ := strings.Cut(req.GetName(), "/locations/")
	for _, l := range displayNames {
		if l.id == id {
			return describe(parent, l.id, l.name), nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "Location %s is not found", req.GetName())
}
