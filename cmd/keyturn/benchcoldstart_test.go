package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"example.com/keyturn/cmd/keyturn/internal/coldstart"
	"example.com/keyturn/internal/raced"
)

// TestColdStart measures this checkout, whatever comes of it on a busy machine, and holds
// the functions to doing nothing much before main.
func TestColdStart(t *testing.T) {
	if raced.Detector {
		t.Skip("it builds programs that the race detector is no part of")
	}
	if testing.Short() {
		t.Skip("it builds two programs")
	}
	t.Chdir(filepath.Join("..", ".."))
	var out, told bytes.Buffer
	run(t.Context(), []string{"bench", "coldstart", "--rounds", "3", "--json"}, &out, &told)
	var r coldstart.Result
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || len(r.Rows) != 5 || len(r.Inits.Own) == 0 || len(r.Inits.Others) != 5 {
		t.Fatalf("%v: %s\n%s", err, out.String(), told.String())
	}
	for _, row := range r.Rows {
		if row.MsP50 <= 0 || row.MsP90 < row.MsP50 || row.BinMB < 5 || row.Ratio <= 0 || row.CPUMs <= 0 || row.CPURatio <= 0 {
			t.Errorf("%+v", row)
		}
	}
	if longest := r.Inits.Own[0]; longest.Ms > coldstart.MaxInit || !strings.HasPrefix(longest.Package, "example.com/keyturn") {
		t.Errorf("%s takes %.2f ms before main, and %.1f is allowed", longest.Package, longest.Ms, coldstart.MaxInit)
	}
	if out, err := exec.Command("git", "status", "--porcelain", "--", "coldstart.local").Output(); err == nil && len(out) > 0 {
		t.Errorf("the checkout was written to: %s", out)
	}
	text := coldStartText(r, true)
	if !strings.Contains(text, "| hello-world |") || !strings.Contains(coldStartText(coldstart.Result{}, false), "none") {
		t.Errorf("text:\n%s", text)
	}
}
