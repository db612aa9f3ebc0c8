// Package rotation decides how a credential is rotated. It is pure: it reads no
// clock, logs nothing and calls nobody; whoever carries out its steps tells it
// the time and what was observed.
//
// One credential is one secret of Secret Manager. Its annotations hold what it
// is ([Credential]), how it is to be rotated ([Policy]) and how far that has
// come ([Journal]). A new key goes through
//
//	begin → stage → publish → verify → promote
//
// and the key it replaces, independently, through
//
//	overlap → disable → quarantine → delete
//
// The order is the safety: the private half is stored before the key exists
// (upload mode), nothing unverified reaches the secret that consumers read,
// nothing is disabled before consumers had the overlap to move, and nothing is
// deleted before quarantine, in which one call brings it back.
//
// [Decide] says which steps are due; [Journal.Record] says how the journal
// reads after one of them. A trigger repeats the two until nothing is due:
//
//	for steps := Decide(…); len(steps) > 0; steps = Decide(…) { … Record(…) }
package rotation
