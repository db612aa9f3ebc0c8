package localgcp

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"testing"

	iam "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"example.com/keyturn/internal/localgcp/clock"
)

// BenchmarkStart is what a cloud costs from Start to Close, which a simulation
// pays for each of its seeds.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		cloud, err := Start(Config{Addr: "127.0.0.1:0", ProjectID: "acme", Clock: clock.NewFrozen(t0)})
		if err != nil {
			b.Fatal(err)
		}
		if err := cloud.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCreateKey is what a key costs whose pair was there before: creating,
// and deleting it again.
func BenchmarkCreateKey(b *testing.B) {
	pair, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	cloud, err := Start(Config{Addr: "127.0.0.1:0", ProjectID: "acme", Clock: clock.NewFrozen(t0), Pair: func() (*rsa.PrivateKey, error) { return pair, nil }})
	if err != nil {
		b.Fatal(err)
	}
	defer cloud.Close()
	c, err := iam.NewIamClient(b.Context(), option.WithEndpoint(cloud.Addr()), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	account, err := c.CreateServiceAccount(b.Context(), &adminpb.CreateServiceAccountRequest{Name: project, AccountId: "rot"})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := createAndDelete(b.Context(), c, account.GetName()); err != nil {
			b.Fatal(err)
		}
	}
}

func createAndDelete(ctx context.Context, c *iam.IamClient, account string) error {
	k, err := c.CreateServiceAccountKey(ctx, &adminpb.CreateServiceAccountKeyRequest{Name: account})
	if err != nil {
		return err
	}
	return c.DeleteServiceAccountKey(ctx, &adminpb.DeleteServiceAccountKeyRequest{Name: k.GetName()})
}
