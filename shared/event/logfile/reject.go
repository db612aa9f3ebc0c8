package logfile

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Reject is what was found where an entry should be. Nothing is dropped in silence.
type Reject struct {
	File   string
	Line   int64  // that it begins on, counted from 1
	Size   int64  // in bytes
	Data   []byte // as it stands in the file; its beginning only, when it is too long
	Reason error
}

// Error says where and why.
func (r Reject) Error() string { return fmt.Sprintf("%s:%d: %v", r.File, r.Line, r.Reason) }

// Unwrap returns the reason.
func (r Reject) Unwrap() error { return r.Reason }

// MarshalJSON writes it as a line of a rejects file: with data as text where it
// is text, and in base64 otherwise.
func (r Reject) MarshalJSON() ([]byte, error) {
	line := struct {
		File   string `json:"file"`
		Line   int64  `json:"line"`
		Reason string `json:"reason"`
		Size   int64  `json:"size"`
		Text   string `json:"text,omitempty"`
		Data   []byte `json:"data,omitempty"`
	}{r.File, r.Line, r.Reason.Error(), r.Size, string(r.Data), nil}
	if !utf8.Valid(r.Data) {
		line.Text, line.Data = "", r.Data
	}
	return json.Marshal(line)
}
