package oauth

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp/iam/directory"
)

func TestIdentityTokensAreShownAgainForAMinute(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_900_000_000, 0)
	s := &Server{now: func() time.Time { return now }, signing: func() (signingKey, error) { return signingKey{id: "k", private: key}, nil }}
	token := func(id, audience string) string {
		t.Helper()
		got, err := s.identityToken(directory.Account{UniqueID: id, Email: id + "@p.iam.gserviceaccount.com"}, audience)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := token("1", "https://a")
	now = now.Add(reuse - 1)
	if token("1", "https://a") != first || token("1", "https://b") == first || token("2", "https://a") == first {
		t.Error("a token is shown by or to somebody else, or not again")
	}
	now = now.Add(1)
	if token("1", "https://a") == first {
		t.Error("a token is shown again after a minute")
	}
	for i := range maxIssued {
		s.issued.tokens[shown{"1", fmt.Sprint(i)}] = issue{}
	}
	if token("3", "https://a"); len(s.issued.tokens) != 1 {
		t.Errorf("%d tokens are kept", len(s.issued.tokens))
	}
}

func TestIdentityTokenThatCannotBeSigned(t *testing.T) {
	s := &Server{now: time.Now, signing: func() (signingKey, error) { return signingKey{}, fmt.Errorf("no entropy") }}
	if _, err := s.identityToken(directory.Account{}, "https://a"); err == nil || len(s.issued.tokens) != 0 {
		t.Errorf("error %v, %d tokens kept", err, len(s.issued.tokens))
	}
}
