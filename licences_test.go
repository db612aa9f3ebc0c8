package keyturn

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// licences are told by what only they say; white space does not count. The first counts.
var licences = []struct{ name, says string }{
	{"Apache-2.0", "Apache License Version 2.0, January 2004"},
	{"MPL-2.0", "Mozilla Public License Version 2.0"},
	{"BSD-3-Clause", "Neither the name of"},
	{"BSD-3-Clause", "names of its contributors may be used to endorse"},
	{"BSD-2-Clause", "Redistributions in binary form must reproduce the above copyright notice"},
	{"ISC", "Permission to use, copy, modify, and/or distribute this software for any purpose"},
	{"MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy"},
}

// licenceOf names the licence that a text is; empty if it is none of those.
func licenceOf(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	for _, l := range licences {
		if strings.Contains(text, l.says) {
			return l.name
		}
	}
	return ""
}

// licencesIn are those of a directory's licence files.
func licencesIn(t *testing.T, dir string) []string {
	t.Helper()
	files, err := os.ReadDir(dir)
	must(t, err)
	var names []string
	for _, f := range files {
		upper := strings.ToUpper(f.Name())
		if f.IsDir() || strings.HasSuffix(upper, ".GO") || !strings.HasPrefix(upper, "LICENSE") && !strings.HasPrefix(upper, "LICENCE") && !strings.HasPrefix(upper, "COPYING") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		must(t, err)
		name := licenceOf(string(text))
		if name == "" {
			t.Errorf("%s is no licence that is known: read it, and say by what it is told", filepath.Join(filepath.Base(dir), f.Name()))
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// TestLicences holds docs/licences.md to what the deployed program is made of. By -update
// it is written anew. It asks no network.
func TestLicences(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}", ".", "github.com/GoogleCloudPlatform/functions-framework-go/funcframework").Output()
	must(t, err)
	modules := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(modules)
	rows := ""
	for _, m := range slices.Compact(modules) {
		fields := strings.Split(m, "\t")
		if len(fields) != 3 {
			continue // keyturn's own
		}
		names := licencesIn(t, fields[2])
		if len(names) == 0 {
			t.Errorf("%s has no licence", fields[0])
		}
		rows += fmt.Sprintf("| %s | %s | %s |\n", fields[0], fields[1], strings.Join(names, ", "))
	}
	want := "# Licences\n\nWhat the deployed functions are made of besides keyturn itself, which is Apache-2.0, and\nGo's standard library, which is BSD-3-Clause. Made by `make licences`; a test fails when it\nis not what is linked, and for a licence that it does not know.\n\n| module | version | licence |\n| --- | --- | --- |\n" + rows
	if *update {
		must(t, os.WriteFile("docs/licences.md", []byte(want), 0o644))
	}
	got, err := os.ReadFile("docs/licences.md")
	must(t, err)
	if string(got) != want {
		t.Errorf("docs/licences.md is not what is linked: run 'make licences'; want\n%s", want)
	}
}

func TestWhichLicence(t *testing.T) {
	for text, want := range map[string]string{
		"":                     "",
		"All rights reserved.": "",
		"  Apache License\n   Version 2.0, January 2004":                                                  "Apache-2.0",
		"Permission is hereby granted, free of\ncharge, to any person obtaining a copy":                   "MIT",
		"GNU AFFERO GENERAL PUBLIC LICENSE Version 3":                                                     "",
		"Redistributions in binary form must reproduce the above copyright notice. Neither the name of x": "BSD-3-Clause",
		"Redistributions in binary form must reproduce the above copyright notice.":                       "BSD-2-Clause",
	} {
		if got := licenceOf(text); got != want {
			t.Errorf("%.40q is %q, want %q", text, got, want)
		}
	}
}
