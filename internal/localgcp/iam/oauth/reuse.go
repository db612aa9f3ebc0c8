package oauth

import (
	"sync"
	"time"

	"example.com/keyturn/internal/localgcp/iam/directory"
)

// reuse is for how long Google's services show the same identity token again, rather
// than have one signed for each message that they push.
const reuse = time.Minute

// issued are identity tokens that are shown again.
type issued struct {
	mu     sync.Mutex
	tokens map[shown]issue
}

// shown is who shows a token to whom.
type shown struct{ uniqueID, audience string }

type issue struct {
	token string
	at    time.Time
}

// maxIssued is how many tokens are kept, beyond which all are forgotten.
const maxIssued = 1000

// identityToken is a token of the account that is not older than reuse.
func (s *Server) identityToken(a directory.Account, audience string) (string, error) {
	s.issued.mu.Lock()
	defer s.issued.mu.Unlock()
	to, now := shown{a.UniqueID, audience}, s.now()
	if i, ok := s.issued.tokens[to]; ok && now.Sub(i.at) < reuse {
		return i.token, nil
	}
	token, err := s.MintIdentityToken(a, audience, true)
	if err != nil {
		return "", err
	}
	if s.issued.tokens == nil || len(s.issued.tokens) >= maxIssued {
		s.issued.tokens = map[shown]issue{}
	}
	s.issued.tokens[to] = issue{token, now}
	return token, nil
}
