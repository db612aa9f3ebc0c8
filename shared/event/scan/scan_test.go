package scan

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

// skipped reports whether data is one valid value, as Skip has it.
func skipped(s *Scanner, data []byte) error {
	s.Reset()
	s.Open(data)
	s.Skip()
	return s.Close()
}

// FuzzSkip holds what is skipped against encoding/json, and the kernels against
// each other.
func FuzzSkip(f *testing.F) {
	for _, data := range []string{
		`{"a":[1,2,{"b":"\u00e9\\"}],"c":null} `, `"\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\"`, "[1\f2]", `[-1.5e+3,0,true,false]`, `{"a":1"b"}`, `[`,
		strings.Repeat(`\`, 127) + `"`, `"` + strings.Repeat("x", 62) + `"` + strings.Repeat(" ", 64) + "\x01",
	} {
		f.Add([]byte(data))
	}
	var s Scanner
	portable := indexer{run: indexPortable}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := skipped(&s, data); (err == nil) != json.Valid(data) {
			t.Errorf("%q: error %v, valid %v", data, err, json.Valid(data))
		}
		portable.index(data)
		if !slices.Equal(s.index, portable.starts) || s.indexer.carry.flags() != portable.carry.flags() {
			t.Errorf("%q: index %v, %+v; portably %v, %+v", data, s.index, s.indexer.carry, portable.starts, portable.carry)
		}
	})
}

// flags are what a reader of the index goes by.
func (c carry) flags() [5]bool {
	return [5]bool{c.inString != 0, c.control != 0, c.backslash != 0, c.beyond != 0, c.wide != 0}
}

func TestScannerReads(t *testing.T) {
	var s Scanner
	s.Open([]byte(`{"text":"a\u00e9","word":-1.5,"yes":true,"no":"true","list":[1,"b",[]],"deep":{"a":{"b":[{}]}},"scalar":"5"}`))
	var got []string
	for key, ok := s.Object(); ok; key, ok = s.NextKey() {
		switch key {
		case "text", "no":
			got = append(got, key, s.Text())
		case "word":
			got = append(got, key, s.Word())
		case "scalar":
			got = append(got, key, s.Scalar())
		case "yes":
			if s.True() {
				got = append(got, key)
			}
		case "list":
			for ok := s.Array(); ok; ok = s.NextElement() {
				got = append(got, s.Scalar())
			}
		default:
			s.Skip()
		}
	}
	want := []string{"text", "aé", "word", "-1.5", "yes", "no", "true", "1", "b", "", "scalar", "5"}
	if err := s.Close(); err != nil || !slices.Equal(got, want) {
		t.Errorf("read %q, %v; want %q", got, err, want)
	}
}

// TestScannerEnds reads more than there is, in every way.
func TestScannerEnds(t *testing.T) {
	for _, data := range []string{"", "{", "[", `{"a"`, `{"a":`, `{"a":1`, `[1`, `[1}`, `{"a":1]`, `{"a":1,`, `"a`, "tru", "1"} {
		var s Scanner
		s.Open([]byte(data))
		for range 20 {
			for _, ok := s.Object(); ok; _, ok = s.NextKey() {
				s.Skip()
			}
			for ok := s.Array(); ok; ok = s.NextElement() {
				s.Skip()
			}
			_ = s.Text() + s.Word() + s.Scalar()
		}
		invalid := (*Error)(nil)
		if err := s.Close(); !errors.As(err, &invalid) {
			t.Errorf("%q: %v", data, err)
		}
	}
}

func TestScannerLetsMuchMemoryGo(t *testing.T) {
	var s Scanner
	big := []byte(`["` + strings.Repeat(`\n`, maxKept) + `"` + strings.Repeat(",1", maxKept/4) + "]")
	s.Open(big)
	for ok := s.Array(); ok; ok = s.NextElement() {
		s.Scalar()
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := skipped(&s, []byte("[]")); err != nil || 4*cap(s.index) > maxKept || cap(s.texts) > maxKept {
		t.Errorf("kept an index of %d and texts of %d bytes; error %v", cap(s.index), cap(s.texts), err)
	}
}
