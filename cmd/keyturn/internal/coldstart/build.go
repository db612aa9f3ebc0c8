package coldstart

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const module = "example.com/keyturn"

// program is a main package to build within the module, so that it is made of the same
// versions.
type program struct{ name, source string }

// The functions as Google's buildpack makes them a program, and the least that the
// framework can be.
var programs = []program{
	{"functions", `package main

import (
	"log"
	"os"

	_ "example.com/keyturn"
	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
)

func main() { log.Fatal(funcframework.StartHostPort("127.0.0.1", os.Getenv("PORT"))) }
`},
	{"hello", `package main

import (
	"io"
	"log"
	"net/http"
	"os"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	"github.com/GoogleCloudPlatform/functions-framework-go/functions"
)

func init() {
	functions.HTTP("Hello", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello, world") })
}

func main() { log.Fatal(funcframework.StartHostPort("127.0.0.1", os.Getenv("PORT"))) }
`},
}

// errNoCheckout says what to do where there is no source.
var errNoCheckout = errors.New("this is no source checkout of keyturn: clone it, and run the command in it")

// checkout is the directory of keyturn's own source.
func checkout(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Path}}\t{{.Dir}}").Output()
	path, dir, _ := strings.Cut(strings.TrimSpace(string(out)), "\t")
	if err != nil || path != module {
		return "", errNoCheckout
	}
	return dir, nil
}

// build makes the programs in a directory. Their sources lie over the checkout, and
// nothing is written there.
func build(ctx context.Context, root, dir string) (map[string]string, error) {
	over := struct{ Replace map[string]string }{map[string]string{}}
	for _, p := range programs {
		source := filepath.Join(dir, p.name+".go")
		if err := os.WriteFile(source, []byte(p.source), 0o600); err != nil {
			return nil, fmt.Errorf("writing a program: %w", err)
		}
		over.Replace[filepath.Join(root, "coldstart.local", p.name, "main.go")] = source
	}
	text, err := json.Marshal(over)
	overlay := filepath.Join(dir, "overlay.json")
	if err = errors.Join(err, os.WriteFile(overlay, text, 0o600)); err != nil {
		return nil, fmt.Errorf("writing where the programs are: %w", err)
	}
	built := map[string]string{}
	for _, p := range programs {
		built[p.name] = filepath.Join(dir, p.name)
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-overlay", overlay, "-o", built[p.name], "./coldstart.local/"+p.name)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("building %s: %w: %s", p.name, err, bytes.TrimSpace(out))
		}
	}
	return built, nil
}
