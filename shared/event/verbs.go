package event

// Verbs are all verbs.
func Verbs() []Verb {
	return []Verb{Sweep, Inspect, Continue, Rotate, Rollback, Revoke, Status}
}
