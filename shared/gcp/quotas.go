package gcp

import (
	"path"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// class is a kind of calls that Google counts together.
type class string

const (
	reads    class = "read"
	writes   class = "write"
	accesses class = "access" // of the payloads of secrets
)

// service is an API as Google counts its calls.
type service struct {
	name      string
	perMinute map[class]int // Google's quota for each project
}

// serviceOf is the API of a full gRPC method. Of the APIs that are not here no
// call has to wait: nothing that keyturn does comes near their quotas.
func serviceOf(method string) service {
	switch strings.TrimPrefix(path.Dir(method), "/") {
	case "google.iam.admin.v1.IAM":
		return service{"IAM", map[class]int{reads: 6000, writes: 600}}
	case "google.cloud.secretmanager.v1.SecretManagerService":
		return service{"Secret Manager", map[class]int{accesses: 90_000, reads: 600, writes: 600}}
	case "google.api.apikeys.v2.ApiKeys", "google.longrunning.Operations": // only API Keys has operations
		return service{"API Keys", map[class]int{reads: 240, writes: 120}}
	}
	return service{}
}

// QuotaOf tells, of a full gRPC method, as what Google counts it ("read", "write" or
// "access"), and how many of those a minute keyturn allows itself for each project,
// which is half of Google's quota; zero where there is no limit.
func QuotaOf(method string) (kind string, perMinute int) {
	c := classOf(method)
	return string(c), serviceOf(method).perMinute[c] / 2
}

func classOf(method string) class {
	switch verb := path.Base(method); {
	case verb == "AccessSecretVersion":
		return accesses
	case strings.HasPrefix(verb, "Get"), strings.HasPrefix(verb, "List"), strings.HasPrefix(verb, "Test"), strings.HasPrefix(verb, "Query"):
		return reads
	}
	return writes
}

// bucket is what one of Google's quotas counts.
type bucket struct {
	service string
	class   class
	project string
}

// quotas keep calls at half of Google's quotas: the other half is for whoever
// else is calling. A burst may use ten seconds' worth at once.
type quotas struct {
	now    func() time.Time // wall time
	steady bool             // a burst may use one second's worth only, and no minute sees more than half

	mu       sync.Mutex
	limiters map[bucket]*rate.Limiter
}

func newQuotas(now func() time.Time) *quotas {
	return &quotas{now: now, limiters: map[bucket]*rate.Limiter{}}
}

// reserve takes the next free turn for a call and tells how long it is until
// then. A caller that does not wait gives it back.
func (q *quotas) reserve(method, project string) (wait time.Duration, giveBack func()) {
	s, c := serviceOf(method), classOf(method)
	google := s.perMinute[c]
	if google == 0 {
		return 0, func() {}
	}
	now := q.now()
	r := q.limiter(bucket{s.name, c, project}, float64(google)/2).ReserveN(now, 1)
	return r.DelayFrom(now), func() { r.CancelAt(q.now()) }
}

func (q *quotas) limiter(b bucket, perMinute float64) *rate.Limiter {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.limiters[b]
	if l == nil {
		perSecond, burst := perMinute/60, 10.0
		if q.steady {
			perSecond, burst = perMinute/61, 1
		}
		l = rate.NewLimiter(rate.Limit(perSecond), max(1, int(burst*perSecond)))
		q.limiters[b] = l
	}
	return l
}
