package main

import (
	"context"
	"fmt"
	"strings"

	apikeys "cloud.google.com/go/apikeys/apiv2"
	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	iam "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
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
	ts.Check(seedAt(context.Background(), args[0], "local"))
}

// unmake ADDRESS ACCOUNT deletes an account of project local.
func unmake(ts *testscript.TestScript, _ bool, args []string) {
	client, err := iam.NewIamClient(context.Background(), option.WithEndpoint(args[0]), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	ts.Check(err)
	defer client.Close()
	ts.Check(client.DeleteServiceAccount(context.Background(), &adminpb.DeleteServiceAccountRequest{
		Name: "projects/local/serviceAccounts/" + args[1] + "@local.iam.gserviceaccount.com",
	}))
}

func seedAt(ctx context.Context, addr, project string) error {
	opts := []option.ClientOption{
		option.WithEndpoint(addr), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
	}
	keyFile, err := seedAccounts(ctx, project, opts)
	if err != nil {
		return fmt.Errorf("making accounts: %w", err)
	}
	keyString, err := seedAPIKey(ctx, project, opts)
	if err != nil {
		return fmt.Errorf("making an API key: %w", err)
	}
	client, err := secretmanager.NewClient(ctx, opts...)
	if err != nil {
		return err
	}
	defer client.Close()
	for id, payload := range map[string]string{"billing-key": keyFile, "copy": keyFile, "gemini-key": keyString, "plain": "hello", "empty": ""} {
		if err := seedSecret(ctx, client, project, id, payload); err != nil {
			return fmt.Errorf("making secret %s: %w", id, err)
		}
	}
	return nil
}

func seedAccounts(ctx context.Context, project string, opts []option.ClientOption) (keyFile string, err error) {
	client, err := iam.NewIamClient(ctx, opts...)
	if err != nil {
		return "", err
	}
	defer client.Close()
	for _, id := range []string{"billing", "other"} {
		if _, err := client.CreateServiceAccount(ctx, &adminpb.CreateServiceAccountRequest{Name: "projects/" + project, AccountId: id}); err != nil {
			return "", err
		}
	}
	key, err := client.CreateServiceAccountKey(ctx, &adminpb.CreateServiceAccountKeyRequest{
		Name: "projects/" + project + "/serviceAccounts/billing@" + project + ".iam.gserviceaccount.com",
	})
	return string(key.GetPrivateKeyData()), err
}

func seedAPIKey(ctx context.Context, project string, opts []option.ClientOption) (keyString string, err error) {
	client, err := apikeys.NewClient(ctx, opts...)
	if err != nil {
		return "", err
	}
	defer client.Close()
	op, err := client.CreateKey(ctx, &apikeyspb.CreateKeyRequest{
		Parent: "projects/" + project + "/locations/global", KeyId: "gemini", Key: &apikeyspb.Key{DisplayName: "gemini"},
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

func seedSecret(ctx context.Context, client *secretmanager.Client, project, id, payload string) error {
	secret, err := client.CreateSecret(ctx, &secretmanagerpb.CreateSecretRequest{
		Parent: "projects/" + project, SecretId: id,
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

// journal ADDRESS SECRET FROM TO writes TO for FROM in the journal of a secret of
// project local.
func journal(ts *testscript.TestScript, _ bool, args []string) {
	ctx, name := context.Background(), "projects/local/secrets/"+args[1]
	cloud, err := gcp.New(gcp.Config{Project: "local", Endpoint: args[0]})
	ts.Check(err)
	defer cloud.Close()
	secret, err := cloud.Secret(ctx, name)
	ts.Check(err)
	was := secret.Annotations[rotation.AnnotationJourn]
	secret.Annotations[rotation.AnnotationJourn] = strings.Replace(was, args[2], args[3], 1)
	if was == secret.Annotations[rotation.AnnotationJourn] {
		ts.Fatalf("%q is not in %s", args[2], was)
	}
	_, err = cloud.UpdateSecret(ctx, gcp.Change{Name: name, Etag: secret.Etag, Annotations: secret.Annotations})
	ts.Check(err)
}
