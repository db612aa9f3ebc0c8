// Package yamlfile reads YAML files that people write: strictly, and with the
// line and column of everything that is wrong, which is told together.
package yamlfile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Problem is one thing that is wrong with a file.
type Problem struct {
	File         string
	Line, Column int // counted from 1, in characters; 0 is the whole file
	Reason       string
}

// Error says what is wrong and where.
func (p Problem) Error() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", p.File, p.Reason)
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Reason)
}

// Read returns the content of a file of at most that many bytes. what is the
// file's kind, as in "rules".
func Read(name, what string, most int64) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	defer file.Close() // it was only read
	if info, err := file.Stat(); err == nil && info.IsDir() {
		return nil, Problem{File: name, Reason: fmt.Sprintf("not a file of %s: it is a directory", what)}
	}
	return ReadFrom(file, name, what, most)
}

// ReadFrom is Read of what is open already.
func ReadFrom(r io.Reader, name, what string, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1)) // a device has no end, and no size before it
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	if int64(len(data)) > most {
		return nil, Problem{File: name, Reason: fmt.Sprintf("not a file of %s: it is longer than %d bytes", what, most)}
	}
	return data, nil
}

// most problems of a file are told: nobody reads on, and a log takes no more.
const most = 100

// File gathers what is wrong with one file.
type File struct {
	Name     string    // told with each problem
	Problems []Problem // as they were found
	// Explain puts a complaint of YAML's about a place into better words; nil leaves
	// all as they are.
	Explain func(Position, string) (Position, string)
	more    int // that are not told
}

// Problem adds one.
func (f *File) Problem(at Position, format string, args ...any) {
	if len(f.Problems) == most {
		f.more++
		return
	}
	f.Problems = append(f.Problems, Problem{f.Name, at.Line, at.Column, fmt.Sprintf(format, args...)})
}

// Sorted returns the problems in the order of the file, and at the end how many more
// there are.
func (f *File) Sorted() []Problem {
	sorted := slices.SortedStableFunc(slices.Values(f.Problems), func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	if f.more > 0 {
		sorted = append(sorted, Problem{File: f.Name, Reason: fmt.Sprintf("and %d more, which are told once some of these are mended", f.more)})
	}
	return sorted
}

// Err joins what Sorted returns.
func (f *File) Err() error {
	var errs []error
	for _, p := range f.Sorted() {
		errs = append(errs, p)
	}
	return errors.Join(errs...)
}

// byteOrderMark begins what some editors write.
var byteOrderMark = []byte("\ufeff")

// Root returns what the one document of a file consists of; nil with a problem.
// want says what should stand there, as in "want 'rules:'".
func (f *File) Root(data []byte, want string) ast.Node {
	data = bytes.TrimPrefix(data, byteOrderMark)
	if where, ok := deep(data); ok {
		f.Problem(where, "nested more than %d deep, or brackets that are never closed", maxNesting)
		return nil
	}
	parsed, err := parser.ParseBytes(data, 0)
	if err != nil {
		f.Failed(err, nil)
		return nil
	}
	if len(parsed.Docs) != 1 {
		f.Problem(Position{}, "%d YAML documents: want one", len(parsed.Docs))
		return nil
	}
	body := parsed.Docs[0].Body
	if body == nil {
		f.Problem(Position{}, "the file is empty: %s", want)
	}
	return body
}

// Failed adds an error of the YAML parser or decoder, which is of node if it says
// nothing else.
func (f *File) Failed(err error, node ast.Node) {
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil {
		where, message := At(e.GetToken()), complaint(e.GetMessage())
		if f.Explain != nil {
			where, message = f.Explain(where, message)
		}
		f.Problem(where, "%s", message)
		return
	}
	var where Position
	if node != nil {
		where = At(node.GetToken())
	}
	f.Problem(where, "%s", complaint(err.Error()))
}
