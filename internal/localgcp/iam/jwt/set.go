package jwt

import (
	"crypto/rsa"
	"math/big"
)

// Set is a JWKS document.
type Set struct {
	Keys []Key `json:"keys"`
}

// Key is one RSA key of a Set.
type Key struct {
	Type      string `json:"kty"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	ID        string `json:"kid"`
	Modulus   string `json:"n"`
	Exponent  string `json:"e"`
}

// NewKey describes pub for a Set.
func NewKey(id string, pub *rsa.PublicKey) Key {
	return Key{
		Type: "RSA", Use: "sig", Algorithm: "RS256", ID: id,
		Modulus:  encode(pub.N.Bytes()),
		Exponent: encode(big.NewInt(int64(pub.E)).Bytes()),
	}
}
