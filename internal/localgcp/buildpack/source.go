package buildpack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"go/version"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// digestOf tells sources apart by the names and the contents of their files, and by the
// function, since a main may be made for one alone.
func digestOf(s Source) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(s.Dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(s.Dir, name)
		if err != nil {
			return err
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		each := sha256.New()
		if _, err := io.Copy(each, f); err != nil {
			return err
		}
		fmt.Fprintf(h, "%q %x\n", filepath.ToSlash(rel), each.Sum(nil))
		return nil
	})
	if err != nil {
		return "", err
	}
	fmt.Fprintf(h, "%q", s.Runtime)
	if root, err := readRoot(s.Dir); err != nil || !root.declarative {
		fmt.Fprintf(h, "%q", s.Target)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// root is the package in the directory that was uploaded.
type root struct {
	name        string
	declarative bool // it imports the framework's registry itself
}

// readRoot parses every Go file of the directory, tests and such as are for other
// systems included, as Google's buildpack does.
func readRoot(dir string) (root, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return root{}, err
	}
	var r root
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return root{}, fmt.Errorf("error extracting package name: failed to parse source: %w", err)
		}
		if r.name != "" && r.name != parsed.Name.Name {
			names := []string{r.name, parsed.Name.Name}
			slices.Sort(names)
			return root{}, fmt.Errorf("error extracting package name: multiple packages in user code directory: %s != %s", names[0], names[1])
		}
		r.name = parsed.Name.Name
		for _, spec := range parsed.Imports {
			r.declarative = r.declarative || spec.Path.Value == strconv.Quote(framework+"/functions")
		}
	}
	if r.name == "" {
		return root{}, fmt.Errorf("error extracting package name: unable to find Go package in %s", dir)
	}
	return r, nil
}

// module is what go.mod says.
type module struct {
	path      string // of the root package
	framework bool   // it names the functions framework
	vendored  bool
}

func (b *Builder) readModule(ctx context.Context, dir, runtime string) (module, error) {
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); errors.Is(err, fs.ErrNotExist) {
		return module{}, errors.New("cannot find package: there is no go.mod in what was uploaded, so that Google's buildpack builds in GOPATH mode, where packages of the same module are not found; deploy from the directory of go.mod, with --entry-point")
	}
	text, err := b.run(ctx, dir, "go", "mod", "edit", "-json")
	if err != nil {
		return module{}, err
	}
	var f struct {
		Module  struct{ Path string }
		Go      string
		Require []struct{ Path string }
	}
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		return module{}, fmt.Errorf("reading go.mod: %w", err)
	}
	m := module{path: f.Module.Path}
	if first, _, _ := strings.Cut(m.path, "/"); !strings.Contains(first, ".") {
		return module{}, fmt.Errorf("the module path in the function's go.mod must contain a dot in the first path element before a slash, e.g. example.com/module, found: %s", m.path)
	}
	m.framework = slices.ContainsFunc(f.Require, func(r struct{ Path string }) bool { return r.Path == framework })
	if err := checkVersion(f.Go, runtime); err != nil {
		return module{}, err
	}
	return m, m.checkVendored(dir)
}

// checkVersion refuses what is newer than the runtime, whose toolchain is the only one.
func checkVersion(wants, runtime string) error {
	digits, ok := strings.CutPrefix(runtime, "go1")
	if _, err := strconv.Atoi(digits); !ok || err != nil {
		return fmt.Errorf("runtime %q is not one of Go's, such as go126", runtime)
	}
	if version.Compare(version.Lang("go"+wants), "go1."+digits) > 0 {
		return fmt.Errorf("go: go.mod requires go >= %s (running go 1.%s; GOTOOLCHAIN=local)", wants, digits)
	}
	return nil
}

// checkVendored wants the framework among the vendored packages, if there are any.
func (m *module) checkVendored(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "vendor")); err != nil {
		return nil
	}
	m.vendored = true
	if _, err := os.Stat(filepath.Join(dir, "vendor", filepath.FromSlash(framework), "funcframework")); err != nil || !m.framework {
		return fmt.Errorf("vendored dependencies must include %q; if your function does not depend on the module, please add a blank import: `_ %q`", framework, framework+"/funcframework")
	}
	return nil
}
