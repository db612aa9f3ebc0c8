package jwt

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"sync"
	"testing"
)

// signingKey is small: these tests are about the form, not the strength.
var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		panic(err)
	}
	return key
})

func sign(t testing.TB, claims any) string {
	t.Helper()
	compact, err := Sign(claims, "kid-1", signingKey())
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

func TestSignedTokenReadsBackAndVerifies(t *testing.T) {
	want := Claims{Issuer: "i", Subject: "s", Audience: "a", Email: "e", EmailVerified: true, IssuedAt: 10, Expires: 20}
	tok, err := Parse(sign(t, want))
	if err != nil {
		t.Fatal(err)
	}
	if tok.Claims != want || tok.KeyID != "kid-1" {
		t.Errorf("read back %+v, kid %q", tok.Claims, tok.KeyID)
	}
	if !tok.VerifiedBy(&signingKey().PublicKey) {
		t.Error("token is not verified by the key that signed it")
	}
	other, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	if tok.VerifiedBy(&other.PublicKey) {
		t.Error("token is verified by a key that did not sign it")
	}
}

func TestChangedTokenIsNotVerified(t *testing.T) {
	compact := sign(t, Claims{Issuer: "rot@p.iam.gserviceaccount.com"})
	parts := strings.Split(compact, ".")
	parts[1] = encode([]byte(`{"iss":"eve@p.iam.gserviceaccount.com"}`))
	tok, err := Parse(strings.Join(parts, "."))
	if err != nil {
		t.Fatal(err)
	}
	if tok.VerifiedBy(&signingKey().PublicKey) {
		t.Error("token with other claims is verified")
	}
}

func TestParseRefuses(t *testing.T) {
	head := encode([]byte(`{"alg":"RS256"}`))
	for name, compact := range map[string]string{
		"nothing":            "",
		"two parts":          head + ".e30",
		"four parts":         head + ".e30.c2ln.c2ln",
		"no base64 header":   "?.e30.c2ln",
		"no JSON header":     encode([]byte("x")) + ".e30.c2ln",
		"algorithm none":     encode([]byte(`{"alg":"none"}`)) + ".e30.",
		"algorithm HS256":    encode([]byte(`{"alg":"HS256"}`)) + ".e30.c2ln",
		"no base64 claims":   head + ".?.c2ln",
		"claims not JSON":    head + "." + encode([]byte("[")) + ".c2ln",
		"two audiences":      head + "." + encode([]byte(`{"aud":["a","b"]}`)) + ".c2ln",
		"audience a number":  head + "." + encode([]byte(`{"aud":1}`)) + ".c2ln",
		"time a word":        head + "." + encode([]byte(`{"exp":"soon"}`)) + ".c2ln",
		"time out of range":  head + "." + encode([]byte(`{"exp":1e300}`)) + ".c2ln",
		"no base64 sig":      head + ".e30.?",
		"longer than a page": head + "." + strings.Repeat("e", MaxSize) + ".c2ln",
	} {
		if tok, err := Parse(compact); !errors.Is(err, ErrMalformed) || tok != nil {
			t.Errorf("%s: token %v, error %v", name, tok, err)
		}
	}
}

func TestSignRefusesClaimsThatAreNoJSON(t *testing.T) {
	if _, err := Sign(make(chan int), "", signingKey()); err == nil {
		t.Error("no error")
	}
	if _, err := Sign(Claims{}, "", &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: big.NewInt(15), E: 3}}); err == nil {
		t.Error("no error for an unusable key")
	}
}

func TestAudienceMayBeAListOfOneAndTimesFractions(t *testing.T) {
	var c Claims
	if err := json.Unmarshal([]byte(`{"aud":["a"],"iat":1.9}`), &c); err != nil {
		t.Fatal(err)
	}
	if c.Audience != "a" || c.IssuedAt != 1 || c.IssuedAt.Time().Unix() != 1 {
		t.Errorf("read %+v", c)
	}
}

func TestKeyHoldsThePublicHalf(t *testing.T) {
	pub := &signingKey().PublicKey
	k := NewKey("id", pub)
	n, err := decode(k.Modulus)
	if err != nil {
		t.Fatal(err)
	}
	e, err := decode(k.Exponent)
	if err != nil {
		t.Fatal(err)
	}
	if new(big.Int).SetBytes(n).Cmp(pub.N) != 0 || new(big.Int).SetBytes(e).Int64() != int64(pub.E) {
		t.Errorf("key %+v does not hold the public half", k)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sign(f, Claims{Issuer: "i", Audience: "a", IssuedAt: 1, Expires: 2}))
	f.Add("e30.e30.e30")
	f.Add(encode([]byte(`{"alg":"RS256"}`)) + "." + encode([]byte(`{"aud":["a"],"iat":1e9}`)) + ".")
	f.Fuzz(func(t *testing.T, compact string) {
		tok, err := Parse(compact)
		if err != nil {
			if tok != nil || !errors.Is(err, ErrMalformed) {
				t.Fatalf("token %v with error %v", tok, err)
			}
			return
		}
		tok.VerifiedBy(&signingKey().PublicKey)
		again, err := Parse(sign(t, tok.Claims))
		if err != nil || again.Claims != tok.Claims {
			t.Fatalf("claims %+v do not survive signing: %+v, %v", tok.Claims, again, err)
		}
	})
}
