package bench

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/cmd/keyturn/internal/keyfile"
	"example.com/keyturn/shared/rotation"
)

// consumer is a program that uses a credential all the time and knows nothing of
// rotation. It keeps what it read of the secret for a while, and it does not
// read it again because a request failed: a request that fails has failed.
type consumer struct {
	bed     *bed
	cred    *credential
	version string        // latest or current
	keep    time.Duration // how long it uses what it read, in policy time; zero reads it for each request
	pace    time.Duration // how often it calls, by the machine's clock

	mu      sync.Mutex
	payload []byte
	read    time.Time // policy time
	token   string    // of a service-account key
	minted  time.Time // policy time

	requests, failed int64
	down             time.Time     // policy time of the first failure since the last success
	outage           time.Duration // the longest one
	problem          error         // the first one
}

const (
	// keepMost and keepLeast bound how long consumers use what they read.
	keepMost, keepLeast = time.Hour, 5 * time.Minute
	// tokenLife is how long consumers use a token: each of a program's workers
	// makes its own client, and with it its own token, much more often than the
	// hourly end of tokens would ask for.
	tokenLife = 20 * time.Minute
	// usualPace makes 100 consumers call more than 500 times a second.
	usualPace = 110 * time.Millisecond
)

// run calls until ctx ends.
func (c *consumer) run(ctx context.Context) {
	for ctx.Err() == nil {
		c.count(ctx, c.request(ctx))
		select {
		case <-ctx.Done():
		case <-time.After(c.pace/2 + rand.N(c.pace)):
		}
	}
}

// count notes how a request ended, unless the end of the measurement cut it off.
func (c *consumer) count(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	now := c.bed.clock.Now()
	c.requests++
	if err == nil {
		c.down = time.Time{}
		return
	}
	c.failed++
	if c.problem == nil {
		c.problem = fmt.Errorf("reader of %s of %s: %w", c.version, c.cred.secret, err)
	}
	if c.down.IsZero() {
		c.down = now
	}
	c.outage = max(c.outage, now.Sub(c.down))
}

func (c *consumer) request(ctx context.Context) error {
	header, err := c.header(ctx)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.bed.cloud.URL()+"/v1beta/models?pageSize=1", nil)
	if err != nil {
		return err
	}
	req.Header.Set(header[0], header[1])
	return c.bed.send(req)
}

// header is the credential as an HTTP header.
func (c *consumer) header(ctx context.Context) (header [2]string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.bed.clock.Now()
	if now.Sub(c.read) >= c.keep {
		v, err := c.bed.secrets.AccessSecretVersion(ctx, &secretmanagerpb.AccessSecretVersionRequest{Name: c.cred.secret + "/versions/" + c.version})
		if err != nil {
			return header, err
		}
		c.payload, c.token, c.read = v.GetPayload().GetData(), "", now
	}
	if c.cred.kind == rotation.APIKey {
		return [2]string{"X-Goog-Api-Key", string(c.payload)}, nil
	}
	if c.token == "" || now.Sub(c.minted) >= tokenLife {
		if c.token, err = keyfile.Mint(ctx, c.bed.http, c.payload); err != nil {
			return header, err
		}
		c.minted = now
	}
	return [2]string{"Authorization", "Bearer " + c.token}, nil
}

// age is how long ago the consumer read the secret, in policy time.
func (c *consumer) age(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return now.Sub(c.read)
}

// send makes a request that only success will do for.
func (b *bed) send(req *http.Request) error {
	resp, err := b.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("HTTP %d: %.120s", resp.StatusCode, body)
	}
	return err
}

// crowd is all consumers of a measurement.
type crowd []*consumer

// newCrowd gives every credential one reader of latest and one of current, each
// of which read the secret some time ago.
func (b *bed) newCrowd(credentials []*credential) crowd {
	var all crowd
	now := b.clock.Now()
	for _, cred := range credentials {
		for _, version := range []string{"latest", rotation.AliasCurrent} {
			keep := keepLeast + rand.N(keepMost-keepLeast)
			all = append(all, &consumer{bed: b, cred: cred, version: version, keep: keep, pace: usualPace, payload: cred.first.payload, read: now.Add(-rand.N(keep))})
		}
	}
	return all
}

// run lets all consumers work. The returned function ends them.
func (all crowd) run(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for _, c := range all {
		wg.Go(func() { c.run(ctx) })
	}
	return func() { cancel(); wg.Wait() }
}

// behind reports whether a consumer has used what it read for longer than it
// means to, because the machine did not let it run.
func (all crowd) behind(now time.Time) bool {
	for _, c := range all {
		if c.age(now) > c.keep+keepLeast*3 {
			return true
		}
	}
	return false
}
