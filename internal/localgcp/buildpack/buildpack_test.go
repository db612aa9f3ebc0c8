package buildpack_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"example.com/keyturn/internal/localgcp/buildpack"
	"example.com/keyturn/internal/localgcp/buildpack/sample"
	"example.com/keyturn/internal/localgcp/run/instance"
	"example.com/keyturn/internal/raced"
)

// source writes a function to deploy.
func source(t *testing.T, changes map[string]string) buildpack.Source {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "source-")
	if err == nil {
		err = sample.Write(dir, sample.Files(changes))
	}
	if err != nil {
		t.Fatal(err)
	}
	return buildpack.Source{Dir: dir, Target: "Hello", Runtime: "go126"}
}

const (
	framework = "github.com/GoogleCloudPlatform/functions-framework-go"
	plain     = "package hello\n\nimport \"net/http\"\n\nfunc Hello(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`plain`)) }\n"
)

// TestWhatIsRefused has the mistakes that Google's buildpack was seen to refuse, and its
// words.
func TestWhatIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		changes map[string]string
		target  string
		want    string
	}{
		"a package of tests":      {map[string]string{"hello_test.go": "package hello_test\n"}, "", "multiple packages in user code directory: hello != hello_test"},
		"a program beside it":     {map[string]string{"main.go": "package main\n"}, "", "multiple packages in user code directory: hello != main"},
		"a part of a module":      {map[string]string{"go.mod": ""}, "", "cannot find package"},
		"nothing at the root":     {map[string]string{"hello.go": "", "hello/hello.go": plain}, "", "unable to find Go package in "},
		"no dot":                  {map[string]string{"go.mod": "module hello/hello\n\ngo 1.25\n"}, "", "must contain a dot in the first path element before a slash, e.g. example.com/module, found: hello/hello"},
		"newer than the runtime":  {map[string]string{"go.mod": "module example.com/hello\n\ngo 1.99\n"}, "", "go.mod requires go >= 1.99 (running go 1.26; GOTOOLCHAIN=local)"},
		"no module":               {map[string]string{"go.mod": "go 1.25\n"}, "", "must contain a dot"},
		"no go.mod":               {map[string]string{"go.mod": "moodule x\n"}, "", "errors parsing go.mod"},
		"no Go":                   {map[string]string{"hello.go": "package\n"}, "", "failed to parse source"},
		"vendored without it":     {map[string]string{"vendor/modules.txt": "# x\n"}, "", `vendored dependencies must include "` + framework},
		"a target that is none":   {nil, "Hello(); panic", "entry point"},
		"what is not uploaded":    {map[string]string{"hello.go": "package hello\n\nimport _ \"example.com/hello/internal/gone\"\n"}, "", "example.com/hello/internal/gone"},
		"registered by a package": {map[string]string{"hello.go": "package hello\n\nimport _ \"example.com/hello/inner\"\n", "inner/inner.go": strings.Replace(plain, "package hello", "package inner", 1)}, "", "undefined: userfunction.Hello"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := source(t, tt.changes)
			if tt.target != "" {
				s.Target = tt.target
			}
			_, err := buildpack.New(buildpack.Config{Dir: t.TempDir()}).Build(t.Context(), s)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
			if _, err := os.Stat(s.Dir); !os.IsNotExist(err) {
				t.Errorf("the source is left: %v", err)
			}
		})
	}
	s := source(t, nil)
	s.Runtime = "nodejs22"
	if _, err := buildpack.New(buildpack.Config{Dir: t.TempDir()}).Build(t.Context(), s); err == nil || !strings.Contains(err.Error(), "is not one of Go's") {
		t.Errorf("another runtime: %v", err)
	}
}

