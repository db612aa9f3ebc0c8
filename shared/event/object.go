package event

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/go-json-experiment/json"
)

// DecodeObject reads one JSON object into v, to its letter: unknown fields, fields
// that are there twice or in another case, texts that are not UTF-8, and whatever
// follows the object are refused, for what somebody read in it may not be what would
// be done. example is an object that would be right, for the person who reads the
// error.
func DecodeObject(r io.Reader, v any, example string) error {
	err := json.UnmarshalRead(r, v, json.RejectUnknownMembers(true))
	switch large := (*http.MaxBytesError)(nil); {
	case err == nil:
		return nil
	case errors.As(err, &large):
		return fmt.Errorf("command is larger than %d bytes", large.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errors.New("command did not come in time: send all of it at once")
	}
	return fmt.Errorf("command is not one JSON object, as is expected, and nothing after it: %s; send for example %s", wrong(err), example)
}

// wrong is what a decoder found wrong, without the names of Go's types.
func wrong(err error) string {
	semantic := (*json.SemanticError)(nil)
	switch {
	case errors.Is(err, json.ErrUnknownName) && errors.As(err, &semantic):
		return fmt.Sprintf("unknown field %q", semantic.JSONPointer.LastToken())
	case errors.As(err, &semantic) && semantic.Err == nil:
		return fmt.Sprintf("field %q must not be a JSON %v", semantic.JSONPointer.LastToken(), semantic.JSONKind)
	case errors.As(err, &semantic):
		return fmt.Sprintf("field %q: %v", semantic.JSONPointer.LastToken(), semantic.Err)
	}
	return err.Error()
}
