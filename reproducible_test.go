package keyturn

import (
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"example.com/keyturn/internal/raced"
)

// TestTheBuildIsReproducible builds what is uploaded in two directories, into the same
// bytes.
func TestTheBuildIsReproducible(t *testing.T) {
	if testing.Short() || raced.Detector {
		t.Skip("it links two programs, which the race detector is no part of")
	}
	var sums [2][sha256.Size]byte
	for i := range sums {
		root, program := upload(t), filepath.Join(t.TempDir(), "functions")
		app := filepath.Join(root, "functions.local", "app")
		must(t, os.MkdirAll(app, 0o755))
		must(t, os.WriteFile(filepath.Join(app, "main.go"), []byte(mainOfBuildpack), 0o644))
		cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-o", program, "./functions.local/app")
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOTOOLCHAIN=local", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("building: %v\n%s", err, out)
		}
		text, err := os.ReadFile(program)
		must(t, err)
		sums[i] = sha256.Sum256(text)
	}
	if sums[0] != sums[1] {
		t.Errorf("two builds of one source differ: %x and %x", sums[0], sums[1])
	}
	t.Logf("sha256 %x", sums[0])
}
