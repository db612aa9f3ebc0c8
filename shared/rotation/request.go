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
	Did      []string  `json:"did,omitempty"`      // the steps that were taken at once, each with its result, such as "begin done"
}

const (
	maxRequests = 4  // that are remembered
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

// AskedBy is who asked for the latest rotation; empty if it was due by itself, or
// that is not known any more.
func (j Journal) AskedBy() string {
	for _, r := range slices.Backward(j.Requests) {
		if r.Rotation == j.Rotation && slices.Contains([]string{"rotate", "rollback", "revoke"}, r.Verb) {
			return r.By
		}
	}
	return ""
}
