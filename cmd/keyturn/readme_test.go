//go:build unix

package main

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/keyturn/cmd/keyturn/internal/replay"
	"example.com/keyturn/internal/raced"
	"example.com/keyturn/shared/rule"
)

// elsewhere are the README's commands that other tests run: the demo would take
// its half minute twice, and the tests would run themselves.
var elsewhere = map[string]string{
	"go run ./cmd/keyturn demo": "testdata/demo.txt runs the demo",
	"go test ./...":             "it runs this very test",
}

// TestREADME runs every command of the README's sh blocks, in order, each block
// in one shell. Without gcloud it leaves out gcloud's own commands and adopt,
// which needs what they make.
func TestREADME(t *testing.T) {
	if raced.Detector {
		t.Skip("the programs that it runs are built without the race detector")
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := shellBlocks(string(text))
	skipped := map[string]bool{}
	var printed string
	ran := 0
	for _, block := range blocks {
		var script []string
		for _, command := range block {
			if reason := leaveOut(command); reason != "" {
				t.Logf("not run: %s (%s)", command, reason)
				skipped[command] = true
				continue
			}
			script = append(script, command)
		}
		if len(script) > 0 {
			printed += runBlock(t, root, script)
			ran += len(script)
		}
	}
	for command := range elsewhere {
		if !skipped[command] {
			t.Errorf("the README does not say %q", command)
		}
	}
	if !strings.Contains(printed, "\nALERT HIGH") {
		t.Errorf("the entries that were published did not become an alert:\n%s", printed)
	}
	if len(blocks) < 2 || ran < 6 {
		t.Errorf("only %d commands in %d blocks were run", ran, len(blocks))
	}
	if _, err := exec.LookPath("gcloud"); err == nil {
		for _, want := range []string{"adopted projects/local/secrets/billing-key", "old key overlapping", "STILL WORKS; it is disabled as soon as", " revoked ", "disable  done  gemini"} {
			if !strings.Contains(printed, want) {
				t.Errorf("the commands did not print %q:\n%s", want, printed)
			}
		}
	}
}

func leaveOut(command string) (reason string) {
	if reason, ok := elsewhere[command]; ok {
		return reason
	}
	if _, err := exec.LookPath("gcloud"); err != nil && (strings.HasPrefix(command, "gcloud ") || needsGcloud.MatchString(command)) {
		return "gcloud is not installed"
	}
	return ""
}

var (
	shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")
	// needsGcloud are commands on what gcloud's have made.
	needsGcloud = regexp.MustCompile(`keyturn (adopt|rotate|revoke|status|local attack) [a-z]|'\^ALERT\.\*superseded|export\.json`)
	// inTree are files of the source tree.
	inTree  = regexp.MustCompile(`(cmd|shared)/\S+\.(ndjson|yaml)`)
	comment = regexp.MustCompile(`(^|\s+)#.*$`)
)

// shellBlocks are the commands of a Markdown text's sh blocks, without comments.
func shellBlocks(markdown string) (blocks [][]string) {
	for _, m := range shellBlock.FindAllStringSubmatch(markdown, -1) {
		var commands []string
		for line := range strings.Lines(m[1]) {
			if line = comment.ReplaceAllString(strings.TrimSpace(line), ""); line != "" {
				commands = append(commands, line)
			}
		}
		blocks = append(blocks, commands)
	}
	return blocks
}

// runBlock runs commands in a shell that stops at the first failure, and returns
// what they printed. They work in a directory of their own, on free ports.
func runBlock(t *testing.T, root string, commands []string) string {
	t.Helper()
	dir := t.TempDir()
	addrs, err := freeAddrs(2)
	if err != nil {
		t.Fatal(err)
	}
	script := "set -eux\ntrap 'kill %1 2>/dev/null && wait %1 || true' EXIT\n"
	for _, command := range commands {
		script += isolated(command, root, dir, addrs) + "\n"
	}
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	sh := exec.CommandContext(ctx, "bash", "-c", script)
	sh.Dir = dir
	sh.Env = append(cleanEnv(), "GOCACHE="+strings.TrimSpace(string(cache)), "XDG_CACHE_HOME="+dir+"/cache")
	sh.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	sh.Cancel = func() error { return syscall.Kill(-sh.Process.Pid, syscall.SIGKILL) }
	out, err := sh.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", errors.Join(err, ctx.Err()), out)
	}
	return string(out)
}

// isolated is a command that leaves the source tree and the usual ports alone.
func isolated(command, root, dir string, addrs []string) string {
	flags := " --gcp-addr " + addrs[0] + " --functions-addr " + addrs[1]
	command = inTree.ReplaceAllString(command, root+"/$0")
	switch {
	case strings.Contains(command, "keyturn audit replay "): // 2 stands for findings
		return command + " || [ $? = 2 ]"
	case strings.HasPrefix(command, "go build -o keyturn "):
		return strings.Replace(command, "go build -o keyturn", "go build -C '"+root+"' -o '"+dir+"/keyturn'", 1)
	case strings.HasPrefix(command, "./keyturn local ") && strings.HasSuffix(command, ">local.log 2>&1 &"):
		return strings.Replace(command, "local", "local"+flags, 1)
	case strings.HasPrefix(command, "eval "):
		return strings.Replace(command, "local env", "local env"+flags, 1)
	case strings.HasPrefix(command, "sleep "): // a busy machine may need longer
		return "until grep -q Ctrl-C local.log; do kill -0 $!; sleep 0.1; done"
	}
	return command
}

// The README's rule is the example's, and finds something in the README's log.
func TestREADMERule(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(text), "```yaml\n")
	block, _, _ = strings.Cut(block, "```\n")
	name := filepath.Join("..", "..", "shared", "rule", "testdata", "example.yaml")
	example, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if block == "" || !strings.Contains(string(example), block) {
		t.Errorf("the example does not have the README's rule:\n%s", block)
	}
	rules, err := rule.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := replay.Run(t.Context(), replay.Config{Files: []string{filepath.Join("testdata", "incident.ndjson")}, Rules: rules})
	if err != nil || len(r.Groups) == 0 || r.Groups[0].Detector != "billing-from-elsewhere" || !strings.Contains(block, r.Groups[0].Runbook) {
		t.Errorf("%+v, %v", r.Groups, err)
	}
}

func TestShellBlocks(t *testing.T) {
	got := shellBlocks("# A\n```sh\n# only a comment\none  # why\ntwo --flag='#x'\n\n```\n```go\nthree\n```\n```sh\nfour\n```\n")
	want := [][]string{{"one", "two --flag='#x'"}, {"four"}}
	if len(got) != 2 || strings.Join(got[0], "|") != strings.Join(want[0], "|") || strings.Join(got[1], "|") != strings.Join(want[1], "|") {
		t.Errorf("blocks %q, want %q", got, want)
	}
}

// freeAddrs are n different loopback addresses that are free now.
func freeAddrs(n int) (addrs []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}

// cleanEnv is a process environment without keyturn's own variables.
func cleanEnv() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "KEYTURN_") && !strings.HasPrefix(v, "GOOGLE_CLOUD_PROJECT=") {
			env = append(env, v)
		}
	}
	return env
}
