package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"reflect"
	"testing"
	"unicode/utf8"

	"example.com/keyturn/shared/detect"
)

func FuzzDecodeMessage(f *testing.F) {
	for _, body := range []string{eventarcBody, "", "null", `{"message":null}`, `{"message":{"data":"%"}}`, `{"MESSAGE":{"messageId":"\u0000"}}`} {
		f.Add(messagePublished, []byte(body))
	}
	f.Add("another", []byte(eventarcBody))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		m, err := DecodeMessage(pubsubEvent(t, kind, string(body)))
		if err != nil && !bytes.Equal(m.Data, body) {
			t.Errorf("data %q of a message that was refused is not the body", m.Data)
		}
		if err == nil {
			err = errors.ErrUnsupported
		}
		for name, value := range DeadLetter("f", m, err).Attributes {
			if len(value) > maxAttribute || !utf8.ValidString(name+value) {
				t.Errorf("attribute %q = %q", name, value)
			}
		}
	})
}

func FuzzDecodeLogEntry(f *testing.F) {
	for _, data := range []string{deniedEntry, "", "null", "[]", "{}", `{"protoPayload":{"status":{"code":"7"}},"timestamp":"9999-12-31T23:59:59-12:00"}`} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := DecodeLogEntry(data)
		if err != nil {
			if !reflect.ValueOf(e).IsZero() {
				t.Errorf("an error and entry %+v", e)
			}
			return
		}
		if !json.Valid(data) {
			t.Errorf("took %q, which is no JSON", data)
		}
		g := detect.New(detect.Config{})
		for _, finding := range g.Flush(g.Observe(&e, nil)) {
			roundTrip(t, finding)
		}
	})
}

func FuzzDecodeFinding(f *testing.F) {
	out, err := FindingEvent(finding)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(out.Data)
	f.Add([]byte(`{"id":"1","detector":"d","count":-1}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if finding, err := DecodeFinding(Message{Data: data}); err == nil {
			roundTrip(t, finding)
		}
	})
}

// roundTrip holds that what is encoded is decoded to the same.
func roundTrip(t *testing.T, finding detect.Finding) {
	t.Helper()
	out, err := FindingEvent(finding)
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodeFinding(Message{Data: out.Data})
	if err != nil {
		t.Fatal(err)
	}
	again, err := FindingEvent(back)
	if err != nil || !bytes.Equal(again.Data, out.Data) {
		t.Errorf("%s came back as %s, %v", out.Data, again.Data, err)
	}
}

// TestCorporaAreThere because a fuzz target without inputs of before finds what
// was found before once more, and late.
func TestCorporaAreThere(t *testing.T) {
	for _, target := range []string{"FuzzDecoder", "scan/FuzzSkip", "logfile/FuzzReader"} {
		dir, name := filepath.Split(target)
		if inputs, err := filepath.Glob(filepath.Join(dir, "testdata/fuzz", name, "*")); err != nil || len(inputs) < 20 {
			t.Errorf("%d inputs of %s, error %v", len(inputs), target, err)
		}
	}
}
