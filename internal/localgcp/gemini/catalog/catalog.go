// Package catalog is the Gemini API as data: its methods, what each takes and
// is logged as, and its models.
package catalog

import (
	"strings"
	"unicode/utf8"
)

// Kind is the type of the permission that a method takes. It decides in which
// audit log a call stands: AdminWrite in Admin Activity, the others in Data Access.
type Kind string

// The kinds of permissions.
const (
	AdminRead  Kind = "ADMIN_READ"
	AdminWrite Kind = "ADMIN_WRITE"
	DataRead   Kind = "DATA_READ"
	DataWrite  Kind = "DATA_WRITE"
)

// Answer is what the embedded API has to say to a call it lets through.
type Answer int

// The answers. Nothing that a client uploads, tunes or indexes is kept, and the
// last three say so.
const (
	Generate    Answer = iota // a candidate
	Stream                    // the same in pieces
	Count                     // the number of tokens
	Embed                     // a vector
	BatchEmbed                // a vector for each request
	ListModels                // the models
	GetModel                  // one model
	Unsupported               // NOT_FOUND: no model supports the method
	Empty                     // an empty list
	Missing                   // NOT_FOUND: there is no such resource
	Unkept                    // UNIMPLEMENTED
)

// Method is one method of the API.
type Method struct {
	HTTP       string // verb, such as POST
	Path       string // below the version, with * for each id, such as models/*:generateContent
	Service    string // such as GenerativeService
	RPC        string // such as GenerateContent
	Permission string // such as generativelanguage.models.generateContent
	Kind       Kind
	Answer     Answer
	V1         bool // there is one in /v1 too, not only in /v1beta
}

// FullName is the method's full RPC name in a version of the API.
func (m Method) FullName(version string) string {
	if m.Service == operations {
		return "google.longrunning.Operations." + m.RPC
	}
	return "google.ai.generativelanguage." + version + "." + m.Service + "." + m.RPC
}

// Verb is how messages of the API call the method, such as generateContent.
func (m Method) Verb() string { return strings.ToLower(m.RPC[:1]) + m.RPC[1:] }

// Call is a method as a request names it.
type Call struct {
	Method
	Version string // v1 or v1beta
	Name    string // of the resource, such as models/gemini-2.5-flash; of the collection for lists
}

// Find returns the method that an HTTP request is for; false when there is none.
// path may start with /upload, as for media.
func Find(verb, path string) (Call, bool) {
	version, rest, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(path, "/upload"), "/"), "/")
	pattern, name, ok := split(rest)
	if !ok || !utf8.ValidString(path) {
		return Call{}, false
	}
	for _, m := range methods {
		if m.HTTP == verb && m.Path == pattern && (version == "v1beta" || version == "v1" && m.V1) {
			return Call{Method: m, Version: version, Name: name}, true
		}
	}
	return Call{}, false
}

// split turns tunedModels/a/permissions/b:verb into the pattern
// tunedModels/*/permissions/*:verb and the name tunedModels/a/permissions/b.
func split(path string) (pattern, name string, ok bool) {
	name, action, hasAction := strings.Cut(path, ":")
	segments := strings.Split(name, "/")
	for i, s := range segments {
		if s == "" || s == "*" {
			return "", "", false
		}
		if i%2 == 1 {
			segments[i] = "*"
		}
	}
	pattern = strings.Join(segments, "/")
	if hasAction {
		pattern += ":" + action
	}
	return pattern, name, true
}

// Methods returns the table of all methods; the caller must not change it.
func Methods() []Method { return methods }
