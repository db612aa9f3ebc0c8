package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp/iam/jwt"
)

// now is when all tokens are looked at.
var now = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

const audience = "https://europe-west3-acme.cloudfunctions.net/keyturn-rotate-http"

var pair = sync.OnceValue(func() *rsa.PrivateKey { return newPair() })

func newPair() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

// claimsOf are the claims of a right token, after a change.
func claimsOf(change map[string]any) map[string]any {
	c := map[string]any{
		"iss": "https://accounts.google.com", "aud": audience, "sub": "1", "email": "ada@example.com", "email_verified": true,
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	maps.Copy(c, change)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func sign(t testing.TB, change map[string]any) string {
	t.Helper()
	token, err := jwt.Sign(claimsOf(change), "k1", pair())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// craft makes a token with any header, signed by whatever signs.
func craft(t testing.TB, header map[string]any, by func(content string) []byte) string {
	t.Helper()
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	c, err := json.Marshal(claimsOf(nil))
	if err != nil {
		t.Fatal(err)
	}
	content := base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(c)
	return content + "." + base64.RawURLEncoding.EncodeToString(by(content))
}

// google publishes keys, as often as it is asked, and counts that.
type google struct {
	mu     sync.Mutex
	keys   map[string]*rsa.PublicKey
	header http.Header
	down   bool
	asked  int
	hold   chan struct{} // answers wait for its end; nil for nothing
}

func (g *google) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	g.mu.Lock()
	g.asked++
	hold, down, keys := g.hold, g.down, maps.Clone(g.keys)
	maps.Copy(w.Header(), g.header)
	g.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if down {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	set := jwt.Set{}
	for id, key := range keys {
		set.Keys = append(set.Keys, jwt.NewKey(id, key))
	}
	_ = json.NewEncoder(w).Encode(set)
}

func (g *google) set(change func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
}

func (g *google) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked
}

// world is a verifier of tokens for audience, and whose keys it goes by.
type world struct {
	*google
	*Verifier
	clock *time.Time
}

func newWorld(t testing.TB, unsigned bool) world {
	t.Helper()
	g := &google{keys: map[string]*rsa.PublicKey{"k1": &pair().PublicKey}, header: http.Header{"Cache-Control": {"public, max-age=3600, must-revalidate"}}}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	clock := now
	return world{g, New(Config{KeysURL: server.URL, Audiences: []string{audience}, Unsigned: unsigned, Now: func() time.Time { return clock }}), &clock}
}

func TestWhoseTokenItIs(t *testing.T) {
	w := newWorld(t, false)
	for name, change := range map[string]map[string]any{
		"plain":             nil,
		"the other issuer":  {"iss": "accounts.google.com"},
		"gcloud's":          {"aud": AudienceGcloud},
		"default login's":   {"aud": AudienceDefault},
		"a list of one":     {"aud": []string{audience}},
		"almost expired":    {"exp": now.Add(-skew / 2).Unix()},
		"almost valid":      {"nbf": now.Add(skew / 2).Unix(), "iat": now.Add(skew / 2).Unix()},
		"with other claims": {"google": map[string]any{"compute_engine": 1}, "hd": "example.com"},
	} {
		if got, err := w.Email(t.Context(), sign(t, change)); got != "ada@example.com" || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if n := w.count(); n != 1 {
		t.Errorf("the keys were fetched %d times", n)
	}
}

func TestTokensThatAreNotBelieved(t *testing.T) {
	w := newWorld(t, false)
	right, other := sign(t, nil), sign(t, map[string]any{"sub": "2"})
	content := right[:strings.LastIndex(right, ".")]
	der, err := x509.MarshalPKIXPublicKey(&pair().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	stranger := newPair()
	byStranger := func(id string) string {
		token, err := jwt.Sign(claimsOf(nil), id, stranger)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	hmacked := func(content string) []byte {
		mac := hmac.New(sha256.New, public)
		mac.Write([]byte(content))
		return mac.Sum(nil)
	}
	none := func(string) []byte { return nil }
	for name, tt := range map[string]struct {
		token string
		want  error
	}{
		"nothing":             {"", ErrMalformed},
		"garbage":             {"a.b.c", ErrMalformed},
		"two parts":           {content, ErrMalformed},
		"an access token":     {"ya29.c.b0AXv0zTPx", ErrMalformed},
		"too long":            {content + "." + strings.Repeat("A", maxToken), ErrMalformed},
		"none":                {craft(t, map[string]any{"alg": "none"}, none), ErrMalformed},
		"HS256 by public key": {craft(t, map[string]any{"alg": "HS256", "kid": "k1"}, hmacked), ErrMalformed},
		"with its own key":    {craft(t, map[string]any{"alg": "RS256", "jwk": jwt.NewKey("k1", &stranger.PublicKey)}, none), ErrUnknownKey},
		"critical":            {craft(t, map[string]any{"alg": "RS256", "kid": "k1", "crit": []string{"b64"}, "b64": false}, hmacked), ErrSignature},
		"no signature":        {content + ".", ErrSignature},
		"removed":             {content + "." + RemovedSignature, ErrUnsigned},
		"another's key":       {byStranger("k1"), ErrSignature},
		"an unknown key":      {byStranger("k2"), ErrUnknownKey},
		"no key":              {byStranger(""), ErrUnknownKey},
		"of another token":    {content + other[strings.LastIndex(other, "."):], ErrSignature},
		"expired":             {sign(t, map[string]any{"exp": now.Add(-2 * skew).Unix()}), ErrTime},
		"not valid yet":       {sign(t, map[string]any{"nbf": now.Add(2 * skew).Unix()}), ErrTime},
		"of the future":       {sign(t, map[string]any{"iat": now.Add(2 * skew).Unix()}), ErrTime},
		"for ever":            {sign(t, map[string]any{"exp": nil}), ErrTime},
		"from no time":        {sign(t, map[string]any{"iat": nil}), ErrTime},
		"times in words":      {sign(t, map[string]any{"exp": "tomorrow"}), ErrMalformed},
		"another audience":    {sign(t, map[string]any{"aud": audience + "x"}), ErrAudience},
		"no audience":         {sign(t, map[string]any{"aud": nil}), ErrAudience},
		"two audiences":       {sign(t, map[string]any{"aud": []string{audience, "https://evil.example"}}), ErrAudience},
		"another issuer":      {sign(t, map[string]any{"iss": "https://evil.example"}), ErrIssuer},
		"issued by itself":    {sign(t, map[string]any{"iss": "ada@acme.iam.gserviceaccount.com"}), ErrIssuer},
		"unverified":          {sign(t, map[string]any{"email_verified": false}), ErrEmail},
		"verified in words":   {sign(t, map[string]any{"email_verified": "true"}), ErrMalformed},
		"not said":            {sign(t, map[string]any{"email_verified": nil}), ErrEmail},
		"nobody":              {sign(t, map[string]any{"email": nil}), ErrEmail},
	} {
		got, err := w.Email(t.Context(), tt.token)
		if got != "" || !errors.Is(err, tt.want) {
			t.Errorf("%s: %q, %v, want %v", name, got, err, tt.want)
		}
	}
}

// TestRemovedSignature has only the signature be missing: the rest is looked at.
func TestRemovedSignature(t *testing.T) {
	w := newWorld(t, true)
	remove := func(token string) string { return token[:strings.LastIndex(token, ".")+1] + RemovedSignature }
	if got, err := w.Email(t.Context(), remove(sign(t, nil))); got != "ada@example.com" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for want, change := range map[error]map[string]any{
		ErrTime: {"exp": now.Add(-time.Hour).Unix()}, ErrAudience: {"aud": "x"}, ErrIssuer: {"iss": "x"}, ErrEmail: {"email_verified": false},
	} {
		if got, err := w.Email(t.Context(), remove(sign(t, change))); got != "" || !errors.Is(err, want) {
			t.Errorf("%q, %v, want %v", got, err, want)
		}
	}
	if n := w.count(); n != 0 {
		t.Errorf("the keys were fetched %d times", n)
	}
	for _, token := range []string{remove(sign(t, nil)) + "x", "." + RemovedSignature, ".." + RemovedSignature} {
		if got, err := w.Email(t.Context(), token); got != "" || err == nil {
			t.Errorf("%s: %q, %v", token, got, err)
		}
	}
	none := craft(t, map[string]any{"alg": "none"}, func(string) []byte { return nil })
	if got, err := w.Email(t.Context(), none+RemovedSignature); got != "" || !errors.Is(err, ErrMalformed) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestErrorsQuoteNoToken(t *testing.T) {
	w := newWorld(t, false)
	for _, token := range []string{"CANARY", "CANARY.CANARY.CANARY", sign(t, map[string]any{"iss": "CANARY"}), sign(t, map[string]any{"exp": "CANARY"}), craft(t, map[string]any{"alg": "CANARY"}, func(string) []byte { return nil })} {
		if _, err := w.Email(t.Context(), token); err == nil || strings.Contains(fmt.Sprint(err), "CANARY") {
			t.Errorf("error %v", err)
		}
	}
}

// FuzzEmail has nobody but Google make a token. What a token says is compared, as
// the last bits of base64 can be written in more than one way.
func FuzzEmail(f *testing.F) {
	w := newWorld(f, false)
	right := sign(f, nil)
	for _, seed := range []string{right, right + "=", strings.ToLower(right), "a.b.c", "..", craft(f, map[string]any{"alg": "none"}, func(string) []byte { return nil })} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		got, err := w.Email(t.Context(), token)
		if (got == "") != (err != nil) || err == nil && !strings.HasPrefix(token, right[:strings.LastIndex(right, ".")+1]) || err != nil && token == right {
			t.Errorf("%q, %v for %q", got, err, token)
		}
	})
}
