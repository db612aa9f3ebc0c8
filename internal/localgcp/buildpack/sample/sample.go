// Package sample has functions for tests to build, whose functions framework is a small
// one of their own: nothing is fetched, and little is compiled.
package sample

import (
	"archive/zip"
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

const module = "github.com/GoogleCloudPlatform/functions-framework-go"

// Files are those of a function Hello, which answers with an environment variable that
// the query names, and with its trace of a request. A change replaces a file, or with ""
// leaves it out.
func Files(changes map[string]string) map[string]string {
	all := map[string]string{
		"go.mod": "module example.com/hello\n\ngo 1.25\n\nrequire " + module + " v1.9.2\n\nreplace " + module + " => ./framework\n",
		"hello.go": `package hello

import (
	"fmt"
	"net/http"
	"os"

	"` + module + `/functions"
)

func init() { functions.HTTP("Hello", Hello) }

// Hello is the function.
func Hello(w http.ResponseWriter, r *http.Request) {
	fmt.Println("{\"severity\":\"NOTICE\",\"message\":\"called\"}")
	if r.URL.Query().Has("fail") {
		w.WriteHeader(http.StatusInternalServerError)
	}
	fmt.Fprintf(w, "%s %s %q", r.URL.Path, r.Header.Get("Authorization"), os.Getenv(r.URL.Query().Get("env")))
}
`,
		"framework/go.mod": "module " + module + "\n\ngo 1.25\n",
		"framework/functions/functions.go": `package functions

import "net/http"

var Registered = map[string]http.HandlerFunc{}

func HTTP(name string, f http.HandlerFunc) { Registered[name] = f }
`,
		"framework/funcframework/funcframework.go": `package funcframework

import (
	"context"
	"errors"
	"net/http"
	"os"

	"` + module + `/functions"
)

func RegisterHTTPFunctionContext(_ context.Context, _ string, f func(http.ResponseWriter, *http.Request)) error {
	functions.HTTP(os.Getenv("FUNCTION_TARGET"), f)
	return nil
}

func RegisterEventFunctionContext(context.Context, string, any) error { return errors.New("no events") }

func StartHostPort(host, port string) error {
	f := functions.Registered[os.Getenv("FUNCTION_TARGET")]
	if f == nil {
		return errors.New("no matching function found")
	}
	return http.ListenAndServe(host+":"+port, f)
}
`,
	}
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_, text string) bool { return text == "" })
	return all
}

// Write writes files below a directory.
func Write(dir string, files map[string]string) error {
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return fmt.Errorf("writing a sample: %w", err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return fmt.Errorf("writing a sample: %w", err)
		}
	}
	return nil
}

// Zip is an archive of files.
func Zip(files map[string]string) []byte {
	var packed bytes.Buffer
	w := zip.NewWriter(&packed)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := w.Create(name)
		if err == nil {
			_, err = f.Write([]byte(files[name]))
		}
		if err != nil {
			panic(err) // nothing is written but memory
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return packed.Bytes()
}
