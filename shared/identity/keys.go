package identity

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"

	"example.com/keyturn/shared/lazyregexp"
)

// keysURL is where Google publishes the keys that sign identity tokens.
const keysURL = "https://www.googleapis.com/oauth2/v3/certs"

const (
	maxKeys   = 1 << 20          // bytes of a JWKS
	fetchTime = 5 * time.Second  // for one fetch
	pause     = 10 * time.Second // between two fetches, as strangers can cause them
	soon      = time.Second      // the same after a fetch that failed
	briefly   = 5 * time.Minute  // that keys are fresh if Google does not say how long
	atMost    = 24 * time.Hour   // that keys are fresh, whatever is said; and how long they are believed after that if nobody answers
)

// keySet holds Google's public keys. It fetches them when they are no longer
// fresh, or when a key is asked for that is not among them: once at a time, and
// with a pause between.
type keySet struct {
	url    string
	client *http.Client
	now    func() time.Time
	flight singleflight.Group

	mu    sync.Mutex
	keys  map[string]*rsa.PublicKey // by kid; guarded by mu, and never changed
	fresh time.Time                 // until when; guarded by mu
	next  time.Time                 // before which there is no other fetch; guarded by mu
}

func newKeySet(c Config) *keySet {
	s := &keySet{url: c.KeysURL, client: c.HTTP, now: c.Now}
	if s.url == "" {
		s.url = keysURL
	}
	if s.client == nil {
		s.client = &http.Client{Timeout: fetchTime}
	}
	return s
}

// key is Google's key of that id. A key that is known stays so for a day while
// the others cannot be fetched.
func (s *keySet) key(ctx context.Context, id string) (*rsa.PublicKey, error) {
	key, due := s.look(id)
	var err error
	if due {
		err = s.refresh(ctx)
		key, _ = s.look(id)
	}
	switch {
	case key != nil:
		return key, nil
	case err != nil || s.empty():
		return nil, ErrKeys
	}
	return nil, ErrUnknownKey
}

// look finds a key, nil if it is not known, and says whether to fetch them.
func (s *keySet) look(id string) (key *rsa.PublicKey, due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if now.Sub(s.fresh) < atMost {
		key = s.keys[id]
	}
	return key, (key == nil || now.After(s.fresh)) && !now.Before(s.next)
}

// paused reports whether there is to be no fetch now.
func (s *keySet) paused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now().Before(s.next)
}

func (s *keySet) empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.keys) == 0
}

// refresh waits until the keys were fetched by whoever does so, or ctx ends.
func (s *keySet) refresh(ctx context.Context) error {
	done := s.flight.DoChan("", func() (any, error) {
		if s.paused() { // they have come since this caller looked
			return nil, nil
		}
		return nil, s.fetch(context.WithoutCancel(ctx))
	})
	select {
	case result := <-done:
		return result.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fetch replaces the keys, or leaves them if it cannot.
func (s *keySet) fetch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	keys, life, err := s.get(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if err != nil {
		s.next = now.Add(soon)
		return err
	}
	s.keys, s.fresh, s.next = keys, now.Add(life), now.Add(pause)
	return nil
}

func (s *keySet) get(ctx context.Context) (map[string]*rsa.PublicKey, time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, 0, fmt.Errorf("fetching Google's keys: %w", err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, 0, fmt.Errorf("fetching Google's keys: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("fetching Google's keys: HTTP %d", resp.StatusCode)
	}
	keys, err := decodeKeys(io.LimitReader(resp.Body, maxKeys))
	return keys, lifetime(resp.Header), err
}

// decodeKeys reads the RSA keys of a JWKS; keys of other kinds are left out.
func decodeKeys(r io.Reader) (map[string]*rsa.PublicKey, error) {
	var set struct{ Keys []json.RawMessage }
	if err := json.NewDecoder(r).Decode(&set); err != nil {
		return nil, fmt.Errorf("decoding Google's keys: %w", err)
	}
	keys := map[string]*rsa.PublicKey{}
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(raw) != nil || k.Use != "sig" || k.KeyID == "" {
			continue
		}
		if public, ok := k.Key.(*rsa.PublicKey); ok {
			keys[k.KeyID] = public
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("decoding Google's keys: none of %d is an RSA key", len(set.Keys))
	}
	return keys, nil
}

var maxAge = lazyregexp.New(`(?:^|[ ,])max-age=(\d{1,9})(?:$|[ ,])`)

// lifetime is how long an answer is fresh by its header (RFC 9111, section 4.2).
func lifetime(h http.Header) time.Duration {
	said := maxAge.FindStringSubmatch(h.Get("Cache-Control"))
	if said == nil {
		return briefly
	}
	seconds, _ := strconv.Atoi(said[1]) // of nine digits at most
	age, err := strconv.Atoi(h.Get("Age"))
	if err != nil || age < 0 {
		age = 0
	}
	return min(max(time.Duration(seconds-age)*time.Second, 0), atMost)
}
