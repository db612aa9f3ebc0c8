// Package posture judges how the credentials of a project, a folder or an
// organisation are kept: by the recommendations of the CIS Google Cloud Platform
// Foundation Benchmark that are about credentials, and by checks of keyturn's own. It
// is pure: it reads no clock, logs nothing and calls nobody.
//
// A [Snapshot] is what was read. [Evaluate] judges it and makes a [Result] of each
// resource that a [Check] looks at: pass, fail, or unknown where something could not
// be read. Unknown is never pass. A [State] is what one report leaves for the next, so
// that it tells what changed.
package posture
