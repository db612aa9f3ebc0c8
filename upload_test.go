package keyturn

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// ignore is a pattern of .gitignore, as far as this module uses them.
type ignore struct {
	name       string
	dir        bool // matches directories only
	fromTheTop bool
}

func readIgnores(t *testing.T, files ...string) (patterns []ignore) {
	t.Helper()
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			p := ignore{dir: strings.HasSuffix(line, "/"), fromTheTop: strings.HasPrefix(line, "/"), name: strings.Trim(line, "/")}
			if strings.ContainsAny(p.name, "/!") {
				t.Fatalf("%s: this test does not understand pattern %q", file, line)
			}
			patterns = append(patterns, p)
		}
	}
	return patterns
}

func (p ignore) matches(file string, dir bool) bool {
	matched, err := path.Match(p.name, path.Base(file))
	return err == nil && matched && (dir || !p.dir) && (!p.fromTheTop || !strings.Contains(file, "/"))
}

// upload copies what gcloud uploads of a fresh checkout.
func upload(t *testing.T) string {
	t.Helper()
	patterns := readIgnores(t, ".gitignore", "deploy.gcloudignore")
	to := t.TempDir()
	must(t, fs.WalkDir(os.DirFS("."), ".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case file == ".":
			return nil
		case slices.ContainsFunc(patterns, func(p ignore) bool { return p.matches(file, d.IsDir()) }):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return os.Mkdir(filepath.Join(to, file), 0o755)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, file), text, 0o644)
	}))
	return to
}

// mainOfBuildpack is the program that Google's buildpack makes around a package
// that registers its functions, but for listening on loopback only.
const mainOfBuildpack = `package main

import (
	"log"
	"os"

	_ "example.com/keyturn"
	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
)

func main() { log.Fatal(funcframework.StartHostPort("127.0.0.1", os.Getenv("PORT"))) }
`

// TestUploadBuilds does with the upload what Google's buildpack does.
func TestUploadBuilds(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a program")
	}
	root := upload(t)
	checkRootPackage(t, root)
	app := filepath.Join(root, "functions.local", "app")
	must(t, os.MkdirAll(app, 0o755))
	must(t, os.WriteFile(filepath.Join(app, "main.go"), []byte(mainOfBuildpack), 0o644))
	before, err := os.ReadFile(filepath.Join(root, "go.mod"))
	must(t, err)
	program := filepath.Join(t.TempDir(), "app")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./functions.local/app")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOTOOLCHAIN=local", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the upload: %v\n%s", err, out)
	}
	after, err := os.ReadFile(filepath.Join(root, "go.mod"))
	must(t, err)
	if !bytes.Equal(before, after) {
		t.Errorf("building the upload changed its go.mod to\n%s", after)
	}
	p := start(t, program, "FUNCTION_TARGET=AlertHTTP", "KEYTURN_PROJECT=acme", "KEYTURN_ENDPOINT=127.0.0.1:1")
	if code, answer := p.call("/", "AlertHTTP"); code != http.StatusBadRequest || !strings.Contains(answer, names["AlertHTTP"]) {
		t.Errorf("the program that was built answers HTTP %d %s", code, answer)
	}
}

// checkRootPackage holds what the buildpack asks of the package at the root: it
// is the only one, it is no program, and it imports the registry itself.
func checkRootPackage(t *testing.T, root string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "*.go"))
	must(t, err)
	var packages, imports []string
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		must(t, err)
		packages = append(packages, parsed.Name.Name)
		for _, spec := range parsed.Imports {
			imports = append(imports, spec.Path.Value)
		}
	}
	slices.Sort(packages)
	if packages = slices.Compact(packages); !slices.Equal(packages, []string{"keyturn"}) {
		t.Errorf("packages at the root: %q, want keyturn alone", packages)
	}
	if !slices.Contains(imports, `"github.com/GoogleCloudPlatform/functions-framework-go/functions"`) {
		t.Errorf("the root package imports %q and not the functions framework's registry", imports)
	}
	for _, gone := range []string{"cmd", "internal", "functions_test.go"} {
		if _, err := os.Stat(filepath.Join(root, gone)); err == nil {
			t.Errorf("%s is uploaded", gone)
		}
	}
}

func TestIgnores(t *testing.T) {
	patterns := readIgnores(t, ".gitignore", "deploy.gcloudignore")
	for file, want := range map[string]bool{
		"functions.go": false, "functions_test.go": true, "shared/gcp/world_test.go": true, "README.md": true, "Makefile": true, "go.sum": false, "scheduler.yaml": false,
		"keyturn": true, "cmd/keyturn": false,
	} {
		if got := slices.ContainsFunc(patterns, func(p ignore) bool { return p.matches(file, false) }); got != want {
			t.Errorf("file %s is left out: %v, want %v", file, got, want)
		}
	}
	if (ignore{name: "cmd", dir: true}).matches("cmd", false) || !(ignore{name: "cmd", dir: true}).matches("cmd", true) {
		t.Error("a pattern that ends in / matches directories, and nothing else")
	}
}
