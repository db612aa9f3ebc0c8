package scan

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Error says why data is not one valid JSON value.
type Error struct {
	Offset int    // of the byte that cannot be, from 0; the length of data where there is too little
	Reason string // in encoding/json's words
}

// Error tells the offset and the reason.
func (e *Error) Error() string { return fmt.Sprintf("byte %d: %s", e.Offset, e.Reason) }

// explain has encoding/json, which looks at every byte, say what is wrong with
// data. Only the time for what is wrong is lost by that.
func explain(data []byte) error {
	var any json.RawMessage
	err := json.Unmarshal(data, &any)
	syntax := (*json.SyntaxError)(nil)
	if !errors.As(err, &syntax) {
		return &Error{Reason: fmt.Sprintf("it was not read as one value (%v)", err)}
	}
	e := &Error{Offset: int(syntax.Offset), Reason: syntax.Error()}
	if !strings.HasPrefix(e.Reason, "unexpected end") {
		e.Offset--
	}
	return e
}
