package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/internal/raced"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"keyturn": main})
}

// TestScripts runs the command lines of testdata as a shell would, each command
// in a process of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Files: scripts(t),
		Setup: func(env *testscript.Env) error {
			env.Setenv("XDG_CACHE_HOME", env.WorkDir+"/cache")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"freeaddr": freeAddr, "appears": appears, "silent": silent, "seed": seed, "unmake": unmake, "journal": journal, "forge": forge, "nasty": setNasty, "inert": inert, "finding": finding,
			"exit": checkExit, "json": checkJSON, "note": note, "narrow": narrow,
			"account": account, "accounts": accounts, "grant": grant, "keyfile": writeKeyFile, "follow": follow,
		},
	})
}

// scripts are all command lines to run. What they measure under the race detector
// would be the race detector: the packages that measure are tested with it, as is
// the demo.
func scripts(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	if !raced.Detector {
		return files
	}
	t.Log("what runs no functions, measures, or only asks is left to the tests without the race detector")
	return slices.DeleteFunc(files, func(name string) bool {
		return !slices.Contains(raceable, strings.TrimSuffix(filepath.Base(name), ".txt"))
	})
}

// raceable are the scripts that have several functions do something at once in the
// local world.
var raceable = []string{"alerts", "local"}

// freeAddr VARIABLE… sets each variable to a loopback address that is free now.
func freeAddr(ts *testscript.TestScript, _ bool, names []string) {
	addrs, err := freeAddrs(len(names))
	ts.Check(err)
	for i, name := range names {
		ts.Setenv(name, addrs[i])
	}
}

// appears TEXT FILE waits until a background command has written it.
func appears(ts *testscript.TestScript, _ bool, args []string) {
	written := func() bool {
		text, err := os.ReadFile(ts.MkAbs(args[1]))
		return err == nil && strings.Contains(string(text), args[0])
	}
	if !eventually(60*time.Second, written) {
		ts.Fatalf("%s never said %s", args[1], args[0])
	}
}

// silent ADDRESS… waits until nothing listens there any more.
func silent(ts *testscript.TestScript, _ bool, args []string) {
	for _, addr := range args {
		if !eventually(5*time.Second, func() bool { return !listens(addr) }) {
			ts.Fatalf("something still listens on %s", addr)
		}
	}
}

func listens(addr string) bool {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

func eventually(limit time.Duration, done func() bool) bool {
	for deadline := time.Now().Add(limit); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// checkExit CODE COMMAND… runs keyturn and checks its exit code, or that it is one
// of several such as 0|1; stdout and stderr are checked as usual.
func checkExit(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if !slices.Contains(strings.Split(args[0], "|"), got) {
		tellWorld(ts)
		ts.Fatalf("%s exits with %s, want %s", strings.Join(args[1:], " "), got, args[0])
	}
	if slices.Contains(args, "--json") {
		ts.Check(checkAnswer(args[2:], got, ts.ReadFile("stdout")))
	}
}

// tellWorld shows what the world of a script has logged of late: the cause of what
// a command got may stand there alone.
func tellWorld(ts *testscript.TestScript) {
	if logged, err := os.ReadFile(ts.MkAbs("logged")); err == nil {
		ts.Logf("the world logged …%s", logged[max(0, len(logged)-4096):])
	}
}

// json [PATH CONDITION]… checks that the last standard output is one JSON object
// and nothing else, and that it holds what is named: PATH is keys and indices
// with dots between, CONDITION is =TEXT, >=N, or ? for anything.
func checkJSON(ts *testscript.TestScript, _ bool, args []string) {
	dec := json.NewDecoder(bytes.NewReader([]byte(ts.ReadFile("stdout"))))
	var object map[string]any
	ts.Check(dec.Decode(&object))
	if _, err := dec.Token(); err != io.EOF {
		ts.Fatalf("standard output holds more than one JSON object")
	}
	for len(args) >= 2 {
		if got, ok := lookup(object, strings.Split(args[0], ".")); !ok || !satisfies(got, args[1]) {
			ts.Fatalf("%s is %v, want %s", args[0], got, args[1])
		}
		args = args[2:]
	}
}

// note VARIABLE PATH sets a variable to what the last standard output, one JSON
// object, holds there.
func note(ts *testscript.TestScript, _ bool, args []string) {
	var object map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &object))
	value, ok := lookup(object, strings.Split(args[1], "."))
	if !ok {
		ts.Fatalf("there is no %s", args[1])
	}
	ts.Setenv(args[0], fmt.Sprint(value))
}

func lookup(v any, path []string) (any, bool) {
	for _, key := range path {
		switch at := v.(type) {
		case map[string]any:
			v = at[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(at) {
				return nil, false
			}
			v = at[i]
		}
	}
	return v, v != nil
}

func satisfies(got any, condition string) bool {
	if condition == "?" {
		return true
	}
	if least, ok := strings.CutPrefix(condition, ">="); ok {
		n, err := strconv.ParseFloat(least, 64)
		number, isNumber := got.(float64)
		return err == nil && isNumber && number >= n
	}
	text, err := json.Marshal(got)
	want := strings.TrimPrefix(condition, "=")
	return err == nil && (string(text) == want || got == want)
}

// narrow checks that the last standard output fits on a terminal.
func narrow(ts *testscript.TestScript, _ bool, _ []string) {
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		if line = strings.TrimRight(line, " \n"); len(line) > 80 {
			ts.Fatalf("%d columns: %s", len(line), line)
		}
	}
}

func TestJSONConditions(t *testing.T) {
	object := map[string]any{"a": map[string]any{"b": []any{float64(3)}}, "s": "text"}
	for _, tt := range []struct {
		path, condition string
		want            bool
	}{
		{"a.b.0", "=3", true}, {"a.b.0", ">=3", true}, {"a.b.0", ">=4", false}, {"a.b.0", "?", true},
		{"a.b.1", "?", false}, {"a.x", "?", false}, {"s", "=text", true}, {"s", ">=1", false},
	} {
		got, ok := lookup(object, strings.Split(tt.path, "."))
		if held := ok && satisfies(got, tt.condition); held != tt.want {
			t.Errorf("%s %s: %v, want %v", tt.path, tt.condition, held, tt.want)
		}
	}
}
