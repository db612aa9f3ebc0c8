package raced

import "testing"

// SkipPure leaves a long test of code that runs in one goroutine to the run without
// the race detector, which would take minutes and has nothing to find in it.
func SkipPure(t testing.TB) {
	t.Helper()
	if Detector {
		t.Skip("code of one goroutine; it is run without the race detector")
	}
}
