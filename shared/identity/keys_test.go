package identity

import (
	"context"
	"crypto/rsa"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp/iam/jwt"
)

// by signs a right token that lives for days with the key of that id.
func by(t *testing.T, id string, key *rsa.PrivateKey) string {
	t.Helper()
	token, err := jwt.Sign(claimsOf(map[string]any{"exp": now.Add(100 * 24 * time.Hour).Unix()}), id, key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (w world) believes(t *testing.T, token string, want error) {
	t.Helper()
	if _, err := w.Email(t.Context(), token); !errors.Is(err, want) || (err == nil) != (want == nil) {
		t.Errorf("%v, want %v", err, want)
	}
}

func (w world) fetched(t *testing.T, want int) {
	t.Helper()
	if got := w.count(); got != want {
		t.Errorf("the keys were fetched %d times, want %d", got, want)
	}
}

func TestKeysAreKeptAsLongAsGoogleSays(t *testing.T) {
	w := newWorld(t, false)
	token := by(t, "k1", pair())
	w.believes(t, token, nil)
	*w.clock = now.Add(time.Hour)
	w.believes(t, token, nil)
	w.fetched(t, 1)
	*w.clock = now.Add(time.Hour + time.Second)
	w.believes(t, token, nil)
	w.fetched(t, 2)
}

func TestAKeyThatGoogleTookBackIsForgotten(t *testing.T) {
	w := newWorld(t, false)
	old, next := by(t, "k1", pair()), newPair()
	w.believes(t, old, nil)
	w.set(func() { w.google.keys = map[string]*rsa.PublicKey{"k2": &next.PublicKey} })
	*w.clock = now.Add(2 * time.Hour)
	w.believes(t, old, ErrUnknownKey)
	w.believes(t, by(t, "k2", next), nil)
	w.fetched(t, 2)
}

// TestANewKeyIsFound before the keys are old, and strangers cannot have them be
// fetched all the time.
func TestANewKeyIsFound(t *testing.T) {
	w := newWorld(t, false)
	next := newPair()
	w.believes(t, by(t, "k1", pair()), nil)
	for range 100 {
		w.believes(t, by(t, "k2", next), ErrUnknownKey)
	}
	w.fetched(t, 1)
	w.set(func() { w.google.keys["k2"] = &next.PublicKey })
	*w.clock = now.Add(pause)
	w.believes(t, by(t, "k2", next), nil)
	w.fetched(t, 2)
}

// TestOutageLocksNobodyOut whose key is known, for a day.
func TestOutageLocksNobodyOut(t *testing.T) {
	w := newWorld(t, false)
	token, stranger := by(t, "k1", pair()), by(t, "k2", newPair())
	w.believes(t, token, nil)
	w.set(func() { w.down = true })
	*w.clock = now.Add(2 * time.Hour)
	for range 100 {
		w.believes(t, token, nil)
	}
	w.fetched(t, 2)
	*w.clock = now.Add(2*time.Hour + soon)
	w.believes(t, stranger, ErrKeys)
	w.fetched(t, 3)
	*w.clock = now.Add(25 * time.Hour)
	w.believes(t, token, ErrKeys)
	w.set(func() { w.down = false })
	*w.clock = now.Add(25*time.Hour + soon)
	w.believes(t, token, nil)
}

func TestKeysThatNeverCame(t *testing.T) {
	w := newWorld(t, false)
	w.set(func() { w.down = true })
	w.believes(t, sign(t, nil), ErrKeys)
	w.believes(t, sign(t, nil), ErrKeys)
	w.fetched(t, 1)
	for name, url := range map[string]string{"nobody": "http://127.0.0.1:1", "no URL": "http://\x00"} {
		v := New(Config{KeysURL: url, Audiences: []string{audience}, Now: func() time.Time { return now }})
		if _, err := v.Email(t.Context(), sign(t, nil)); !errors.Is(err, ErrKeys) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestManyWaitForOneFetch, and whoever goes away does not take it from the others.
func TestManyWaitForOneFetch(t *testing.T) {
	w := newWorld(t, false)
	hold := make(chan struct{})
	w.set(func() { w.hold = hold })
	token := sign(t, nil)
	gone, leave := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	callers.Go(func() {
		if _, err := w.Email(gone, token); !errors.Is(err, ErrKeys) {
			t.Errorf("who left: %v", err)
		}
	})
	for w.count() == 0 {
		time.Sleep(time.Millisecond) // until the first is on its way
	}
	leave()
	callers.Wait()
	for range 100 {
		callers.Go(func() { w.believes(t, token, nil) })
	}
	close(hold)
	callers.Wait()
	w.fetched(t, 1)
}

func TestKeysThatAreNone(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON": "<html>", "nothing": `{}`, "a secret": `{"keys":[{"kty":"oct","kid":"a","use":"sig","k":"c2VjcmV0"}]}`,
		"for encryption": `{"keys":[{"kty":"RSA","kid":"a","use":"enc","n":"1w","e":"AQAB"}]}`, "nameless": `{"keys":[{"kty":"RSA","use":"sig","n":"1w","e":"AQAB"}]}`,
		"half": `{"keys":[{"kty":"RSA","kid":"a","use":"sig","n":"1w"}]}`, "no object": `{"keys":[7]}`,
	} {
		if keys, err := decodeKeys(strings.NewReader(text)); err == nil || keys != nil {
			t.Errorf("%s: %v, %v", name, keys, err)
		}
	}
}

func TestLifetime(t *testing.T) {
	for control, want := range map[string]time.Duration{
		"public, max-age=19800, must-revalidate, no-transform": 19800 * time.Second,
		"max-age=60": time.Minute, "private,max-age=1": time.Second, "": briefly, "no-store": briefly, "max-age=x": briefly, "s-max-age=9": briefly,
		"max-age=999999999": atMost, "max-age=9999999999": briefly, "max-age=0": 0,
	} {
		if got := lifetime(http.Header{"Cache-Control": {control}}); got != want {
			t.Errorf("%q: %v, want %v", control, got, want)
		}
	}
	for age, want := range map[string]time.Duration{"10": 50 * time.Second, "90": 0, "x": time.Minute, "-5": time.Minute} {
		if got := lifetime(http.Header{"Cache-Control": {"max-age=60"}, "Age": {age}}); got != want {
			t.Errorf("age %s: %v, want %v", age, got, want)
		}
	}
}

func TestGooglesOwnKeysAreTheDefault(t *testing.T) {
	v := New(Config{})
	if v.keys.url != "https://www.googleapis.com/oauth2/v3/certs" || v.keys.client.Timeout != fetchTime || v.now().IsZero() {
		t.Errorf("%+v", v.keys)
	}
}

func FuzzDecodeKeys(f *testing.F) {
	f.Add(`{"keys":[{"kty":"RSA","kid":"a","use":"sig","n":"1w","e":"AQAB"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := decodeKeys(strings.NewReader(text))
		if (err == nil) != (len(keys) > 0) {
			t.Errorf("%v, %v", keys, err)
		}
		for id, key := range keys {
			if id == "" || key == nil || key.N == nil {
				t.Errorf("%q: %v", id, key)
			}
		}
	})
}
