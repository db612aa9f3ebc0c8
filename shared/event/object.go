package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// DecodeObject reads one JSON object into v and refuses unknown fields and
// whatever follows it. example is an object that would be right, for the person
// who reads the error.
func DecodeObject(r io.Reader, v any, example string) error {
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
			return fmt.Errorf("command is larger than %d bytes", large.Limit)
		}
		return fmt.Errorf("command is not the JSON object that is expected: %w; send for example %s", err, example)
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("command is followed by something else: send one JSON object and nothing after it")
	}
	return nil
}
