package keyturn

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/keyturn/shared/egress"
)

// linked are the directories of the packages that the functions are made of, by import path.
func linked(t *testing.T) map[string]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}\t{{.Dir}}{{end}}", ".").Output()
	if err != nil {
		t.Fatalf("listing packages: %v", err)
	}
	all := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, dir, _ := strings.Cut(strings.TrimSpace(line), "\t")
		all[name] = dir
	}
	if len(all) < 100 {
		t.Fatalf("only %d packages are linked", len(all))
	}
	return all
}

// Where generated clients say which host they call, and our own code.
var (
	hostOfClient = regexp.MustCompile(`(?:WithDefaultEndpoint\("|const basePath = ")(?:https://)?([a-z0-9.-]+)`)
	hostOfOurs   = regexp.MustCompile(`(?:https?://|restAPI\{"[A-Za-z ]+", ")([a-z0-9-]+(?:\.[a-z0-9-]+)+)`)
)

// Hosts that stand in texts, and the endpoint of a client that is never asked: keyturn
// asks for operations of API Keys' own.
var notCalled = []string{"accounts.google.com", "attack.mitre.org", "console.cloud.google.com", "example.com", "git.example.com", "longrunning.googleapis.com", "foo.com"}

// TestKnownHostsAreComplete: what the functions are made of can call no other host, and
// nothing that is listed is not called.
func TestKnownHostsAreComplete(t *testing.T) {
	found := map[string]bool{"metadata.google.internal": true, "openidconnect.googleapis.com": true, "chat.googleapis.com": true} // of the metadata library, composed, and of the webhooks that Chat gives out
	for name, dir := range linked(t) {
		pattern := hostOfClient
		switch {
		case strings.HasPrefix(name, module):
			pattern = hostOfOurs
		case !strings.HasPrefix(name, "cloud.google.com/go/") && !strings.HasPrefix(name, "google.golang.org/api/"):
			continue
		}
		files, _ := filepath.Glob(filepath.Join(dir, "*.go"))
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range pattern.FindAllStringSubmatch(string(source), -1) {
				if !strings.HasSuffix(file, "_test.go") && !slices.Contains(notCalled, m[1]) {
					found[m[1]] = true
				}
			}
		}
	}
	for _, h := range egress.KnownHosts {
		if !found[h.Name] {
			t.Errorf("%s is listed, and nothing calls it", h.Name)
		}
		delete(found, h.Name)
	}
	for name := range found {
		t.Errorf("%s is called, and not in egress.KnownHosts", name)
	}
}

// TestTheDocsListTheHosts in the order of the code.
func TestTheDocsListTheHosts(t *testing.T) {
	text, err := os.ReadFile("docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := ""
	for _, h := range egress.KnownHosts {
		rows += fmt.Sprintf("| `%s` | %s | %s |\n", h.Name, h.Why, h.Who)
	}
	if !strings.Contains(string(text), rows) {
		t.Errorf("docs/deploy.md has another table than egress.KnownHosts:\n%s", rows)
	}
}
