package main

import (
	"encoding"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write docs/json.md anew")

var answerDocs = filepath.Join("..", "..", "docs", "json.md")

// TestTheDocsDescribeEveryAnswer: every field, with what its source says of it. After a
// change: go test ./cmd/keyturn -run Docs -update.
func TestTheDocsDescribeEveryAnswer(t *testing.T) {
	page := &answerPage{sources: map[string]map[string]*ast.StructType{}}
	want, err := page.render()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(answerDocs, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(answerDocs)
	if err != nil || string(got) != want {
		t.Errorf("docs/json.md does not say what the answers are (error %v): go test ./cmd/keyturn -run Docs -update", err)
	}
}

const answerIntroduction = `# Answers in JSON

With ` + "`--json`" + ` a command writes one JSON object to standard output, and nothing else
there; progress and warnings go to standard error. Fields keep their names and meanings:
new ones may come, so take one that you do not know for none. What is not marked
"always" is left out where it is empty. Times are RFC 3339, in UTC; what is written as
` + "`1h30m0s`" + ` is a duration.

A command that fails writes ` + "`{\"error\": …}`" + `, which says what happened, why, and the next
step, beside whatever it came to before. The exit code says how it ended.

This page is made from the source of the answers.

| command | answers with |
| --- | --- |
`

// answerPage is docs/json.md on the way.
type answerPage struct {
	types   []reflect.Type                        // described, or to be described
	sources map[string]map[string]*ast.StructType // by package and name
}

func (p *answerPage) render() (string, error) {
	var b strings.Builder
	b.WriteString(answerIntroduction)
	for _, command := range slices.Sorted(maps.Keys(answers)) {
		var names []string
		for _, t := range answers[command] {
			names = append(names, p.name(t))
		}
		fmt.Fprintf(&b, "| `keyturn %s` | %s |\n", command, strings.Join(names, ", "))
	}
	for i := 0; i < len(p.types); i++ { // describing one adds those that it is made of
		if err := p.describe(&b, p.types[i]); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// name is how a type is called, with a link to what it is made of. It is described, too.
func (p *answerPage) name(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "time"
	case t.Kind() == reflect.Pointer:
		return p.name(t.Elem())
	case t.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return "text"
	case t.Kind() == reflect.Slice:
		return "list of " + p.name(t.Elem())
	case t.Kind() == reflect.Map:
		return "object of " + p.name(t.Elem())
	case t.Kind() == reflect.Struct:
		if !slices.Contains(p.types, t) {
			p.types = append(p.types, t)
		}
		return fmt.Sprintf("[%s](#%s)", title(t), strings.ToLower(strings.ReplaceAll(title(t), ".", "")))
	}
	return kindNames[t.Kind()]
}

var kindNames = map[reflect.Kind]string{
	reflect.String: "text", reflect.Bool: "boolean", reflect.Float64: "number", reflect.Interface: "any",
	reflect.Int: "integer", reflect.Int32: "integer", reflect.Int64: "integer", reflect.Uint64: "integer", reflect.Uint32: "integer",
}

// title is a type's name, without what nobody but the source needs.
func title(t reflect.Type) string {
	if t.PkgPath() == reflect.TypeFor[app]().PkgPath() {
		return t.Name()
	}
	return path.Base(t.PkgPath()) + "." + t.Name()
}

func (p *answerPage) describe(b *strings.Builder, t reflect.Type) error {
	fmt.Fprintf(b, "\n## %s\n\n| field | type | there | meaning |\n| --- | --- | --- | --- |\n", title(t))
	for _, f := range reflect.VisibleFields(t) {
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && tag == "" || tag == "-" || !f.IsExported() || f.Type == reflect.TypeFor[*struct{}]() { // which hides one
			continue
		}
		source, err := p.source(holder(t, f))
		if err != nil {
			return err
		}
		always := "always"
		if strings.Contains(options, "omit") {
			always = ""
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", tag, p.name(f.Type), always, meaning(source, f.Name))
	}
	return nil
}

// holder is the struct that declares a field, which may be embedded in t.
func holder(t reflect.Type, f reflect.StructField) reflect.Type {
	for _, i := range f.Index[:len(f.Index)-1] {
		if t = t.Field(i).Type; t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
	}
	return t
}

// meaning is what the comment beside or above a field says.
func meaning(source *ast.StructType, field string) string {
	for _, f := range source.Fields.List {
		for _, name := range f.Names {
			if name.Name == field {
				said := strings.Fields(f.Comment.Text() + " " + f.Doc.Text())
				return strings.ReplaceAll(strings.Join(said, " "), "|", `\|`)
			}
		}
	}
	return ""
}

// source is the declaration of a type.
func (p *answerPage) source(t reflect.Type) (*ast.StructType, error) {
	if p.sources[t.PkgPath()] == nil {
		declared, err := declarations(filepath.Join("..", "..", strings.TrimPrefix(directory(t), "example.com/keyturn")))
		if err != nil {
			return nil, err
		}
		p.sources[t.PkgPath()] = declared
	}
	s := p.sources[t.PkgPath()][t.Name()]
	if s == nil {
		return nil, fmt.Errorf("the source of %v was not found", t)
	}
	return s, nil
}

// directory is the import path of a type's package, which tests call otherwise if it is
// this one.
func directory(t reflect.Type) string {
	if t.PkgPath() == reflect.TypeFor[app]().PkgPath() {
		return "example.com/keyturn/cmd/keyturn"
	}
	return t.PkgPath()
}

// declarations are the structs that the Go files of a directory declare.
func declarations(dir string) (map[string]*ast.StructType, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	all := map[string]*ast.StructType{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if s, ok := spec.Type.(*ast.StructType); ok {
					all[spec.Name.Name] = s
				}
			}
			return true
		})
	}
	return all, nil
}
