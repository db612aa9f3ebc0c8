package main

import (
	"context"
	"fmt"

	apikeys "cloud.google.com/go/apikeys/apiv2"
	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	iam "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// seed ADDRESS makes, in project local, what a team has before it meets keyturn:
// an account billing whose key is in the secrets billing-key and copy, an
// account other without keys, an API key gemini in secret gemini-key, a secret
// empty without versions and a secret plain that holds something else.
func seed(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(seedAt(context.Background(), args[0]))
}

func seedAt(ctx context.Context, addr string) error {
	opts := []option.ClientOption{
		option.WithEndpoint(addr), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
	}
	keyFile, err := seedAccounts(ctx, opts)
	if err != nil {
		return fmt.Errorf("making accounts: %w", err)
	}
	keyString, err := seedAPIKey(ctx, opts)
	if err != nil {
		return fmt.Errorf("making an API key: %w", err)
	}
	client, err := secretmanager.NewClient(ctx, opts...)
	if err != nil {
		return err
	}
	defer client.Close()
	for id, payload := range map[string]string{"billing-key": keyFile, "copy": keyFile, "gemini-key": keyString, "plain": "hello", "empty": ""} {
		if err := seedSecret(ctx, client, id, payload); err != nil {
			return fmt.Errorf("making secret %s: %w", id, err)
		}
	}
	return nil
}

func seedAccounts(ctx context.Context, opts []option.ClientOption) (keyFile string, err error) {
	client, err := iam.NewIamClient(ctx, opts...)
	if err != nil {
		return "", err
	}
	defer client.Close()
	for _, id := range []string{"billing", "other"} {
		if _, err := client.CreateServiceAccount(ctx, &adminpb.CreateServiceAccountRequest{Name: "projects/local", AccountId: id}); err != nil {
			return "", err
		}
	}
	key, err := client.CreateServiceAccountKey(ctx, &adminpb.CreateServiceAccountKeyRequest{
		Name: "projects/local/serviceAccounts/billing@local.iam.gserviceaccount.com",
	})
	return string(key.GetPrivateKeyData()), err
}

func seedAPIKey(ctx context.Context, opts []option.ClientOption) (keyString string, err error) {
	client, err := apikeys.NewClient(ctx, opts...)
	if err != nil {
		return "", err
	}
	defer client.Close()
	op, err := client.CreateKey(ctx, &apikeyspb.CreateKeyRequest{
		Parent: "projects/local/locations/global", KeyId: "gemini", Key: &apikeyspb.Key{DisplayName: "gemini"},
	})
	if err != nil {
		return "", err
	}
	key, err := op.Wait(ctx)
	if err != nil {
		return "", err
	}
	answer, err := client.GetKeyString(ctx, &apikeyspb.GetKeyStringRequest{Name: key.GetName()})
	return answer.GetKeyString(), err
}

func seedSecret(ctx context.Context, client *secretmanager.Client, id, payload string) error {
	secret, err := client.CreateSecret(ctx, &secretmanagerpb.CreateSecretRequest{
		Parent: "projects/local", SecretId: id,
		Secret: &secretmanagerpb.Secret{Replication: &secretmanagerpb.Replication{
			Replication: &secretmanagerpb.Replication_Automatic_{Automatic: &secretmanagerpb.Replication_Automatic{}},
		}},
	})
	if err != nil || payload == "" {
		return err
	}
	_, err = client.AddSecretVersion(ctx, &secretmanagerpb.AddSecretVersionRequest{
		Parent: secret.GetName(), Payload: &secretmanagerpb.SecretPayload{Data: []byte(payload)},
	})
	return err
}
