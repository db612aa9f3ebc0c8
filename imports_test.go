package keyturn

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "example.com/keyturn"

// lazy stands in for the standard library's regexp, wherever that may be imported.
const lazy = "shared/lazyregexp"

// layers are the parts of the module, by path below it, and what of the module
// each may import. Whatever is not listed may not be imported.
var layers = []struct {
	path string
	may  []string
	pure bool // of what is not the module's, nothing but the standard library
}{
	{path: "shared/rotation", pure: true},
	{path: "shared/detect", pure: true},
	{path: "shared/alerting", pure: true},
	{path: "shared/inventory", may: []string{"shared/rotation"}, pure: true},
	{path: "shared/posture", may: []string{"shared/inventory", "shared/rotation", "shared/detect"}, pure: true},
	{path: "shared/event", may: []string{"shared/event", "shared/rotation", "shared/detect", "shared/alerting"}},
	{path: "shared/deployment", may: []string{"shared/event"}},
	{path: "shared/yamlfile", may: []string{}},
	{path: "shared/loopback", pure: true},
	{path: "shared/egress", pure: true},
	{path: lazy, pure: true},
	{path: "shared/identity", may: []string{}},
	{path: "shared/channel", may: []string{"shared/alertfile", "shared/egress", "shared/notify", "shared/alerting"}},
	{path: "shared/rule", may: []string{"shared/yamlfile", "shared/rotation", "shared/detect", "shared/alerting"}},
	{path: "shared/alertfile", may: []string{"shared/yamlfile", "shared/loopback", "shared/event", "shared/detect", "shared/alerting"}},
	{path: "shared/atomicfile", pure: true},
	{path: "shared/state", may: []string{"shared/state", "shared/atomicfile"}},
	{path: "shared/gcp/jobs", may: []string{"shared/gcp"}},
	{path: "shared/gcp/survey", may: []string{"shared/gcp", "shared/deployment", "shared/rotation"}},
	{path: "shared/gcp", may: []string{"shared/egress", "shared/inventory", "shared/posture", "shared/event", "shared/state", "shared/rotation", "shared/detect", "shared/alerting"}},
	{path: "shared/notify", may: []string{"shared/egress", "shared/posture", "shared/loopback", "shared/event", "shared/rotation", "shared/detect", "shared/alerting"}},
	{path: "shared/explanation", may: []string{"shared/gcp", "shared/notify", "shared/event", "shared/detect"}},
	{path: "shared/survey", may: []string{"shared/atomicfile", "shared/gcp", "shared/inventory", "shared/rotation"}},
	{path: "functions", may: []string{"functions/door", "shared"}},
	{path: "internal/localgcp", may: []string{"internal/localgcp"}},
	{path: "internal/granted", may: []string{"internal/localgcp", "shared/deployment"}},
	{path: "internal/raced", pure: true},
	{path: "internal/schedule", may: []string{"internal/localgcp/scheduler/cron"}},
	{path: "cmd", may: []string{"", "cmd", "functions", "shared", "internal"}},
	{path: "", may: []string{"functions", "shared"}},
}

// TestImportDirections keeps cmd → functions → shared/{gcp,notify,event,rule,state}
// → shared/{rotation,detect,alerting} → standard library, and deployed code free
// of internal/.
func TestImportDirections(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatalf("listing packages: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) < 10 {
		t.Fatalf("only %d packages were listed", len(lines))
	}
	for _, line := range lines {
		fields := strings.Fields(line)
		for _, imported := range fields[1:] {
			if reason := forbidden(below(fields[0]), imported); reason != "" {
				t.Errorf("%s imports %s: %s", fields[0], imported, reason)
			}
		}
	}
}

func TestForbiddenImportsAreNoticed(t *testing.T) {
	for _, tt := range []struct {
		from, imported string
		allowed        bool
	}{
		{"shared/rotation", "time", true},
		{"shared/rotation", "github.com/google/uuid", false},
		{"shared/detect", module + "/shared/event", false},
		{"shared/inventory", module + "/shared/rotation", true},
		{"shared/inventory", module + "/shared/gcp", false},
		{"shared/inventory", "github.com/google/uuid", false},
		{"shared/inventory", module + "/shared/lazyregexp", true},
		{"shared/event", module + "/shared/detect", true},
		{"shared/event", module + "/shared/gcp", false},
		{"shared/rule", module + "/shared/detect", true},
		{"shared/rule", module + "/shared/event", false},
		{"functions/rotate", module + "/shared/gcp", true},
		{"functions/rotate", module + "/internal/localgcp", false},
		{"internal/localgcp/iam", module + "/shared/gcp", false},
		{"internal/localgcp/iam", module + "/internal/localgcp/clock", true},
		{"", module + "/functions/alert", true},
		{"", module + "/internal/localgcp", false},
		{"cmd/keyturn", module, true},
		{"functions/audit", module, false},
		{"functions/audit", module + "/functions/door", true},
		{"functions/audit", module + "/functions/alert", false},
		{"tools", module + "/shared/event", false},
	} {
		if reason := forbidden(tt.from, tt.imported); (reason == "") != tt.allowed {
			t.Errorf("%q imports %s: %q, want allowed %v", tt.from, tt.imported, reason, tt.allowed)
		}
	}
}

// forbidden says why a package, given by its path below the module, may not
// import another; empty if it may.
func forbidden(from, imported string) string {
	if below(imported) == lazy {
		return ""
	}
	ours := imported == module || strings.HasPrefix(imported, module+"/")
	for _, l := range layers {
		if !within(from, l.path) {
			continue
		}
		switch {
		case l.pure && !ours && strings.Contains(strings.Split(imported, "/")[0], "."):
			return "a pure package imports nothing but the standard library"
		case ours && !slices.ContainsFunc(l.may, func(m string) bool { return within(below(imported), m) && (m != "" || imported == module) }):
			return "this direction is not in the layout"
		}
		return ""
	}
	return "the importing package is not in the layout"
}

func within(path, layer string) bool {
	return path == layer || layer != "" && strings.HasPrefix(path, layer+"/")
}

func below(pkg string) string { return strings.TrimPrefix(strings.TrimPrefix(pkg, module), "/") }

// TestDeployedCodeIsFreeOf looks for what only programs that are never deployed need.
func TestDeployedCodeIsFreeOf(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatalf("listing dependencies: %v", err)
	}
	for _, path := range []string{"cel.dev/", module + "/internal/", module + "/cmd/"} {
		if strings.Contains(string(out), "\n"+path) {
			t.Errorf("a package of %s is deployed", path)
		}
	}
	if !strings.Contains(string(out), "\n"+module+"/shared/gcp\n") {
		t.Error("the list lacks what is deployed")
	}
}
