package localgcp

import (
	"testing"

	iam "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	credentials "cloud.google.com/go/iam/credentials/apiv1"
	"cloud.google.com/go/iam/credentials/apiv1/credentialspb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"golang.org/x/oauth2/google"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// reasonOf is the code of an error and the reason in its ErrorInfo.
func reasonOf(err error) (codes.Code, string) {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return status.Code(err), info.GetReason()
		}
	}
	return status.Code(err), ""
}

// Disabling the account is all that stops tokens that were minted before, at
// every door, and enabling it brings them back.
func TestDisabledAccountStopsAtEveryDoor(t *testing.T) {
	w, ctx := start(t), t.Context()
	account, topic := w.account("bot"), w.topic("ttt")
	accounts := open(w, iam.NewIamClient, w.overGRPC())
	w.bind("projects/acme", "roles/pubsub.viewer", account.GetEmail())
	key, err := accounts.CreateServiceAccountKey(ctx, &adminpb.CreateServiceAccountKeyRequest{Name: account.GetName()})
	w.must(err)
	config, err := google.JWTConfigFromJSON(key.GetPrivateKeyData(), "https://www.googleapis.com/auth/cloud-platform")
	w.must(err)
	minted, err := config.TokenSource(ctx).Token()
	w.must(err)
	impersonate := func() (*credentialspb.GenerateAccessTokenResponse, error) {
		return open(w, credentials.NewIamCredentialsClient, w.overGRPC()).GenerateAccessToken(ctx, &credentialspb.GenerateAccessTokenRequest{
			Name: "projects/-/serviceAccounts/" + account.GetEmail(), Scope: []string{"https://www.googleapis.com/auth/cloud-platform"},
		})
	}
	impersonated, err := impersonate()
	w.must(err)

	// doors checks all doors with both tokens.
	doors := func(when string, wantCode codes.Code, wantReason string, wantHTTP int) {
		t.Helper()
		for _, token := range []string{minted.AccessToken, impersonated.GetAccessToken()} {
			conn, err := grpc.NewClient(w.cloud.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithPerRPCCredentials(bearer(token)))
			w.must(err)
			_, err = pubsubpb.NewPublisherClient(conn).GetTopic(ctx, &pubsubpb.GetTopicRequest{Topic: topic})
			if code, reason := reasonOf(err); code != wantCode || reason != wantReason {
				t.Errorf("%s, gRPC: %v", when, err)
			}
			w.must(conn.Close())
			if code, answer := w.call("GET /v1/"+topic, "", "Authorization", "Bearer "+token); code != wantHTTP {
				t.Errorf("%s, REST: %d %v", when, code, answer)
			}
			if code, answer := w.call("GET /v1beta/models", "", "Authorization", "Bearer "+token); (code == 401) != (wantHTTP == 401) {
				t.Errorf("%s, the guarded API: %d %v", when, code, answer)
			}
		}
	}
	doors("enabled", codes.OK, "", 200)
	w.must(accounts.DisableServiceAccount(ctx, &adminpb.DisableServiceAccountRequest{Name: account.GetName()}))
	doors("disabled", codes.Unauthenticated, "ACCOUNT_STATE_INVALID", 401)
	if _, err := config.TokenSource(ctx).Token(); err == nil {
		t.Error("its key buys a token")
	}
	if _, err := impersonate(); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("it can be impersonated: %v", err)
	}
	w.must(accounts.EnableServiceAccount(ctx, &adminpb.EnableServiceAccountRequest{Name: account.GetName()}))
	doors("enabled again", codes.OK, "", 200)
	if _, err := config.TokenSource(ctx).Token(); err != nil {
		t.Errorf("its key buys no token: %v", err)
	}
}
