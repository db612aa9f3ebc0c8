// Package buildpack makes a program of the source of a function, by the rules of
// Google's buildpack for Go functions (cmd/go/functions_framework of
// github.com/GoogleCloudPlatform/buildpacks), so that what the cloud would refuse is
// refused here, in the same words. The code is keyturn's own.
//
// Unlike Google's it keeps the machine's module cache and has the programs listen on
// loopback, for as long as their standard input is open.
package buildpack

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// Config is what a Builder needs.
type Config struct {
	Dir string   // where programs are kept; required
	Env []string // of the go command; nil is os.Environ
}

// Builder builds programs, each once, and one at a time. It is safe for concurrent use.
type Builder struct {
	cfg Config

	mu    sync.Mutex
	built map[string]Program // by what they are made of
}

// New returns a builder that has built nothing yet.
func New(c Config) *Builder {
	if c.Env == nil {
		c.Env = os.Environ()
	}
	return &Builder{cfg: c, built: map[string]Program{}}
}

// Source is what to build.
type Source struct {
	Dir     string // what was uploaded, unpacked; it is taken away
	Target  string // the function, as --entry-point has it
	Runtime string // such as go126
}

// Program is what became of it.
type Program struct {
	Path    string // of the executable
	Digest  string // of what it was made of: the same for the same source
	Changed bool   // whether go mod tidy changed go.mod or go.sum, as it does in the cloud, silently
}

const (
	// sourceDir is where Google's buildpack moves what was uploaded.
	sourceDir = "serverless_function_source_code"
	appDir    = "functions.local/app"

	framework = "github.com/GoogleCloudPlatform/functions-framework-go"
	// frameworkVersion is the one that a module which names none gets.
	frameworkVersion = "v1.9.2"
)

// Build makes the program. What its error says is for whoever deployed the source.
func (b *Builder) Build(ctx context.Context, s Source) (Program, error) {
	defer os.RemoveAll(s.Dir)
	digest, err := digestOf(s)
	if err != nil {
		return Program{}, fmt.Errorf("reading the source: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if p, ok := b.built[digest]; ok {
		return p, nil
	}
	source := filepath.Join(b.cfg.Dir, digest[:16], sourceDir)
	defer os.RemoveAll(source)
	if err := move(s.Dir, source); err != nil {
		return Program{}, err
	}
	p, err := b.build(ctx, source, s)
	if err != nil {
		return Program{}, err
	}
	p.Digest = digest
	b.built[digest] = p
	return p, nil
}

func move(from, to string) error {
	if err := os.RemoveAll(to); err != nil { // of a build that failed
		return fmt.Errorf("making room for the source: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return fmt.Errorf("making room for the source: %w", err)
	}
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("moving the source to where it is built: %w", err)
	}
	return nil
}

func (b *Builder) build(ctx context.Context, dir string, s Source) (p Program, err error) {
	if !token.IsIdentifier(s.Target) {
		return p, fmt.Errorf("entry point %q is not the name of a function", s.Target)
	}
	root, err := readRoot(dir)
	if err != nil {
		return p, err
	}
	mod, err := b.readModule(ctx, dir, s.Runtime)
	if err != nil {
		return p, err
	}
	if err := writeMain(dir, root, mod, s.Target); err != nil {
		return p, err
	}
	if p.Changed, err = b.tidy(ctx, dir, mod); err != nil {
		return p, err
	}
	p.Path = filepath.Join(filepath.Dir(dir), "main")
	_, err = b.run(ctx, dir, "go", "build", "-o", p.Path, "./"+appDir)
	return p, err
}

// tidy does what Google's buildpack does before each build, unless the module is
// vendored, and tells whether that changed anything. A module that does not name the
// functions framework gets it.
func (b *Builder) tidy(ctx context.Context, dir string, mod module) (changed bool, err error) {
	if mod.vendored {
		return false, nil
	}
	before := modules(dir)
	if !mod.framework {
		if _, err := b.run(ctx, dir, "go", "mod", "edit", "-require="+framework+"@"+frameworkVersion); err != nil {
			return false, err
		}
	}
	_, err = b.run(ctx, dir, "go", "mod", "tidy")
	return !bytes.Equal(before, modules(dir)), err
}

func modules(dir string) []byte {
	var all []byte
	for _, name := range []string{"go.mod", "go.sum"} {
		text, _ := os.ReadFile(filepath.Join(dir, name)) // there may be no go.sum yet
		all = append(append(all, text...), 0)
	}
	return all
}

// run runs the go command as the buildpack does, with the toolchain that is there, and
// where the module proxy does not answer once more with the module cache for a proxy.
func (b *Builder) run(ctx context.Context, dir string, args ...string) (string, error) {
	out, err := b.try(ctx, dir, args)
	if err == nil || !missing(err) {
		return out, err
	}
	cache, unknown := b.try(ctx, dir, []string{"go", "env", "GOMODCACHE"})
	if unknown != nil {
		return "", err
	}
	proxy := "GOPROXY=file://" + filepath.ToSlash(filepath.Join(strings.TrimSpace(cache), "cache", "download"))
	if out, again := b.try(ctx, dir, args, proxy, "GONOSUMDB=*"); again == nil {
		return out, nil
	}
	return "", err // says what the proxy said
}

// missing reports whether a module could not be had.
func missing(err error) bool {
	text := err.Error()
	for _, hint := range []string{"dial tcp", "no such host", "module lookup disabled", "proxyconnect", "connection refused", "i/o timeout"} {
		if strings.Contains(text, hint) {
			return true
		}
	}
	return false
}

func (b *Builder) try(ctx context.Context, dir string, args []string, env ...string) (string, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(append(b.cfg.Env[:len(b.cfg.Env):len(b.cfg.Env)], "GOTOOLCHAIN=local", "GOWORK=off", "PWD="+dir), env...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		text := cmp.Or(strings.TrimSpace(said.String()), strings.TrimSpace(out.String()), err.Error())
		return "", fmt.Errorf("running %q: %w", strings.Join(args, " "), errors.New(text))
	}
	return out.String(), nil
}
