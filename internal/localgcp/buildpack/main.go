package buildpack

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
)

// mainText is the program around a function. One that registers itself is only linked,
// so that the program serves whichever FUNCTION_TARGET names; of another one the
// compiler has to find Target in its package.
var mainText = template.Must(template.New("main.go").Parse(`package main

import (
{{- if not .Declarative}}
	"context"
{{- end}}
	"io"
	"log"
{{- if not .Declarative}}
	"net/http"
{{- end}}
	"os"

	{{if .Declarative}}_{{else}}userfunction{{end}} "{{.Package}}"
	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
)

func main() {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0) // the embedded cloud has gone
	}()
{{- if not .Declarative}}
	if err := register(userfunction.{{.Target}}); err != nil {
		log.Fatal(err)
	}
{{- end}}
	log.Fatal(funcframework.StartHostPort("127.0.0.1", os.Getenv("PORT")))
}
{{- if not .Declarative}}

func register(function any) error {
	ctx := context.Background()
	if f, ok := function.(func(http.ResponseWriter, *http.Request)); ok {
		return funcframework.RegisterHTTPFunctionContext(ctx, "/", f)
	}
	return funcframework.RegisterEventFunctionContext(ctx, "/", function)
}
{{- end}}
`))

func writeMain(dir string, r root, mod module, target string) error {
	var text bytes.Buffer
	err := mainText.Execute(&text, struct {
		Package, Target string
		Declarative     bool
	}{mod.path, target, r.declarative})
	if err != nil {
		return fmt.Errorf("writing the program around the function: %w", err)
	}
	app := filepath.Join(dir, filepath.FromSlash(appDir))
	if err := os.MkdirAll(app, 0o700); err != nil {
		return fmt.Errorf("writing the program around the function: %w", err)
	}
	if err := os.WriteFile(filepath.Join(app, "main.go"), text.Bytes(), 0o600); err != nil {
		return fmt.Errorf("writing the program around the function: %w", err)
	}
	return nil
}
