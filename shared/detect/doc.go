// Package detect finds credential abuse in audit log entries. It is pure: nothing
// here logs, reads a clock or does I/O. Entries go into an [Engine], in whatever
// order they come, and findings come out.
//
// # What is not normal
//
// No detector counts denials. A retry loop makes thousands of them, and a thief
// who takes a day makes a few; both are told apart by what is denied, to whom.
// Of every subject it is remembered which permissions it was seen to have, and
// since when each thing was denied to it, and a subject is judged by that:
//
//   - permission-probing: distinct permissions that the subject was never seen to
//     have, weighted 0.6 (reads), 1.3 (writes), 3 (leads to other identities or
//     secrets) or 4 (takes over a project). Each halves every 2.5 days, and 10 is
//     told: 8 writes, or 17 reads, or 3 crown jewels, within some hours. A probe
//     of five an hour is told after 2 to 4 hours. What is denied to a key from where
//     it does not belong weighs half as much again. What is dangerous weighs once
//     more each time that what it was denied on, and the subject never got into,
//     doubled from 8 on: 64 secrets, or the policies of 32 projects. Google's own
//     service agents need four times, a place whose caller is not known twice as much.
//   - denial-burst: the same weights within one hour, of a subject known for a
//     week, beyond 8 and twice the most that it was denied at this hour (give or
//     take one) on the last seven days and on this day of the last four weeks.
//   - token-minting: tokens, signatures or exchanges denied of 4 distinct service
//     accounts within a day; from 16 on it is critical. Of an address with ever new
//     user agents it takes twice as much, of this and of all else.
//   - failure-then-success: 5 failures (3 of a dangerous permission) and after them a
//     success within a day; of a permission that the subject has elsewhere, on what
//     was denied, or after 5 other secrets, buckets, datasets or accounts were. It
//     waits 10 minutes for the change of a policy that explains it; one made by the
//     subject itself makes it critical.
//   - permission-sweep: 250 distinct permissions asked about by testIamPermissions
//     within a day, which the subject did not ask about before; 400 by a browser.
//   - mass-secret-read: 12 distinct secrets read within a day that are new to the
//     reader, or as many as it is known to read, if those are more; three times as
//     many on the first day of all, when everything is new.
//   - crown-jewel-denial: attempts at a permission that gives away everything, by a
//     subject that never changed anything in that service, unless they are a retry
//     loop's: in 4 stretches of 5 minutes or more, over 45 minutes, within two hours.
//     Silent on the first day of all.
//   - policy-denial: what VPC Service Controls and organisation policies refuse,
//     for information only: once for each subject, policy and day, and once more
//     with the number when the day is over.
//
// An episode lasts until 30 hours pass without another sighting. It is told once,
// and again, as an update, each time that its score doubled or its severity rose. At
// the end of a log that has one (Config.Final) [Engine.Flush] tells each that has grown
// since once more, with its final numbers; a stream that goes on has no end to wait for.
//
// # What the rotator knows
//
// A [Ledger] says which key belongs to which credential, and since when it is in
// which state. An entry is judged by the state that its key had at the entry's time:
//
//   - old-key-in-use: superseded for more than 3 hours, and used from where its
//     consumers are known to be; for information.
//   - stolen-old-key: superseded, and used from a network (/24, /48) that was not
//     seen with the credential for two days or in its first three; critical if the
//     program is new, too. Of consumers that come from ever new networks (16 in
//     all, or on three days of the last week) it takes a new program. Who was
//     watched for less than three days has no usual place.
//   - retired-key-used: used more than 65 minutes after it was disabled or deleted,
//     when its last token has died.
//   - foreign-key: a key, HMAC key or version of a managed secret that the journals
//     do not know, made or used; for information if nobody manages its account. What
//     a rotator made has 75 minutes to get into the journal, or to be deleted again.
//   - unread-key-used: used before it was given out; or, where reads of its secret
//     were logged on two days before, without anybody having read it. It waits 95
//     minutes for reads that are logged late.
//   - broken-rotation: what the account was allowed before is denied within 30
//     minutes after a promotion. Such denials count for no other detector.
//   - key-drift: a key, managed or not, watched for three days, used from a new
//     network; for information unless the program is new, too.
//   - silence: a log, or a credential's use, that was never silent for more than 16
//     hours in a week, silent for 6 hours and three times its longest silence.
//   - refused-credential: by [Engine.Measured], from what Cloud Monitoring counts.
//
// What a newer ledger may explain, such as a key made a minute ago or one that was
// enabled again, is held back until [Engine.Know] brings one, at most 75 minutes.
//
// # Who
//
// A subject is the principal's e-mail, or else its subject, or else its key. Where
// Google tells none of them, or leaves letters out, the call is taken for that of
// the one identity that was seen at the same address with the same user agent from
// ten minutes before until two after; of IPv6 addresses, in the same /64, which is one
// caller's. If there was none, or more than one, it is a stranger: a place and an aim, so
// that strangers are never taken for one; for tokens, which are asked for of one account
// after another, the place alone. Such calls are looked at
// five to seven minutes later, when all entries of that time have come; and once more,
// for somebody who came within ten minutes after.
// Strangers count for their address, too, whatever their user agents. What was taken
// for somebody's counts for the place all the same, so that no harmless call from there
// makes less of the others: the place is told where it is worse than that somebody.
// Reasons say how many of the calls name nobody.
//
// # What is remembered
//
// Everything kept of a subject is a set, a minimum or a maximum. So an entry that
// comes twice changes nothing, nor does the order, and what two instances saw
// joins to what one would have seen; [Engine.Merge] does it, and [Engine.Share] and
// [Engine.Learn] in parts, now and then. What is learnt is judged like what is
// observed, so that instances that share find together what one alone would, with
// four exceptions: a caller without a name is known only to an instance that saw
// somebody at the same place, for who is where changes too fast to be shared; of
// failures at one instance and a success at another, before they shared it, only the
// permission's first success of all is known, to the second; samples of
// [Engine.Measured] are judged where they are read; and the sketch of the forgotten
// is an instance's own.
//
// Findings are named by subject, detector and the day on which the episode began.
// Entries count as long as they come within 95 minutes; what speaks for a subject,
// such as a grant, must be three minutes older than what it excuses, so that entries
// which come out of order by less change neither who is found, nor by which detector,
// nor how bad it is in the end. An episode that begins in the last three minutes of a
// day (UTC) is the exception: its name may depend on the order.
//
// The time is that of the latest entry, unless it is more than an hour ahead: then it
// takes three in a row. Three in a row that are 95 minutes behind turn it back.
//
// Of what waits, 16,384 questions of each detector are kept, as many successes, and as
// many calls of unnamed callers, if they take no more than 32 MiB; [Engine.Unasked] says
// how many were too many. An ordinary subject takes some 240 bytes, one that was denied
// all that is counted some 60 KiB: subjects are bounded by number. The latest 4096 are kept
// decoded; of more than a million, the least suspicious and longest unseen are
// forgotten, but for a sketch of what they had and were denied. Suspicion goes by
// danger, not by number. In a shard that is too large everybody is first cut down to
// the same share of bytes, and to the most dangerous of it. An entry of no interest
// costs some 100 ns and no memory.
package detect
