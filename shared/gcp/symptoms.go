package gcp

import (
	"strings"

	"google.golang.org/grpc/codes"
)

// symptom is a known way to fail.
type symptom struct {
	code codes.Code // of the status; anyCode also fits errors that have none
	says string     // a part of the text, a reason or the type of a violation
	Diagnosis
}

func (s symptom) fits(code codes.Code, text string) bool {
	return (s.code == anyCode || s.code == code) && strings.Contains(text, s.says)
}

// anyCode is the one that no error has.
const anyCode = codes.OK

const (
	waitForIAM    = "wait: IAM takes up to 7 minutes to tell all of Google; if it goes on after 10, see whether the key is listed and enabled"
	grantIt       = "see 'keyturn doctor' for the roles that keyturn needs, and grant the one that is missing"
	notOnlyOurKey = "list the account's keys and delete those that nobody uses; keyturn never deletes a key that it did not make"
)

// symptoms are in order: the first that an error shows is its diagnosis. The
// texts are Google's own, from its answers and its error catalogue.
var symptoms = []symptom{
	// IAM.
	{codes.ResourceExhausted, "Maximum number of keys on account reached", Diagnosis{
		Means: "the service account has all 10 user-managed keys that it can have, disabled and expired ones counted", Next: notOnlyOurKey}},
	{codes.FailedPrecondition, "Precondition check failed", Diagnosis{
		Means: "the service account has all 10 user-managed keys that it can have, or an organisation policy forbids this", Next: notOnlyOurKey + "; with fewer than 10, ask for the organisation's policies on keys"}},
	{codes.InvalidArgument, "longer than the max allowed lifetime", Diagnosis{
		Means: "the uploaded certificate is valid for longer than iam.serviceAccountKeyExpiryHours allows",
		Next:  "shorten the policy's period, overlap and quarantine until the certificate fits, or ask for a longer limit"}},
	{codes.NotFound, "Service account key", Diagnosis{Retry: true,
		Means: "the key is deleted, or so new that this part of Google has not heard of it", Next: waitForIAM}},
	{anyCode, "ACCOUNT_STATE_INVALID", Diagnosis{
		Means: "the service account is disabled or deleted", Next: "enable it, or undelete it within 30 days; if Google disabled it, answer Google's notice first"}},

	// The credentials of whoever calls.
	{anyCode, "could not find default credentials", Diagnosis{
		Means: "this machine has no credentials to call Google with", Next: "run 'gcloud auth application-default login'"}},
	{anyCode, "invalid_rapt", Diagnosis{
		Means: "Google wants the person whose credentials these are to sign in again", Next: "run 'gcloud auth application-default login'"}},

	// The token endpoint.
	{anyCode, "Invalid JWT Signature", Diagnosis{Retry: true,
		Means: "the service account has no enabled key of this pair: the key is new, disabled or deleted", Next: waitForIAM}},
	{anyCode, "account not found", Diagnosis{
		Means: "the service account in the key file is deleted or disabled", Next: "enable it, or undelete it within 30 days, or remove the credential"}},
	{anyCode, "Robot is disabled", Diagnosis{
		Means: "the service account is disabled", Next: "enable it, or remove the credential"}},
	{anyCode, "Token must be a short-lived token", Diagnosis{
		Means: "the clock of the machine that signed is wrong", Next: "set the clock of that machine by NTP"}},
	{anyCode, "deleted_client", Diagnosis{
		Means: "the OAuth client is deleted", Next: "undelete the client within 30 days, or make a new one"}},
	{anyCode, "disabled_client", Diagnosis{
		Means: "the OAuth client is disabled", Next: "enable the client; if Google disabled it, answer Google's notice first"}},
	{anyCode, "unauthorized_client", Diagnosis{
		Means: "the client may not ask for these scopes by domain-wide delegation", Next: "have an administrator of the domain grant them to the client's id"}},
	{anyCode, "invalid_client", Diagnosis{
		Means: "the OAuth client or its secret is not known", Next: "compare the client id and the newest secret with the console's"}},
	{anyCode, "invalid_grant", Diagnosis{Retry: true,
		Means: "the token endpoint does not accept the key", Next: waitForIAM}},
	{anyCode, "ACCESS_TOKEN_EXPIRED", Diagnosis{
		Means: "the access token has expired", Next: "mint a new one; if that does not help, set the machine's clock by NTP"}},
	{anyCode, "ACCESS_TOKEN_SCOPE_INSUFFICIENT", Diagnosis{
		Means: "the access token was minted for fewer scopes than the call needs", Next: "mint it with the scope cloud-platform"}},
	{anyCode, "CREDENTIALS_MISSING", Diagnosis{
		Means: "the call had no credentials, or of a kind that this API does not take", Next: "run 'gcloud auth application-default login', or give the function a service account"}},

	// Secret Manager.
	{codes.FailedPrecondition, "is in DESTROYED state", Diagnosis{
		Means: "the payload of this version is destroyed for good", Next: "point the alias at an enabled version; 'latest' is the newest version whatever its state"}},
	{codes.FailedPrecondition, "is in DISABLED state", Diagnosis{
		Means: "the version is disabled", Next: "enable it ('gcloud secrets versions enable'), or point readers at 'current'"}},
	{codes.FailedPrecondition, "etag", Diagnosis{
		Means: "somebody else changed the secret since it was read, and nothing was written", Next: "run the command again: it begins by reading"}},
	{codes.InvalidArgument, "checksum", Diagnosis{
		Means: "the payload was damaged on its way to Secret Manager", Next: "run the command again; if it goes on, look for a proxy in between"}},
	{codes.InvalidArgument, "Field [payload] is required", Diagnosis{
		Means: "the payload is empty", Next: "see what made it: an empty credential is never stored"}},

	// API Keys.
	{codes.FailedPrecondition, ErrInUse.Error(), Diagnosis{
		Means: "Google saw the API key used in the last 7 days, and did not delete it", Next: "move the one who uses it to the new key; 'keyturn status' shows when it was last used"}},
	{codes.Aborted, "etag", Diagnosis{
		Means: "somebody else changed the API key since it was read, and nothing was written", Next: "run the command again: it begins by reading"}},
	{codes.ResourceExhausted, "limit of 300 API keys", Diagnosis{
		Means: "the project has all the API keys that it can have", Next: "delete those that nobody uses"}},
	{anyCode, "API_KEY_INVALID", Diagnosis{Retry: true,
		Means: "Google does not know the API key: it is new or deleted", Next: "wait some minutes; if it goes on, see whether the key is listed"}},
	{anyCode, "API_KEY_SERVICE_BLOCKED", Diagnosis{
		Means: "the API key is restricted to other APIs", Next: "add this API to its restrictions; the key itself is good"}},
	{anyCode, "API_KEY_HTTP_REFERRER_BLOCKED", Diagnosis{
		Means: "the API key is restricted to other web pages", Next: "add the page to its restrictions; the key itself is good"}},
	{anyCode, "API_KEY_IP_ADDRESS_BLOCKED", Diagnosis{
		Means: "the API key is restricted to other addresses", Next: "add the caller's address to its restrictions, or enable the key if keyturn disabled it; the key itself is good"}},
	{anyCode, "API_KEY_ANDROID_APP_BLOCKED", Diagnosis{
		Means: "the API key is restricted to other Android apps", Next: "add the app to its restrictions; the key itself is good"}},
	{anyCode, "API_KEY_IOS_APP_BLOCKED", Diagnosis{
		Means: "the API key is restricted to other iOS apps", Next: "add the app to its restrictions; the key itself is good"}},

	// All APIs.
	{anyCode, "VPC_SERVICE_CONTROLS", Diagnosis{
		Means: "a VPC Service Controls perimeter forbids this", Next: "let keyturn's service account into the perimeter"}},
	{anyCode, "SERVICE_DISABLED", Diagnosis{
		Means: "the API is not turned on in the project", Next: "turn it on ('gcloud services enable') and wait some minutes"}},
	{anyCode, "BILLING_DISABLED", Diagnosis{
		Means: "the project has no billing account", Next: "give it one"}},
	{anyCode, "CONSUMER_SUSPENDED", Diagnosis{
		Means: "Google suspended the project", Next: "answer Google's notice"}},
	{anyCode, ErrNotYet.Error(), Diagnosis{Retry: true,
		Means: "Google does not know the credential, or had no time to say", Next: waitForIAM}},
}

