// Package random is where the ids of the embedded Google Cloud come from:
// crypto/rand, or a seeded reader in simulations that must repeat themselves.
package random

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/google/uuid"
)

// Source hands out random bytes, each to one caller. It is safe for concurrent
// use; the nil Source is crypto/rand.
type Source struct {
	mu sync.Mutex
	r  io.Reader
}

// New returns a Source that reads from r, which must not end. Nil is crypto/rand.
func New(r io.Reader) *Source {
	if r == nil {
		return nil
	}
	return &Source{r: r}
}

// Read fills p. It panics if the reader ends or fails: ids of what is left of
// it would not be random.
func (s *Source) Read(p []byte) (int, error) {
	if s == nil {
		return rand.Read(p)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := io.ReadFull(s.r, p)
	if err != nil {
		panic(fmt.Errorf("reading random bytes for an id: %w; give a reader that does not end", err))
	}
	return n, nil
}

// Bytes returns n bytes.
func (s *Source) Bytes(n int) []byte {
	b := make([]byte, n)
	_, _ = s.Read(b) // never fails
	return b
}

// Hex returns n bytes as hexadecimal digits, which are twice as many.
func (s *Source) Hex(n int) string { return hex.EncodeToString(s.Bytes(n)) }

// Text returns n lower-case letters and digits.
func (s *Source) Text(n int) string {
	return strings.ToLower(base32.StdEncoding.EncodeToString(s.Bytes(n))[:n])
}

// UUID returns a random UUID.
func (s *Source) UUID() string { return uuid.Must(uuid.NewRandomFromReader(s)).String() }
