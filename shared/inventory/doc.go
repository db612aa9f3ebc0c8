// Package inventory says what is to be known of every credential of a project, a
// folder or an organisation. It is pure: it reads no clock, logs nothing and calls
// nobody.
//
// A [Snapshot] is what was seen, with a [Gap] for each part that could not be
// read: unknown is never none. [Classify] makes an [Item] of each credential in
// it: how old it is, who uses it, who takes care of it, and how it could be brought
// under rotation or be done without.
package inventory
