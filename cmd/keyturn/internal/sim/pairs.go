package sim

import (
	"crypto/rand"
	"crypto/rsa"
	"sync"
)

// pairs is a stock of RSA key pairs for all worlds of the process: making one
// takes longer than a whole rotation. Small ones do; nobody attacks them.
var pairs stock

// stock grows by need and never changes what it once handed out.
type stock struct {
	mu   sync.Mutex
	made []*rsa.PrivateKey
}

const pairBits = 1024

// at is the nth pair, the same each time.
func (s *stock) at(n int) (*rsa.PrivateKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.made) <= n {
		k, err := rsa.GenerateKey(rand.Reader, pairBits)
		if err != nil {
			return nil, err
		}
		s.made = append(s.made, k)
	}
	return s.made[n], nil
}
