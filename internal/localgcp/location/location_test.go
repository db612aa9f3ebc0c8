package location

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"google.golang.org/genproto/googleapis/cloud/location"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/wire"
)

func serve(t *testing.T) *wire.Server {
	t.Helper()
	h, err := wire.NewHandler(Register, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := wire.Listen("127.0.0.1:0", h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestListAsGcloudDoes(t *testing.T) {
	resp, err := http.Get(serve(t).URL() + "/v1/projects/local/locations?alt=json&pageSize=100")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var list struct {
		Locations []struct{ Name, LocationID string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, l := range list.Locations {
		found[l.Name] = true
	}
	for _, want := range []string{"global", "us-central1", "europe-west1"} {
		if !found["projects/local/locations/"+want] {
			t.Errorf("%s is not in %v", want, list.Locations)
		}
	}
}

func TestGetLocation(t *testing.T) {
	conn, err := grpc.NewClient(serve(t).Addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := location.NewLocationsClient(conn)
	got, err := client.GetLocation(context.Background(), &location.GetLocationRequest{Name: "projects/local/locations/us-central1"})
	if err != nil || got.GetLocationId() != "us-central1" || got.GetDisplayName() != "Iowa" {
		t.Errorf("got %v, %v", got, err)
	}
	_, err = client.GetLocation(context.Background(), &location.GetLocationRequest{Name: "projects/local/locations/moon"})
	if status.Code(err) != codes.NotFound {
		t.Errorf("got %v, want NotFound", err)
	}
}
