package audit

import (
	"context"
	"time"
)

// Store keeps small documents, of less than 1 MiB, that all instances of the
// function share: what the detectors know (share.go), which findings were
// published (claim.go), and up to when was swept (checkpoint.go).
type Store interface {
	// Update replaces the document of a name by what change makes of it, and
	// nobody else's update comes in between. change gets nil where there is no
	// document; it may be called more than once; its error leaves the document as
	// it is and is returned. What change returns unchanged is not written. The
	// document may be deleted once expires is over; zero is never.
	Update(ctx context.Context, name string, change func(old []byte) (data []byte, expires time.Time, err error)) error
}
