package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	keyturn "example.com/keyturn"
	"example.com/keyturn/internal/schedule"
)

func topFile(t *testing.T, name ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{"..", ".."}, name...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestDeployDocs: its commands parse, as do those of cloudbuild.yaml, and its table is
// of the jobs as they are.
func TestDeployDocs(t *testing.T) {
	docs := topFile(t, "docs", "deploy.md")
	lines := regexp.MustCompile(`(?m)^keyturn .*$`).FindAllString(docs, -1)
	steps := regexp.MustCompile(`args: \[run, \./cmd/keyturn, (.*)\]`).FindAllStringSubmatch(topFile(t, "cloudbuild.yaml"), -1)
	if len(lines) != 7 || len(steps) != 3 {
		t.Fatalf("there are %d commands, and those of cloudbuild.yaml are %q", len(lines), steps)
	}
	for _, step := range steps {
		lines = append(lines, "keyturn "+strings.NewReplacer(",", "", "'", "", "${_CANARY}", "10", "${_WATCH}", "2m").Replace(step[1]))
	}
	for _, line := range lines {
		if err := parses(line); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	jobs, err := schedule.Parse(keyturn.Schedule, map[string]string{"PROJECT_ID": "acme", "REGION": "us-central1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		row := regexp.MustCompile(fmt.Sprintf("(?m)^\\| `%s` \\|.*\\| `%s` \\|$", path.Base(j.GetName()), regexp.QuoteMeta(j.GetSchedule())))
		if !row.MatchString(docs) {
			t.Errorf("no row says when %s fires: %s", path.Base(j.GetName()), j.GetSchedule())
		}
	}
	if rows := strings.Count(docs, "\n| `keyturn-"); rows != len(jobs) {
		t.Errorf("there are %d rows for %d jobs", rows, len(jobs))
	}
}
