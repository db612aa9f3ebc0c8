package demo

import (
	"bytes"
	"encoding/json"
	"regexp"
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

// secretShapes are what Google's secrets look like, for those that the demo
// itself never sees, such as the tokens that the functions mint.
var secretShapes = []*regexp.Regexp{
	regexp.MustCompile(`ya29\.[\w-]{16,}`),                 // access tokens
	regexp.MustCompile(`AIza[\w-]{35}`),                    // API keys
	regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY`),    // private keys
	regexp.MustCompile(`eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{20,}`), // signed tokens
}

// tally counts the secrets that are known, and those among the outputs: known
// ones and what has a secret's shape.
func (c *canaries) tally() (known, leaked int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := map[string]bool{}
	for _, shape := range secretShapes {
		for _, s := range shape.FindAll(c.outputs.Bytes(), -1) {
			found[string(s)] = true
		}
	}
	c.search(func(secret string) { found[secret] = true })
	return len(c.secrets), len(found)
}

// head is how much of a secret tells it from most other text.
const head = 16

// search reports each known secret that the outputs hold, in one pass over
// them: there are thousands of secrets and megabytes of outputs.
func (c *canaries) search(found func(secret string)) {
	text := c.outputs.Bytes()
	byHead := map[string][]string{}
	for s := range c.secrets {
		if len(s) >= head {
			byHead[s[:head]] = append(byHead[s[:head]], s)
		} else if bytes.Contains(text, []byte(s)) {
			found(s)
		}
	}
	for i := range max(len(text)-head+1, 0) {
		for _, s := range byHead[string(text[i:i+head])] {
			if bytes.HasPrefix(text[i:], []byte(s)) {
				found(s)
			}
		}
	}
}
