package main

import (
	"bytes"
	"slices"
	"testing"
)

// listReport has a list as its last field, as printList needs it.
type listReport struct {
	Name    string      `json:"name"`
	Entries []listEntry `json:"entries"`
}

type listEntry struct {
	Text string `json:"text"`
	More []int  `json:"more"`
}

func TestAListIsPrintedAsAWhole(t *testing.T) {
	for _, entries := range [][]listEntry{
		{}, {{Text: "<&>\u202e\x1b\U000e0001", More: []int{}}}, {{Text: "a"}, {Text: "b", More: []int{1, 2}}, {}},
	} {
		var whole, list bytes.Buffer
		if err := (&app{stdout: &whole}).printJSON(listReport{"n", entries}); err != nil {
			t.Fatal(err)
		}
		if err := printList(&app{stdout: &list}, listReport{"n", []listEntry{}}, slices.Values(entries)); err != nil {
			t.Fatal(err)
		}
		if list.String() != whole.String() {
			t.Errorf("%s\nwant %s", &list, &whole)
		}
	}
}

func TestAListThatCannotBePrinted(t *testing.T) {
	many := slices.Repeat([]listEntry{{Text: "abcdefghijklmnopqrstuvwxyz"}}, 1000)
	if err := printList(&app{stdout: full{}}, listReport{Entries: []listEntry{}}, slices.Values(many)); err == nil {
		t.Error("a full disk was written to")
	}
	var out bytes.Buffer
	for name, report := range map[string]any{"not empty": listReport{Entries: many[:1]}, "no list": 1, "no JSON": func() {}} {
		if err := printList(&app{stdout: &out}, report, slices.Values(many)); err == nil || out.Len() > 0 {
			t.Errorf("%s: %v, %s", name, err, &out)
		}
	}
	if err := printList(&app{stdout: &out}, listReport{Entries: []listEntry{}}, slices.Values([]func(){nil})); err == nil {
		t.Error("a function was encoded")
	}
}