// serve runs a program and returns what it answers.
func serve(t *testing.T, program string) string {
	t.Helper()
	addr, err := instance.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(addr, ":")
	cmd := exec.Command(program)
	cmd.Env = []string{"PORT=" + port, "FUNCTION_TARGET=Hello"}
	p, err := instance.Start(t.Context(), cmd, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	resp, err := http.Get("http://" + addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestWhatIsBuilt(t *testing.T) {
	if testing.Short() || raced.Detector {
		t.Skip("it builds programs, which the race detector learns nothing of")
	}
	for name, tt := range map[string]struct {
		changes map[string]string
		changed bool
		want    string
	}{
		"registered":        {map[string]string{"hello_test.go": "package hello\n"}, false, "/"},
		"found by its name": {map[string]string{"hello.go": plain}, false, "plain"},
		"not tidy":          {map[string]string{"go.mod": "module example.com/hello\n\ngo 1.25\n\nreplace " + framework + " => ./framework\n"}, true, "/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, s := buildpack.New(buildpack.Config{Dir: t.TempDir()}), source(t, tt.changes)
			p, err := b.Build(t.Context(), s)
			if err != nil || p.Changed != tt.changed {
				t.Fatalf("%+v, %v", p, err)
			}
			if got := serve(t, p.Path); !strings.HasPrefix(got, tt.want) {
				t.Errorf("it answers %q", got)
			}
			before, err := os.Stat(p.Path)
			if err != nil {
				t.Fatal(err)
			}
			again, err := b.Build(t.Context(), source(t, tt.changes))
			after, gone := os.Stat(p.Path)
			if err != nil || again != p || gone != nil || !after.ModTime().Equal(before.ModTime()) {
				t.Errorf("built again: %+v, %v, %v", again, err, gone)
			}
		})
	}
}

// TestVendoredSourceIsBuiltAsItIs, without go mod tidy.
func TestVendoredSourceIsBuiltAsItIs(t *testing.T) {
	if testing.Short() || raced.Detector {
		t.Skip("it builds a program, which the race detector learns nothing of")
	}
	s := source(t, map[string]string{"framework.go": "package hello\n\nimport _ \"" + framework + "/funcframework\"\n"})
	cmd := exec.CommandContext(t.Context(), "go", "mod", "vendor")
	cmd.Dir = s.Dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p, err := buildpack.New(buildpack.Config{Dir: t.TempDir(), Env: append(os.Environ(), "GOPROXY=off", "GOFLAGS=")}).Build(t.Context(), s)
	if err != nil || p.Changed {
		t.Fatalf("%+v, %v", p, err)
	}
	if got := serve(t, p.Path); !strings.HasPrefix(got, "/") {
		t.Errorf("it answers %q", got)
	}
}

// TestModulesAreFoundInTheCacheWhenTheProxyIsDown adds a requirement, as go mod tidy
// does, from the cache of a machine whose proxy does not answer.
func TestModulesAreFoundInTheCacheWhenTheProxyIsDown(t *testing.T) {
	if testing.Short() || raced.Detector {
		t.Skip("it builds a program, which the race detector learns nothing of")
	}
	modules := t.TempDir()
	cached := filepath.Join(modules, "cache", "download", "example.com", "kept", "@v")
	must(t, os.MkdirAll(cached, 0o700))
	const mod = "module example.com/kept\n\ngo 1.25\n"
	for name, text := range map[string]string{
		"list": "v1.0.0\n", "v1.0.0.mod": mod, "v1.0.0.info": `{"Version":"v1.0.0"}`,
		"v1.0.0.zip": string(sample.Zip(map[string]string{"example.com/kept@v1.0.0/go.mod": mod, "example.com/kept@v1.0.0/kept.go": "package kept\n"})),
	} {
		must(t, os.WriteFile(filepath.Join(cached, name), []byte(text), 0o600))
	}
	env := append(os.Environ(), "GOMODCACHE="+modules, "GOPROXY=http://127.0.0.1:1", "GOFLAGS=-modcacherw")
	needy := map[string]string{"kept.go": "package hello\n\nimport _ \"example.com/kept\"\n"}
	p, err := buildpack.New(buildpack.Config{Dir: t.TempDir(), Env: env}).Build(t.Context(), source(t, needy))
	if err != nil || !p.Changed {
		t.Errorf("%+v, %v", p, err)
	}
	must(t, os.RemoveAll(cached))
	_, err = buildpack.New(buildpack.Config{Dir: t.TempDir(), Env: env}).Build(t.Context(), source(t, needy))
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") { // it is the proxy whose words are told
		t.Errorf("no module: %v", err)
	}
}

func TestBuildsEndWithTheirCaller(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(fmt.Errorf("on purpose"))
	_, err := buildpack.New(buildpack.Config{Dir: t.TempDir()}).Build(ctx, source(t, nil))
	if err == nil || !strings.Contains(err.Error(), "on purpose") {
		t.Errorf("error %v", err)
	}
	s := source(t, nil)
	s.Dir += "-gone"
	if _, err := buildpack.New(buildpack.Config{Dir: t.TempDir()}).Build(t.Context(), s); err == nil || !strings.Contains(err.Error(), "reading the source") {
		t.Errorf("no source: %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
