package gcp

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"

	"google.golang.org/api/option"
	transport "google.golang.org/api/transport/http"
	"google.golang.org/grpc/status"
)

// restCall is one call of an API of Google's over REST: of what its gRPC form does not
// have. Google's own REST clients are not used: linking theirs makes the functions start
// a fifth slower, and a call is no more than this.
type restCall struct {
	method   string // in gRPC's form, by which quotas and retries know it
	resource string // that it is about

	api  restAPI
	verb string // "" is GET
	path string
	args []string // names and values of the query, in turns; what is empty is left out
	body any      // sent as JSON; nil is none
}

// restAPI is one of Google's.
type restAPI struct{ name, host string }

var (
	apiKeysREST     = restAPI{"API Keys over REST", "apikeys.googleapis.com"}
	iamREST         = restAPI{"IAM over REST", "iam.googleapis.com"}
	resourceManager = restAPI{"Resource Manager", "cloudresourcemanager.googleapis.com"}
	cloudAsset      = restAPI{"Cloud Asset", "cloudasset.googleapis.com"}
	orgPolicy       = restAPI{"Organization Policy", "orgpolicy.googleapis.com"}
	cloudLogging    = restAPI{"Cloud Logging", "logging.googleapis.com"}
	cloudStorage    = restAPI{"Cloud Storage", "storage.googleapis.com"}
	policyAnalyzer  = restAPI{"Policy Analyzer", "policyanalyzer.googleapis.com"} // of recent activities, not Cloud Asset's of the same name
)

// maxRESTAnswer is more than a page of anything holds, in bytes.
const maxRESTAnswer = 64 << 20

// overREST makes a call over REST with the manners of its gRPC method: quotas,
// retries and errors are the same.
func overREST[Answer any](ctx context.Context, c *Cloud, call restCall) (answer Answer, err error) {
	client, err := connect(ctx, c, &c.clients.rest, call.api.name, c.restClient)
	if err != nil {
		return answer, err
	}
	var body []byte
	if call.body != nil {
		if body, err = json.Marshal(call.body); err != nil {
			return answer, fmt.Errorf("encoding what is asked of %s: %w", call.api.name, err)
		}
	}
	address := call.address(c.config.Endpoint)
	err = c.calls.do(ctx, call.method, call.resource, func(ctx context.Context) error {
		text, err := exchange(ctx, client, cmp.Or(call.verb, http.MethodGet), address, body)
		if err != nil {
			return RESTError(err)
		}
		answer = *new(Answer) // nothing of an earlier attempt
		if err := json.Unmarshal(text, &answer); err != nil {
			return fmt.Errorf("reading the answer of %s: %w", call.api.name, err)
		}
		return nil
	})
	return answer, err
}

// restClient is the client of all APIs that are called over REST.
func (c *Cloud) restClient(ctx context.Context) (*http.Client, error) {
	client, _, err := transport.NewClient(ctx, slices.Concat(c.restOptions(), []option.ClientOption{option.WithScopes(cloudPlatform)})...)
	return client, err
}

// address is the URL of a call, to Google's own or to the embedded cloud at endpoint.
func (r restCall) address(endpoint string) string {
	u := url.URL{Scheme: "https", Host: r.api.host, Path: "/" + r.path}
	if endpoint != "" {
		u.Scheme, u.Host = "http", endpoint
	}
	query := url.Values{"alt": {"json"}, "prettyPrint": {"false"}}
	for pair := range slices.Chunk(r.args, 2) {
		if pair[1] != "" {
			query.Set(pair[0], pair[1])
		}
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// exchange makes one attempt of a call. Of a refusal the error has the status that gRPC
// would have answered.
func exchange(ctx context.Context, client *http.Client, verb, address string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, verb, address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("preparing the call: %w", err)
	}
	req.Header.Set("User-Agent", "keyturn")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxRESTAnswer))
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, status.FromProto(decodeRefusal(resp.StatusCode, text)).Err()
	}
	if err != nil {
		return nil, &url.Error{Op: verb, URL: address, Err: err} // as if there were no answer
	}
	return text, nil
}
