// Package jwt signs, reads and verifies RS256 JSON Web Tokens in compact form,
// and publishes the keys that verify them as Google does.
package jwt

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// MaxSize is the longest token that Parse reads, in bytes.
const MaxSize = 16 << 10

// ErrMalformed says that a string is no RS256 JWT. It never quotes the token.
var ErrMalformed = errors.New("not an RS256 JSON Web Token")

// Token is a JWT that was read but not necessarily verified.
type Token struct {
	KeyID  string // the header's kid; may be empty
	Claims Claims

	signed    string // header.claims, as signed
	signature []byte
}

// Claims are the registered claims and those of Google's service accounts.
type Claims struct {
	Issuer         string   `json:"iss,omitempty"`
	Subject        string   `json:"sub,omitempty"`
	Audience       Audience `json:"aud,omitempty"`
	AuthorizedBy   string   `json:"azp,omitempty"`
	Email          string   `json:"email,omitempty"`
	EmailVerified  bool     `json:"email_verified,omitempty"`
	Scope          string   `json:"scope,omitempty"`           // separated by spaces
	TargetAudience string   `json:"target_audience,omitempty"` // of the identity token asked for
	IssuedAt       Time     `json:"iat,omitempty"`
	Expires        Time     `json:"exp,omitempty"`
}

// Audience is the aud claim: a string, or a list of one.
type Audience string

// UnmarshalJSON reads "aud" and ["aud"].
func (a *Audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = Audience(one)
		return nil
	}
	var list []string
	if err := json.Unmarshal(b, &list); err != nil || len(list) != 1 {
		return errors.New("aud is neither a string nor a list of one")
	}
	*a = Audience(list[0])
	return nil
}

// Time is seconds since 1970. Fractions, which some clients send, are cut off.
type Time int64

// UnmarshalJSON reads any JSON number within the years that time.Time can hold.
func (t *Time) UnmarshalJSON(b []byte) error {
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || math.Abs(f) > 1<<40 {
		return errors.New("time is not a number of seconds")
	}
	*t = Time(f)
	return nil
}

// Time returns t as a time; the zero Time is 1970.
func (t Time) Time() time.Time { return time.Unix(int64(t), 0) }

type header struct {
	Algorithm string `json:"alg"`
	Type      string `json:"typ,omitempty"`
	KeyID     string `json:"kid,omitempty"`
}

// Sign returns the compact token of claims, which is anything that marshals to
// a JSON object.
func Sign(claims any, keyID string, key *rsa.PrivateKey) (string, error) {
	h, err := json.Marshal(header{Algorithm: "RS256", Type: "JWT", KeyID: keyID})
	if err != nil {
		return "", fmt.Errorf("encoding the token's header: %w", err)
	}
	c, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encoding the token's claims: %w", err)
	}
	signed := encode(h) + "." + encode(c)
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		return "", fmt.Errorf("signing the token: %w", err)
	}
	return signed + "." + encode(signature), nil
}

// Parse reads a compact token without verifying it. The error is ErrMalformed.
func Parse(compact string) (*Token, error) {
	parts := strings.Split(compact, ".")
	if len(parts) != 3 || len(compact) > MaxSize {
		return nil, ErrMalformed
	}
	var h header
	t := &Token{signed: parts[0] + "." + parts[1]}
	if decodeJSON(parts[0], &h) != nil || h.Algorithm != "RS256" || decodeJSON(parts[1], &t.Claims) != nil {
		return nil, ErrMalformed
	}
	var err error
	if t.signature, err = decode(parts[2]); err != nil {
		return nil, ErrMalformed
	}
	t.KeyID = h.KeyID
	return t, nil
}

// VerifiedBy reports whether the private half of key signed the token.
func (t *Token) VerifiedBy(key *rsa.PublicKey) bool {
	digest := sha256.Sum256([]byte(t.signed))
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], t.signature) == nil
}

func decodeJSON(part string, v any) error {
	b, err := decode(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func decode(s string) ([]byte, error) { return base64.RawURLEncoding.Strict().DecodeString(s) }
