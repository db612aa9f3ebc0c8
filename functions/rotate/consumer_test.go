package rotate

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2/google"
)

// numbered hands out the pairs of a stock in order, for one world.
type numbered struct{ n atomic.Int64 }

func (p *numbered) pair() (*rsa.PrivateKey, error) { return pairs.at(int(p.n.Add(1) - 1)) }

// pairs is a stock of RSA pairs for all worlds of the process: making one takes
// longer than a whole rotation. They are small; nobody attacks them.
var pairs stock

// stock grows by need and never changes what it once handed out.
type stock struct {
	mu   sync.Mutex
	made []*rsa.PrivateKey
}

func (s *stock) at(n int) (*rsa.PrivateKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.made) <= n {
		k, err := rsa.GenerateKey(rand.Reader, 1024)
		if err != nil {
			return nil, err
		}
		s.made = append(s.made, k)
	}
	return s.made[n], nil
}

// consumer uses a credential as it was handed out when it last looked.
type consumer struct {
	*env
	secret  string
	payload []byte
	agent   string
	ip      string
}

// consumer has read latest.
func (e *env) consumer(secret string) *consumer {
	e.Helper()
	c := &consumer{env: e, secret: secret, agent: "payroll/2.1", ip: "10.1.2.3"}
	c.move()
	return c
}

// move reads latest again.
func (c *consumer) move() {
	c.Helper()
	c.payload = c.env.payload(c.secret, "latest")
}

// use calls the guarded API, for a service account with a fresh token, and
// reports whether it was let in.
func (c *consumer) use() bool {
	c.Helper()
	if !strings.HasPrefix(string(c.payload), "{") {
		return c.call("X-Goog-Api-Key", string(c.payload), c.agent, c.ip) == http.StatusOK
	}
	token := c.token()
	return token != "" && c.present(token)
}

// token mints an access token; empty if it is refused.
func (c *consumer) token() string {
	c.Helper()
	conf, err := google.JWTConfigFromJSON(c.payload, "https://www.googleapis.com/auth/cloud-platform")
	must(c.T, err)
	conf.TokenURL = c.gcp.URL() + "/token"
	token, err := conf.TokenSource(c.ctx).Token()
	if err != nil {
		return ""
	}
	return token.AccessToken
}

// present calls the guarded API with a token. The account has no role there: to
// be denied for that is to be known.
func (c *consumer) present(token string) bool {
	c.Helper()
	return c.call("Authorization", "Bearer "+token, c.agent, c.ip) == http.StatusForbidden
}

// every uses the credential at each interval until the duration is over.
func (c *consumer) every(interval, until time.Duration) {
	c.Helper()
	for range until / interval {
		c.clock.Advance(interval)
		if !c.use() {
			c.Fatalf("a consumer is refused at %v", c.clock.Now())
		}
	}
}

// call is one of the guarded API, with a credential in a header.
func (e *env) call(header, credential, agent, ip string) (code int) {
	e.Helper()
	req, err := http.NewRequestWithContext(e.ctx, http.MethodGet, e.gcp.URL()+"/v1beta/models?pageSize=1", nil)
	must(e.T, err)
	req.Header.Set(header, credential)
	req.Header.Set("User-Agent", agent)
	req.Header.Set("X-Forwarded-For", ip)
	resp, err := http.DefaultClient.Do(req)
	must(e.T, err)
	must(e.T, resp.Body.Close())
	return resp.StatusCode
}
