// Package yamltest checks, in tests, what is told of a file.
package yamltest

import (
	"strings"
	"testing"
)

// Told fails the test unless err tells the problems wanted and no others, a line
// each: where it is, and the beginning of what is said there.
func Told(t testing.TB, err error, want []string) {
	t.Helper()
	got := strings.Split(err.Error(), "\n")
	if len(got) != len(want) {
		t.Fatalf("%d problems, want %d:\n%v", len(got), len(want), err)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("problem %d is %s\nwant %s…", i, got[i], want[i])
		}
	}
}
