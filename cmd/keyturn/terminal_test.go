package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestWidthOf(t *testing.T) {
	none := errors.New("no terminal")
	for _, tt := range []struct {
		size        int
		err         error
		environment string
		want        int
	}{
		{120, nil, "70", 120}, {0, nil, "70", 70}, {0, none, "70", 70}, {0, none, "", usual}, {0, none, "wide", usual}, {0, none, "-1", usual},
	} {
		if got := widthOf(tt.size, tt.err, tt.environment); got != tt.want {
			t.Errorf("size %d, %v, COLUMNS %q: %d, want %d", tt.size, tt.err, tt.environment, got, tt.want)
		}
	}
}

// TestNothingIsBrokenForNoTerminal keeps what is piped whole, whatever the
// environment says.
func TestNothingIsBrokenForNoTerminal(t *testing.T) {
	t.Setenv("COLUMNS", "40")
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := columns(f); got != unbroken {
		t.Errorf("a file has %d columns", got)
	}
}
