package alerting

import (
	"bytes"
	"crypto/sha256"
)

// Recent remembers which ids came of late: the latest 4096, in 8 bytes each.
type Recent []byte

const (
	recentID  = 8 // bytes
	maxRecent = 4096
)

// Add remembers an id, and reports whether it is new.
func (r *Recent) Add(id string) bool {
	sum := sha256.Sum256([]byte(id))
	for known := *r; len(known) >= recentID; known = known[recentID:] {
		if bytes.Equal(known[:recentID], sum[:recentID]) {
			return false
		}
	}
	*r = append(*r, sum[:recentID]...)
	if over := len(*r) - maxRecent*recentID; over > 0 {
		*r = append(Recent(nil), (*r)[over:]...)
	}
	return true
}
