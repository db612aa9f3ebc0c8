package rotation

import (
	"slices"
	"time"
)

// Request is what somebody asked of a credential, and what was done at once. The
// journal remembers the last few: who asked, and so that the same request is not
// carried out twice.
type Request struct {
	ID       string    `json:"id,omitempty"` // by which whoever asked tells the same request again; printable ASCII
	Verb     string    `json:"verb"`         // the command, such as rotate
	By       string    `json:"by,omitempty"` // who asked; empty is not known
	Why      string    `json:"why,omitempty"`
	At       time.Time `json:"at"`                 // policy time
	Rotation int       `json:"rotation,omitempty"` // number of the latest rotation when it had been carried out
	Key      string    `json:"key,omitempty"`      // the key that it named, by its short id
	After    *int      `json:"after,omitempty"`    // the rotation after which it was meant; nil is whichever was the latest
	Asks     string    `json:"asks,omitempty"`     // digest of what else it asked for; empty of requests before there were digests
	Did      []string  `json:"did,omitempty"`      // the steps that were taken at once, each with its result, such as "begin done"
}

const (
	maxRequests = 8  // that are remembered
	maxDid      = 12 // steps of one
)

// WithRequest is the journal with a request; one of the same verb and time by the
// same person is replaced.
func (j Journal) WithRequest(r Request) Journal {
	r.By, r.Why, r.At = clip(r.By, briefReason), clip(r.Why, briefReason), r.At.UTC()
	r.Did = r.Did[:min(len(r.Did), maxDid)]
	same := func(other Request) bool {
		return other.ID == r.ID && other.Verb == r.Verb && other.By == r.By && other.At.Equal(r.At)
	}
	j.Requests = append(slices.DeleteFunc(slices.Clone(j.Requests), same), r)
	j.Requests = j.Requests[max(0, len(j.Requests)-maxRequests):]
	return j
}

// Asked is the request with an ID; nothing is asked for by an empty one.
func (j Journal) Asked(id string) (Request, bool) {
	i := slices.IndexFunc(j.Requests, func(r Request) bool { return id != "" && r.ID == id })
	if i < 0 {
		return Request{}, false
	}
	return j.Requests[i], true
}

// Repeats reports whether a request is another one once more. One that does not say
// after which rotation it is meant is the same as one that does.
func (r Request) Repeats(before Request) bool {
	switch {
	case r.Verb != before.Verb:
		return false
	case before.Asks == "":
		return true // of an older journal, that is all there is to go by
	case r.After != nil && before.After != nil && *r.After != *before.After:
		return false
	}
	return r.Key == before.Key && r.Asks == before.Asks
}

// AskedFor is the request for the latest rotation; the zero Request if it was due by
// itself, or that is not known any more.
func (j Journal) AskedFor() Request {
	return j.latest(func(r Request) bool {
		return r.Rotation == j.Rotation && slices.Contains([]string{"rotate", "rollback", "revoke"}, r.Verb)
	})
}

// Revocation is the request to revoke a key; the zero Request if there was none, or that
// is not known any more.
func (j Journal) Revocation(k Key) Request {
	return j.latest(func(r Request) bool { return r.Verb == "revoke" && k.IsCalled(r.Key) })
}

func (j Journal) latest(is func(Request) bool) Request {
	for _, r := range slices.Backward(j.Requests) {
		if is(r) {
			return r
		}
	}
	return Request{}
}
