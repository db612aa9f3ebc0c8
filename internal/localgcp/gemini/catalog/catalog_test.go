package catalog

import (
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	for _, c := range []struct{ verb, path, rpc, name string }{
		{"GET", "/v1beta/models", "google.ai.generativelanguage.v1beta.ModelService.ListModels", "models"},
		{"GET", "/v1/models/m", "google.ai.generativelanguage.v1.ModelService.GetModel", "models/m"},
		{"POST", "/v1/models/m:generateContent", "google.ai.generativelanguage.v1.GenerativeService.GenerateContent", "models/m"},
		{"POST", "/upload/v1beta/files", "google.ai.generativelanguage.v1beta.FileService.CreateFile", "files"},
		{"POST", "/v1beta/files:register", "google.ai.generativelanguage.v1beta.FileService.RegisterFiles", "files"},
		{"POST", "/v1beta/corpora/c/documents/d/chunks:batchCreate", "google.ai.generativelanguage.v1beta.RetrieverService.BatchCreateChunks", "corpora/c/documents/d/chunks"},
		{"GET", "/v1beta/batches/b", "google.longrunning.Operations.GetOperation", "batches/b"},
	} {
		got, ok := Find(c.verb, c.path)
		if !ok || got.FullName(got.Version) != c.rpc || got.Name != c.name {
			t.Errorf("%s %s: %v, %v", c.verb, c.path, got, ok)
		}
	}
	for _, c := range [][2]string{
		{"GET", ""}, {"GET", "/"}, {"GET", "/v1beta"}, {"GET", "/v1beta/"}, {"GET", "/v2/models"}, {"GET", "/v1/files"}, {"POST", "/v1beta/models"},
		{"GET", "/v1beta/models/"}, {"GET", "/v1beta/models/*"}, {"GET", "/v1beta/models/a/b"}, {"GET", "/v1beta/models/\xff"},
		{"POST", "/v1beta/models/m:run"}, {"POST", "/v1beta/models:generateContent"},
	} {
		if got, ok := Find(c[0], c[1]); ok {
			t.Errorf("%s %s is %v", c[0], c[1], got)
		}
	}
}

// TestTable checks what each row must have, and that none hides another.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range Methods() {
		id := m.HTTP + " " + m.Path
		if seen[id] {
			t.Errorf("%s is there twice", id)
		}
		seen[id] = true
		got, ok := Find(m.HTTP, "/v1beta/"+strings.ReplaceAll(m.Path, "*", "x"))
		if !ok || got.Method != m {
			t.Errorf("%s finds %v, %v", id, got, ok)
		}
		parts := strings.Split(m.Permission, ".")
		if len(parts) != 3 || parts[0] != "generativelanguage" {
			t.Errorf("%s takes %s", id, m.Permission)
		}
		if read := m.HTTP == "GET"; read && (m.Kind == DataWrite || m.Kind == AdminWrite) || (m.HTTP == "DELETE" || m.HTTP == "PATCH") && (m.Kind == DataRead || m.Kind == AdminRead) {
			t.Errorf("%s is %s", id, m.Kind)
		}
	}
	if len(seen) < 45 {
		t.Errorf("only %d methods", len(seen))
	}
}

func TestModels(t *testing.T) {
	for _, m := range Models() {
		if got, ok := FindModel(m.Name); !ok || got.Name != m.Name || len(m.SupportedGenerationMethods) == 0 {
			t.Errorf("%s: %v, %v", m.Name, got, ok)
		}
	}
	if _, ok := FindModel("gemini-2.5-flash"); ok {
		t.Error("a model is found without models/")
	}
	if list, _ := Find("GET", "/v1beta/models"); list.Verb() != "listModels" {
		t.Errorf("ListModels is called %s", list.Verb())
	}
	if m, _ := FindModel("models/gemini-embedding-001"); m.Supports("generateContent") || !m.Supports("embedContent") {
		t.Errorf("the embedding model supports %v", m.SupportedGenerationMethods)
	}
}

func FuzzFind(f *testing.F) {
	f.Add("GET", "/v1beta/models")
	f.Add("POST", "/v1beta/models/a:b:c")
	f.Fuzz(func(t *testing.T, verb, path string) {
		if c, ok := Find(verb, path); ok && (!strings.Contains(path, c.Name) || c.HTTP != verb) {
			t.Errorf("%q %q is %v", verb, path, c)
		}
	})
}
