package demo

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/cmd/keyturn/internal/keyfile"
)

// consumer is a program that uses a credential all the time. It reads the
// secret anew every refresh of policy time, as programs that know nothing of
// rotation do, and knows no other recovery than to read it once more.
type consumer struct {
	secret  string // projects/P/secrets/S
	version string // latest or current
	isKey   bool   // an API key, not a service-account key
	world   *stage

	fetched atomic.Int64 // policy time of the last refresh, Unix nanoseconds
	header  [2]string    // the credential as an HTTP header
}

// refresh is how old a consumer lets what it read become, in policy time. It is
// far below the overlap, as every caching consumer's must be.
const refresh = time.Hour

// pace is how often a consumer calls at most.
const pace = 50 * time.Millisecond

// breather is how many calls in a row a consumer leaves out at most while the
// functions are behind: each call is logged, and a slow machine would never catch up
// with them all.
const breather = 10

// ledger counts what all consumers met.
type ledger struct {
	requests, failed, reloaded atomic.Int64
	mu                         sync.Mutex
	problems                   []string // the first few
}

func (l *ledger) fail(c *consumer, err error) {
	l.failed.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.problems) < 5 {
		l.problems = append(l.problems, fmt.Sprintf("reader of %s of %s: %v", c.version, c.secret, err))
	}
}

// run calls until ctx ends.
func (c *consumer) run(ctx context.Context) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	left := 0
	for {
		if left == breather || c.age() >= refresh || c.world.Cloud.Idle() {
			c.request(ctx)
			left = 0
		} else {
			left++
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// request makes one request, and a second one with what the secret holds by
// then if the first is refused.
func (c *consumer) request(ctx context.Context) {
	err := c.once(ctx, c.age() >= refresh)
	if err != nil && ctx.Err() == nil {
		if err = c.once(ctx, true); err == nil {
			c.world.ledger.reloaded.Add(1)
		}
	}
	if ctx.Err() != nil {
		return
	}
	c.world.ledger.requests.Add(1)
	if err != nil {
		c.world.ledger.fail(c, err)
	}
}

func (c *consumer) age() time.Duration {
	return c.world.clock.Now().Sub(time.Unix(0, c.fetched.Load()))
}

func (c *consumer) once(ctx context.Context, reread bool) error {
	var err error
	if reread {
		err = c.load(ctx)
	}
	if err == nil {
		err = c.call(ctx)
	}
	if err != nil {
		fmt.Fprintln(&c.world.canaries, err) // programs log their errors
	}
	return err
}

// load reads the secret and turns it into a header.
func (c *consumer) load(ctx context.Context) error {
	now := c.world.clock.Now()
	payload, err := c.world.payload(ctx, c.secret, c.version)
	if err != nil {
		return err
	}
	if c.isKey {
		c.header = [2]string{"X-Goog-Api-Key", string(payload)}
	} else {
		token, err := keyfile.Mint(ctx, c.world.http, payload)
		if err != nil {
			return err
		}
		c.world.canaries.add(token)
		c.header = [2]string{"Authorization", "Bearer " + token}
	}
	c.fetched.Store(now.UnixNano())
	return nil
}

// payload is what a version of a secret holds, by number or alias.
func (s *stage) payload(ctx context.Context, secret, version string) ([]byte, error) {
	v, err := s.secrets.AccessSecretVersion(ctx, &secretmanagerpb.AccessSecretVersionRequest{Name: secret + "/versions/" + version})
	return v.GetPayload().GetData(), err
}

// dead is an error, about what is called key, unless Google refuses the key file: that
// a token could not be had for another reason proves nothing.
func (s *stage) dead(ctx context.Context, key string, file []byte) error {
	if _, err := keyfile.Mint(ctx, s.http, file); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		return fmt.Errorf("%s still mints tokens (error %v)", key, err)
	}
	return nil
}

const generate = `{"contents":[{"parts":[{"text":"ping"}]}]}`

func (c *consumer) call(ctx context.Context) error {
	url := c.world.URL() + "/v1beta/models/gemini-2.5-flash:generateContent"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(generate))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(c.header[0], c.header[1])
	return c.world.send(req)
}

// startConsumers gives every credential one reader of latest and one of
// current. The returned function ends them.
func (s *stage) startConsumers(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for _, cred := range s.credentials {
		for _, version := range []string{"latest", "current"} {
			c := &consumer{secret: cred.secret, version: version, isKey: cred.apiKey != "", world: s}
			s.consumers = append(s.consumers, c)
			wg.Go(func() { c.run(ctx) })
		}
	}
	return func() { cancel(); wg.Wait() }
}

// oldest is the age of what the consumer that was scheduled least has in hand.
func (s *stage) oldest() time.Duration {
	var worst time.Duration
	for _, c := range s.consumers {
		worst = max(worst, c.age())
	}
	return worst
}