// meaning is what a code says where nothing more is known.
type meaning struct {
	refused bool // nothing was done, and nothing will come of it
	Diagnosis
}

var meanings = map[codes.Code]meaning{
	codes.Canceled:           {false, Diagnosis{Retry: true, Means: "the call was given up before its answer came", Next: "run the command again"}},
	codes.Unknown:            {false, Diagnosis{Means: "an error that keyturn does not know", Next: "read its text; please report it"}},
	codes.InvalidArgument:    {true, Diagnosis{Means: "Google does not take the request as it is", Next: "compare what the message names with the secret's annotations"}},
	codes.DeadlineExceeded:   {false, Diagnosis{Retry: true, Means: "no answer came in time; the call may have worked", Next: "nothing: the next run looks and goes on"}},
	codes.NotFound:           {true, Diagnosis{Means: "what the call names does not exist, or not yet", Next: "see whether somebody deleted it; what is new takes some minutes to be found everywhere"}},
	codes.AlreadyExists:      {false, Diagnosis{Means: "the name is taken", Next: "nothing, if an earlier run made it"}},
	codes.PermissionDenied:   {true, Diagnosis{Means: "keyturn may not do this", Next: grantIt}},
	codes.ResourceExhausted:  {true, Diagnosis{Retry: true, Means: "a quota is used up", Next: "nothing: the next run goes on; if it lasts, ask for more quota or spread the rotations"}},
	codes.FailedPrecondition: {true, Diagnosis{Means: "the state of the resource forbids this", Next: "read what the message names, and change that first"}},
	codes.Aborted:            {false, Diagnosis{Retry: true, Means: "the call lost a race with another", Next: "nothing: the next run looks and goes on"}},
	codes.OutOfRange:         {false, Diagnosis{Means: "Google does not take the request as it is", Next: "please report it"}},
	codes.Unimplemented:      {false, Diagnosis{Means: "what answers at this address is not the API that was called", Next: "see that KEYTURN_ENDPOINT is empty, or names the embedded Google Cloud"}},
	codes.Internal:           {false, Diagnosis{Retry: true, Means: "Google failed", Next: "nothing: the next run goes on; if it lasts, see status.cloud.google.com"}},
	codes.Unavailable:        {false, Diagnosis{Retry: true, Means: "nobody answered; the call may have worked", Next: "nothing: the next run looks and goes on; if it lasts, see the network and status.cloud.google.com"}},
	codes.DataLoss:           {false, Diagnosis{Means: "Google lost data", Next: "see status.cloud.google.com"}},
	codes.Unauthenticated:    {true, Diagnosis{Means: "Google does not know who calls", Next: "run 'gcloud auth application-default login', or give the function a service account"}},
}
