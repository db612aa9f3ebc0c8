// Package rotation decides how a credential is rotated. It is pure: it reads no
// clock, logs nothing and calls nobody; whoever carries out its steps tells it
// the time and what was observed.
//
// One credential is one secret of Secret Manager. Its annotations hold what it
// is ([Credential]), how it is to be rotated ([Policy]) and how far that has
// come ([Journal]). A key goes from phase to phase by these steps, and by no
// others (· is a key that does not exist):
//
//	·            --begin--> intended
//	intended     --discard--> ·
//	intended     --publish--> published
//	intended     --stage--> staged
//	staged       --discard--> ·
//	staged       --fall-back--> intended
//	staged       --publish--> published
//	published    --discard--> overlapping
//	published    --discard--> ·
//	published    --verify--> verified
//	verified     --discard--> overlapping
//	verified     --promote--> active
//	active       --promote--> overlapping
//	overlapping  --disable--> quarantined
//	overlapping  --recall--> published
//	quarantined  --delete--> deleted
//	quarantined  --delete--> ·
//	quarantined  --recall--> published
//	quarantined  --restore--> overlapping
//	deleted      --recall--> published
//
// The order is the safety: the private half is stored before the key exists
// (upload mode), nothing unverified reaches the secret that consumers read,
// nothing is disabled before consumers had the overlap to move and evidence
// says that they have ([Weigh]), and nothing is deleted before quarantine, in
// which a consumer that breaks brings the key back by itself (restore), and a
// person by one command (recall).
//
// [Decide] says which steps are due; [Journal.Record] says how the journal
// reads after one of them. A trigger repeats the two until nothing is due:
//
//	for steps := Decide(…); len(steps) > 0; steps = Decide(…) { … Record(…) }
package rotation
