package logfile

import (
	"slices"
	"strings"
	"testing"
)

// More blanks than an entry may be long are no reason to leave out what follows.
func TestManyBlanksAmongArrays(t *testing.T) {
	blanks := strings.Repeat(" ", 300)
	for data, want := range map[string][]string{
		"[]\n" + blanks + "\n{\"insertId\":\"b\"}\n":                   {"3 b"},
		"{\"insertId\":\"a\"}\n[" + blanks + "{\"insertId\":\"b\"}]":   {"1 a", "2 b"},
		"{\"insertId\":\"a\"}\n[" + blanks + "\n{\"insertId\":\"b\"}]": {"1 a", "3 b"},
	} {
		for _, block := range []int{1, 10, 1000} {
			if got := readAll(t, []byte(data), Config{Block: block, MaxEntry: 100}); got.err != nil || !slices.Equal(got.entries, want) {
				t.Errorf("%q in blocks of %d: %q, %v", data, block, got.entries, got.err)
			}
		}
	}
}
