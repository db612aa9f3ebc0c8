package localgcp

import (
	"crypto/rsa"
	"io"
	"time"

	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/pubsub"
	"example.com/keyturn/internal/localgcp/quota"
)

// Config says what cloud to embed.
type Config struct {
	Addr        string        // loopback host:port; port 0 picks a free one
	ProjectID   string        // the one project
	Clock       *clock.Clock  // policy time; required
	KeyLag      time.Duration // how long new keys take to be known, and disabled ones to be refused; zero is not at all
	EventualLag time.Duration // how long Secret Manager's eventually consistent reads lag; zero is not at all
	MetricLag   time.Duration // how long after its end a metric's point can be read; zero is not at all, Google's is some minutes to hours
	DataAccess  bool          // whether Data Access audit logs are on, which at Google they are not by default

	// AllowBoundAPIKeys lifts iam.managed.disableServiceAccountApiKeyCreation, by
	// which organisations forbid API keys that are bound to a service account. What
	// they forbid about the accounts' own keys is set by IAM.SetOrgPolicy.
	AllowBoundAPIKeys bool

	// AgentsNeedGrants has Secret Manager's own account, and those that log sinks
	// write as, publish only to topics that they may publish to, as at Google.
	AgentsNeedGrants bool

	// RefusalsUncounted leaves the use of disabled, deleted and expired keys out of
	// the metrics; see iam.Config.
	RefusalsUncounted bool

	// Quotas are enforced for each project and minute of wall time. Nil is none;
	// GoogleQuotas has Google's.
	Quotas quota.Limits
	// Wall is the wall time of the quotas, and of nothing else: tokens are of the
	// machine's. Nil is time.Now.
	Wall func() time.Time

	// Programs is the directory in which functions that are deployed are built and run,
	// and which has to be there. Empty refuses deployments.
	Programs string
	// Printed gets what they print, besides Cloud Logging, from several at once. Nil is
	// nobody.
	Printed io.Writer

	// Watcher is told what becomes of the messages of Pub/Sub. Nil: nobody is.
	Watcher pubsub.Watcher

	// Random is where every id, key string and token comes from, so that a
	// simulation that makes its calls one after the other repeats itself. It must
	// not end. Nil is crypto/rand.
	Random io.Reader
	// Pair makes the pairs of the service-account keys that are created, whatever
	// size was asked for. Nil generates RSA 2048, which is what a create costs.
	Pair func() (*rsa.PrivateKey, error)
}

// GoogleQuotas are Google's calls per minute for a project that asked for no more.
func GoogleQuotas() quota.Limits { return quota.Google() }
