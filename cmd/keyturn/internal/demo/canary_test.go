package demo

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
)

// keyFile is a service-account key file with a new key.
func keyFile(t *testing.T) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return asJSON(t, map[string]string{
		"type": "service_account", "private_key_id": "0123456789abcdef0123456789abcdef01234567",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
}

func asJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCanariesCatchLeaks(t *testing.T) {
	const token = "a-token-that-looks-like-nothing"
	file := keyFile(t)
	lines := secretsIn(file)
	for name, tt := range map[string]struct {
		output string
		want   int
	}{
		"nothing":                         {"all is well", 0},
		"no output":                       {"", 0},
		"a token":                         {`level=info msg="got ` + token + `"`, 1},
		"a token twice":                   {token + " " + token, 1},
		"a token at the very end":         {"x" + token, 1},
		"most of a token":                 {token[:len(token)-1], 0},
		"a short secret":                  {"password: hunter2.", 1},
		"one line of a private key":       {"?" + lines[3] + "?", 1},
		"a private key inside JSON twice": {string(asJSON(t, map[string]string{"log": string(asJSON(t, string(file)))})), len(lines) + 1}, // and its PEM header
		"an access token never seen":      {"Bearer ya29.c.0123456789abcdefXYZ", 0},
		"an access token of Google's":     {"Bearer ya29.0123456789abcdefXYZ", 1},
		"an API key never seen":           {"?key=AIzaSyA0123456789abcdefghijklmnopqrstuv", 1},
		"a signed token never seen":       {"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.0123456789abcdefghij-_", 1},
		"an RSA key never seen":           {"-----BEGIN RSA PRIVATE KEY-----", 1},
		"a public key":                    {"-----BEGIN PUBLIC KEY-----", 0},
	} {
		t.Run(name, func(t *testing.T) {
			var c canaries
			c.add(token)
			c.add("hunter2")
			for _, s := range lines {
				c.add(s)
			}
			if _, err := c.Write([]byte(tt.output)); err != nil {
				t.Fatal(err)
			}
			known, leaked := c.tally()
			if leaked != tt.want || known != len(lines)+2 {
				t.Errorf("%d of %d secrets leaked, want %d of %d", leaked, known, tt.want, len(lines)+2)
			}
		})
	}
}

func TestALeakAcrossTwoWritesCounts(t *testing.T) {
	var c canaries
	c.add("0123456789abcdefghij")
	for _, part := range []string{"x0123456789", "abcdefghijx"} {
		if _, err := c.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if _, leaked := c.tally(); leaked != 1 {
		t.Errorf("%d secrets leaked, want 1", leaked)
	}
}

func TestListenLearnsEveryStoredPayload(t *testing.T) {
	var c canaries
	for _, payload := range []string{"AIzaSyString\n", string(keyFile(t))} {
		f := c.listen("", &secretmanagerpb.AddSecretVersionRequest{Payload: &secretmanagerpb.SecretPayload{Data: []byte(payload)}})
		if f.Before != nil || f.After != nil || f.Delay != 0 {
			t.Errorf("a fault was injected: %v", f)
		}
	}
	c.listen("", &secretmanagerpb.GetSecretRequest{Name: "projects/p/secrets/no-payload"})
	if !c.secrets["AIzaSyString"] || len(c.secrets) < 20 {
		t.Errorf("%d secrets were learnt", len(c.secrets))
	}
}

func TestSecretsIn(t *testing.T) {
	for name, tt := range map[string]struct {
		payload string
		want    int
	}{
		"an API key":                 {"AIzaSy", 1},
		"a JSON object with no key":  {`{"a":1}`, 1},
		"a key file without a body":  {`{"private_key":"x"}`, 0},
		"a key file with one line":   {`{"private_key":"` + strings.Repeat("a", 64) + `"}`, 0},
		"a key file with four lines": {`{"private_key":"` + strings.Repeat(strings.Repeat("a", 64)+`\n`, 4) + `"}`, 3},
	} {
		if got := secretsIn([]byte(tt.payload)); len(got) != tt.want {
			t.Errorf("%s: %d secrets, want %d", name, len(got), tt.want)
		}
	}
}
