package rotate

import (
	"cmp"
	"slices"

	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// Call is how often a method of an API is called.
type Call struct {
	API    string `json:"api"`    // such as IAM
	Method string `json:"method"` // such as CreateServiceAccountKey; over HTTP, verb and path
	Calls  int    `json:"calls"`
	Kind   string `json:"kind,omitempty"` // read, write or access, as Google counts it against a quota; empty where no quota comes near
}

// The APIs that keyturn calls.
const (
	secretManager = "Secret Manager"
	iamAdmin      = "IAM"
	apiKeysAPI    = "API Keys"
	pubSub        = "Pub/Sub"
	monitoring    = "Cloud Monitoring"
	tokens        = "token endpoint"
	openID        = "OpenID Connect"
	gemini        = "Gemini API"
	ownProbe      = "probe URL"
)

// counted are the services, by API, whose calls quotas may hold up.
var counted = map[string]string{
	secretManager: "/google.cloud.secretmanager.v1.SecretManagerService/",
	iamAdmin:      "/google.iam.admin.v1.IAM/",
	apiKeysAPI:    "/google.api.apikeys.v2.ApiKeys/",
}

// tally counts calls by API and method.
type tally map[[2]string]int

func (t tally) add(api string, methods ...string) {
	for _, m := range methods {
		t[[2]string{api, m}]++
	}
}

// calls are the calls, in the order of their names.
func (t tally) calls() []Call {
	all := []Call{}
	for m, n := range t {
		c := Call{API: m[0], Method: m[1], Calls: n}
		if service, ok := counted[c.API]; ok {
			c.Kind, _ = gcp.QuotaOf(service + c.Method)
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Call) int { return cmp.Or(cmp.Compare(a.API, b.API), cmp.Compare(a.Method, b.Method)) })
	return all
}

// outlook foretells the remote calls of the steps that one trigger takes. It counts
// what is called when all goes well; a test holds it to what is called then.
type outlook struct {
	cred  rotation.Credential
	fresh bool // nothing was ever staged, so that the staging sibling has to be made
	tried bool // the key in use was tested by this trigger
	// examined says that the test was for the sake of evidence.
	examined bool
	tally
}

// step adds the calls of a step, and returns them alone.
func (o *outlook) step(s rotation.Step) tally {
	own := *o
	own.tally = tally{}
	own.count(s)
	if _, told := milestones[s.Action]; told {
		own.add(pubSub, "Publish")
	}
	sum := o.tally
	for m, n := range own.tally {
		sum[m] += n
	}
	*o = own
	o.tally = sum
	return own.tally
}

func (o *outlook) count(s rotation.Step) {
	switch s.Action {
	case rotation.Stage:
		o.stages()
	case rotation.Publish:
		o.publishes(s.Key)
	case rotation.Verify:
		o.verifies()
	case rotation.Promote:
		o.promotes(s.Key)
	case rotation.Examine:
		o.add(monitoring, "ListTimeSeries")
		if o.cred.Kind == rotation.APIKey {
			o.add(apiKeysAPI, "GetKey", "GetKey") // Cloud Monitoring knows keys by their uid
		}
		o.examined = o.examined || !o.tried
		o.tries()
	case rotation.Disable, rotation.Delete, rotation.Restore, rotation.Recall:
		o.retires(s)
	case rotation.Unstage:
		o.add(secretManager, "DestroySecretVersion", "AccessSecretVersion")
	case rotation.Suspend:
		o.add(iamAdmin, "GetServiceAccount", "DisableServiceAccount")
		o.add(secretManager, "UpdateSecret")
	case rotation.Reinstate:
		o.add(iamAdmin, "EnableServiceAccount")
	}
}

// stages stores a private half.
func (o *outlook) stages() {
	o.add(secretManager, "AddSecretVersion")
	if o.fresh {
		o.add(secretManager, "CreateSecret", "AddSecretVersion")
		o.fresh = false
	}
}

// publishes makes a key, and tries it for the first time, which mostly is too early.
func (o *outlook) publishes(k rotation.Key) {
	if o.cred.Kind == rotation.APIKey {
		o.add(apiKeysAPI, "GetKey", "GetKey", "CreateKey", "GetKeyString")
		o.add(gemini, "GET /v1beta/models")
		return
	}
	o.add(iamAdmin, "ListServiceAccountKeys")
	o.add(tokens, "POST /token")
	if k.Mode == rotation.Create {
		o.add(iamAdmin, "CreateServiceAccountKey")
		o.stages()
		return
	}
	o.add(iamAdmin, "UploadServiceAccountKey")
}

func (o *outlook) verifies() {
	if o.cred.Kind == rotation.APIKey {
		o.add(apiKeysAPI, "GetKeyString")
	} else {
		o.add(secretManager, "AccessSecretVersion")
	}
	o.probes()
}

// probes authenticates with a key.
func (o *outlook) probes() {
	switch {
	case o.cred.Kind == rotation.APIKey:
		o.add(gemini, "GET /v1beta/models")
	default:
		o.add(tokens, "POST /token")
	}
	switch {
	case o.cred.Policy.ProbeURL != "":
		o.add(ownProbe, "GET")
	case o.cred.Kind == rotation.ServiceAccountKey:
		o.add(openID, "GET /v1/userinfo")
	}
}

func (o *outlook) promotes(k rotation.Key) {
	o.tried = false // it is another one now
	o.add(secretManager, "AddSecretVersion")
	if o.cred.Kind == rotation.APIKey {
		o.add(apiKeysAPI, "GetKey", "GetKey", "GetKeyString")
	}
	if o.cred.Kind == rotation.ServiceAccountKey && !k.Back {
		o.add(secretManager, "DestroySecretVersion") // of the staging sibling
	}
}

// tries authenticates with the key in use, once for each trigger.
func (o *outlook) tries() {
	if o.tried {
		return
	}
	o.tried = true
	o.add(secretManager, "AccessSecretVersion", "UpdateSecret")
	o.probes()
}

// retires takes an old key a step out, or brings it back.
func (o *outlook) retires(s rotation.Step) {
	if (s.Action == rotation.Disable || s.Action == rotation.Delete) && !s.Key.Revoked {
		o.add(secretManager, "ListSecretVersions", "AccessSecretVersion") // does anybody still get it?
		o.tries()
	}
	of := map[rotation.Action]string{rotation.Disable: "Disable", rotation.Delete: "Delete", rotation.Restore: "Enable", rotation.Recall: "Enable"}[s.Action]
	version := map[rotation.Action]string{rotation.Disable: "Disable", rotation.Delete: "Destroy", rotation.Restore: "Enable", rotation.Recall: "Enable"}[s.Action]
	switch {
	case o.cred.Kind == rotation.ServiceAccountKey:
		o.add(iamAdmin, of+"ServiceAccountKey")
	case s.Action == rotation.Delete:
		o.add(apiKeysAPI, "DeleteKey")
	default: // there is no disabling: it is restricted to nobody
		o.add(apiKeysAPI, "GetKey", "UpdateKey")
	}
	for range s.Key.Versions() {
		o.add(secretManager, version+"SecretVersion")
	}
}

// trigger adds what every trigger does: it reads the secret, takes the lease or notes
// what it begins, and writes what came of it. The lease and the test of the key in
// use are written together, unless the test comes before.
func (o *outlook) trigger() {
	o.add(secretManager, "GetSecret", "UpdateSecret")
	if !o.tried || o.examined {
		o.add(secretManager, "UpdateSecret")
	}
}
