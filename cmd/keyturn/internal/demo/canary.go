package demo

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/internal/localgcp/fault"
)

// canaries are all the secrets that came up in a demo, and outputs everything
// that was written where somebody might read it. The two must not meet.
type canaries struct {
	mu      sync.Mutex
	secrets map[string]bool
	outputs bytes.Buffer
}

func (c *canaries) add(secret string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.secrets == nil {
		c.secrets = map[string]bool{}
	}
	c.secrets[secret] = true
}

// Write takes an output.
func (c *canaries) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.outputs.Write(p)
}

// listen is a fault hook that injects nothing and learns every payload that is
// stored in Secret Manager: key files, private halves, API key strings.
func (c *canaries) listen(_ string, req any) fault.Fault {
	if add, ok := req.(*secretmanagerpb.AddSecretVersionRequest); ok {
		for _, s := range secretsIn(add.GetPayload().GetData()) {
			c.add(s)
		}
	}
	return fault.Fault{}
}

// secretsIn finds what is secret in a payload: the body lines of a private key,
// which escaping leaves whole, or all of it.
func secretsIn(payload []byte) []string {
	var file struct {
		PrivateKey string `json:"private_key"`
	}
	if json.Unmarshal(payload, &file) != nil || file.PrivateKey == "" {
		return []string{strings.TrimSpace(string(payload))}
	}
	// The first line is the same for every RSA key of one size; the last is short.
	lines := slices.DeleteFunc(strings.Split(file.PrivateKey, "\n"), func(l string) bool { return len(l) != 64 })
	return lines[min(1, len(lines)):]
}

// leaks counts the secrets that an output holds.
func (c *canaries) leaks() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for s := range c.secrets {
		if bytes.Contains(c.outputs.Bytes(), []byte(s)) {
			n++
		}
	}
	return n
}
