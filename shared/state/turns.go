package state

import (
	"hash/crc32"
	"sync"
)

// Turns have those wait for each other who are about the same name, and seldom
// others. The zero value is ready for use.
type Turns struct{ held [256]sync.Mutex }

// Take waits for the turn of a name, and returns what ends it.
func (t *Turns) Take(name string) (end func()) {
	turn := &t.held[crc32.ChecksumIEEE([]byte(name))%uint32(len(t.held))]
	turn.Lock()
	return turn.Unlock
}
