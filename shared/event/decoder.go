package event

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event/scan"
)

// Decoder reads LogEntries, as a sink, the Logging API or gcloud writes them in
// JSON, into detect.Entry. It reads what it wants, and validates and skips the
// rest. An entry that is no audit entry, or of a shape not met before, is no
// error; only what is no JSON object is.
//
// It reads what encoding/json would read into map[string]any: a key matches
// exactly, of a key that occurs twice the last value counts, a field of an
// unexpected type is left empty, and bytes that are no UTF-8 are U+FFFD.
//
// The zero Decoder is ready for use, by one goroutine at a time. Once its memory
// and that of the entries has grown to what they need, it needs no more.
type Decoder struct {
	json scan.Scanner
	entryParts
}

// entryParts are what an Entry is made of and does not hold as it is.
type entryParts struct {
	time, received string // as written
	projectLabel   string
	payload        bool // whether there is one
	payloadType    string
	violationType  string // of status.details[].violations[]
	errorReason    string // of an ErrorInfo in status.details[]
	reason         string // metadata.violationReason
	created        string // response.name
	metadataGrants []detect.Grant
}

var errNoObject = errors.New("it is no JSON object")

// Decode reads line, one JSON object, into e, all of whose fields it sets; the
// lists of e are used again. The texts alias line or memory of the Decoder until
// the next Decode. After an error, a *scan.Error where line is no valid JSON, e
// is empty.
func (d *Decoder) Decode(line []byte, e *detect.Entry) error {
	d.Reset()
	return d.DecodeNext(line, e)
}

// DecodeNext is Decode for one of many lines: the texts stay until Reset.
func (d *Decoder) DecodeNext(line []byte, e *detect.Entry) error {
	d.entryParts = entryParts{metadataGrants: d.metadataGrants[:0]}
	clearEntry(e)
	d.json.Open(line)
	object := d.json.IsObject()
	d.entry(e)
	if err := d.json.Close(); err != nil {
		clearEntry(e)
		return err
	}
	if !object {
		return errNoObject
	}
	d.finish(e)
	return nil
}

// Reset lets the texts of all entries so far go.
func (d *Decoder) Reset() { d.json.Reset() }

// decoders are used again for the memory that their index takes.
var decoders = sync.Pool{New: func() any { return new(Decoder) }}

// DecodeLogEntry reads a LogEntry as a Decoder does, into an Entry of its own memory.
func DecodeLogEntry(data []byte) (detect.Entry, error) {
	d := decoders.Get().(*Decoder)
	defer decoders.Put(d)
	var e detect.Entry
	err := d.Decode(bytes.Clone(data), &e)
	d.json.Detach()
	if err != nil {
		return detect.Entry{}, fmt.Errorf("decoding a log entry: %w; point the log sink, and nothing else, at the topic", err)
	}
	return e, nil
}

// clearEntry empties e but for the memory of its lists.
func clearEntry(e *detect.Entry) {
	delegation, permissions, tested, grants := kept(e.Delegation), kept(e.Permissions), kept(e.Tested), kept(e.Grants)
	*e = detect.Entry{} // in place: a literal with the lists in it would be made elsewhere first
	e.Delegation, e.Permissions, e.Tested, e.Grants = delegation, permissions, tested, grants
}

// maxKept is how long a list may have been whose memory is used again.
const maxKept = 128

func kept[T any](list []T) []T {
	if cap(list) > maxKept {
		return nil
	}
	return list[:0]
}

// forgetPayload empties what only a payload fills.
func forgetPayload(e *detect.Entry) {
	head := *e
	clearEntry(e)
	e.LogName, e.InsertID, e.Time, e.Project, e.Account = head.LogName, head.InsertID, head.Time, head.Project, head.Account
}

// finish makes the fields that more than one part of the JSON decides.
func (d *Decoder) finish(e *detect.Entry) {
	e.Time = entryTime(d.time, d.received)
	if e.Project = d.projectLabel; e.Project == "" {
		e.Project = projectOf(e.LogName)
	}
	if !d.isAudit(e.LogName) {
		forgetPayload(e)
		e.Account = ""
		return
	}
	e.Audit = true
	e.Violation = d.violation(e)
	e.Grants = append(e.Grants, d.metadataGrants...)
	if d.created != "" && makes(e.Method) {
		e.Born = d.created
	}
	if len(e.Tested) > 0 && !isTest(e.Method) {
		e.Tested = e.Tested[:0]
	}
}

// isAudit goes by the payload's type, or by the log where the type was lost, as
// it is in Google's own published examples.
func (d *Decoder) isAudit(logName string) bool {
	const auditType = "type.googleapis.com/google.cloud.audit.AuditLog"
	return d.payload && (d.payloadType == auditType ||
		d.payloadType == "" && strings.Contains(logName, "/logs/cloudaudit.googleapis.com"))
}

// projectOf is the project of a log's name, if it is a project's.
func projectOf(logName string) string {
	name, found := strings.CutPrefix(logName, "projects/")
	if !found {
		return ""
	}
	id, _, _ := strings.Cut(name, "/")
	return id
}

// makingVerbs begin the names of methods whose response names what they made.
var makingVerbs = []string{"create", "clone", "upload", "add", "insert", "import"}

// makes reports whether a method makes a resource, such as
// google.iam.admin.v1.CreateServiceAccountKey and storage.hmacKeys.create do.
func makes(method string) bool {
	name := method[strings.LastIndexByte(method, '.')+1:]
	return slices.ContainsFunc(makingVerbs, func(verb string) bool {
		return len(name) >= len(verb) && strings.EqualFold(name[:len(verb)], verb)
	})
}

// isTest reports whether a method asks which permissions the caller has.
func isTest(method string) bool {
	const name = "testIamPermissions"
	return len(method) >= len(name) && strings.EqualFold(method[len(method)-len(name):], name)
}

// violation is the first that there is of the ways in which an entry may tell of
// a policy.
func (d *Decoder) violation(e *detect.Entry) string {
	switch {
	case d.violationType != "":
		return d.violationType
	case d.reason != "":
		return d.reason
	case e.Code == 0:
		return ""
	}
	return cmp.Or(policyReason(d.errorReason), constraint(e.Code, e.Message))
}

// policyReason is the reason of an ErrorInfo when it is of a policy: Google ends
// these so (google.api.ErrorReason: SECURITY_POLICY_VIOLATED,
// ORG_RESTRICTION_VIOLATION, LOCATION_ORG_POLICY_VIOLATED and others).
func policyReason(reason string) string {
	if strings.HasSuffix(reason, "_VIOLATED") || strings.HasSuffix(reason, "_VIOLATION") {
		return reason
	}
	return ""
}

// failedPrecondition is the code that organisation policies deny with.
const failedPrecondition = 9

// constraint is the organisation policy's constraint that a message tells of.
func constraint(code int32, message string) string {
	i := strings.Index(message, "constraints/")
	if code != failedPrecondition || i < 0 {
		return ""
	}
	name := message[i:]
	if end := strings.IndexFunc(name, func(r rune) bool { return !inConstraint(r) }); end >= 0 {
		name = name[:end]
	}
	return strings.TrimRight(name, ".") // of the sentence
}

func inConstraint(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("/._-", r)
}
