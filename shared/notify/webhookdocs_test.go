package notify

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/alerting"
	"github.com/google/go-cmp/cmp"
)

// webhookDocs is docs/webhook.md.
var webhookDocs = filepath.Join("..", "..", "docs", "webhook.md")

// column is a field of the body: its name, its type, and whether it is always there.
type column struct{ Name, Type, There string }

// TestTheDocsDescribeTheBody: every field of it, and no other, in its order.
func TestTheDocsDescribeTheBody(t *testing.T) {
	page, err := os.ReadFile(webhookDocs)
	if err != nil {
		t.Fatal(err)
	}
	var got []column
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([a-z]+) \\| ([a-z]*) ?\\| .").FindAllStringSubmatch(string(page), -1) {
		got = append(got, column{m[1], m[2], m[3]})
	}
	if diff := cmp.Diff(columns(t, reflect.TypeFor[webhookBody]()), got); diff != "" {
		t.Errorf("docs/webhook.md (-want +got):\n%s", diff)
	}
	for _, state := range states {
		if !strings.Contains(string(page), "`"+string(state)+"`") {
			t.Errorf("docs/webhook.md does not say what %s is", state)
		}
	}
}

// columns are the fields of a struct as they are in JSON.
func columns(t *testing.T, of reflect.Type) (all []column) {
	t.Helper()
	for i := range of.NumField() {
		field := of.Field(i)
		if field.Anonymous {
			all = append(all, columns(t, field.Type)...)
			continue
		}
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		c := column{Name: name, Type: kinds[field.Type.Kind()]}
		if options == "" {
			c.There = "always"
		}
		switch field.Type {
		case reflect.TypeFor[time.Time]():
			c.Type = "time"
		case reflect.TypeFor[alerting.Severity](): // which is written as a text
			c.Type = "text"
		}
		all = append(all, c)
	}
	return all
}

var kinds = map[reflect.Kind]string{reflect.String: "text", reflect.Int: "integer", reflect.Bool: "boolean", reflect.Map: "object", reflect.Slice: "list"}

// TestTheDocsShowABody, whole and as it comes. After a change: go test ./shared/notify
// -run Docs -update.
func TestTheDocsShowABody(t *testing.T) {
	page, err := os.ReadFile(webhookDocs)
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```json\n(.*?)```")
	want := indented(t, webhookBodyOf(stolenKey(alerting.Open), deployed))
	if *update {
		changed := block.ReplaceAllLiteralString(string(page), "```json\n"+want+"```")
		if err := os.WriteFile(webhookDocs, []byte(changed), 0o666); err != nil {
			t.Fatal(err)
		}
		page = []byte(changed)
	}
	found := block.FindAllSubmatch(page, -1)
	if len(found) != 1 {
		t.Fatalf("docs/webhook.md has %d bodies, want 1", len(found))
	}
	if diff := cmp.Diff(want, string(found[0][1])); diff != "" {
		t.Errorf("docs/webhook.md (-want +got):\n%s", diff)
	}
	var shown map[string]any
	if err := json.Unmarshal(found[0][1], &shown); err != nil {
		t.Fatal(err)
	}
	for _, c := range columns(t, reflect.TypeFor[webhookBody]()) {
		if missing := []string{"only", "decided", "by", "why", "outcome", "warning"}; (shown[c.Name] == nil) != slices.Contains(missing, c.Name) {
			t.Errorf("the example has %s: %v", c.Name, shown[c.Name])
		}
	}
}
