package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// No output takes the place of an input or of another output, whatever it is called.
func TestOutputsAreDistinct(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{"in.json", "rules", "ledger"} {
		if err := os.WriteFile(name, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"link": "in.json", "here": ".", "dangling": "new"} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link("in.json", "hard"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		files string
		flags replayFlags
		want  string
	}{
		{"as named", "in.json", replayFlags{findings: "in.json"}, "--findings in.json is a file to read, too"},
		{"in another spelling", "in.json", replayFlags{findings: "./in.json"}, "a file to read"},
		{"by its absolute name", "in.json", replayFlags{records: filepath.Join(dir, "in.json")}, "--records"},
		{"by a link", "in.json", replayFlags{rejects: "link"}, "--rejects link is a file to read, too"},
		{"read by a link", "link", replayFlags{findings: "in.json"}, "a file to read"},
		{"by a hard link", "in.json", replayFlags{findings: "hard"}, "a file to read"},
		{"by a link to the directory", "in.json", replayFlags{findings: "here/in.json"}, "a file to read"},
		{"the rules", "in.json", replayFlags{rules: "rules", findings: "./rules"}, "is --rules, too"},
		{"the ledger", "in.json", replayFlags{ledger: "./ledger", records: "ledger"}, "is --ledger, too"},
		{"two outputs", "in.json", replayFlags{findings: "o.nd", records: "./o.nd"}, "--records ./o.nd is --findings, too"},
		{"two outputs, one by a link to the directory", "in.json", replayFlags{findings: "here/o.nd", rejects: "o.nd"}, "is --findings, too"},
		{"two outputs in no directory", "in.json", replayFlags{findings: "none/o.nd", rejects: "none/../none/o.nd"}, "is --findings, too"},
		{"what an earlier replay left", "f.partial", replayFlags{findings: "f"}, "f.partial is a file to read, too"},
		{"nothing asked for", "in.json", replayFlags{}, ""},
		{"all different", "in.json", replayFlags{rules: "rules", ledger: "ledger", findings: "f", records: "r", rejects: "./-"}, ""},
		{"standard input is no file", "-", replayFlags{findings: "./-"}, ""},
		{"standard output", "in.json", replayFlags{records: "-"}, "--records -: want the name of a file, as standard output has the summary"},
		{"a link to nothing is replaced", "in.json", replayFlags{findings: "dangling", records: "new"}, ""},
	} {
		err := tt.flags.distinct([]string{tt.files})
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// What standard input comes from is a file to read, too.
func TestOutputIsNotStandardInput(t *testing.T) {
	name := filepath.Join(t.TempDir(), "in.json")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	in := place{use: toRead}
	if in.info, err = file.Stat(); err != nil {
		t.Fatal(err)
	}
	if !placeOf("--findings", name).is(in) {
		t.Error("the file is not recognised")
	}
	if null := placeOf("--findings", os.DevNull); null.is(place{info: null.info}) {
		t.Error("a device is taken for a file that would be replaced")
	}
}
