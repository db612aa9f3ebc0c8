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
	if r.Has(id) {
		return false
	}
	*r = append(*r, hashed(id)...)
	if over := len(*r) - maxRecent*recentID; over > 0 {
		*r = append(Recent(nil), (*r)[over:]...)
	}
	return true
}

// Has reports whether an id is remembered.
func (r Recent) Has(id string) bool {
	for sum := hashed(id); len(r) >= recentID; r = r[recentID:] {
		if bytes.Equal(r[:recentID], sum) {
			return true
		}
	}
	return false
}

func hashed(id string) []byte {
	sum := sha256.Sum256([]byte(id))
	return sum[:recentID]
}
