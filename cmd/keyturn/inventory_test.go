package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"example.com/keyturn/shared/inventory"
	"example.com/keyturn/shared/rotation"
	"github.com/rogpeppe/go-internal/testscript"
)

// longest has everything as long as it comes.
func longest(state inventory.State, kind inventory.Kind) inventoryItem {
	return inventoryItem{Item: inventory.Item{
		Kind: kind, Project: "acme", ID: strings.Repeat("0123456789", 4), State: state, AgeDays: 4321,
		Owner: strings.Repeat("a", 30) + "@" + strings.Repeat("b", 30) + ".iam.gserviceaccount.com",
		Use:   inventory.Use{Verdict: rotation.Used, Last: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)},
		Private: inventory.Place{
			Where: inventory.InVersion, Secret: "projects/acme/secrets/" + strings.Repeat("s", 100), Versions: []string{"1"},
		},
	}}
}

func TestInventoryTableFitsTheTerminal(t *testing.T) {
	var items []inventoryItem
	for _, s := range inventory.States() {
		for _, k := range []inventory.Kind{inventory.AccountKeyKind, inventory.APIKeyKind, inventory.HMACKeyKind, inventory.OAuthSecretKind} {
			items = append(items, longest(s, k))
		}
	}
	for _, width := range []int{usual, 120} {
		for _, line := range strings.Split(inventoryTable(slices.Values(items), width), "\n") {
			if n := utf8.RuneCountInString(strings.TrimRight(line, " ")); n > width {
				t.Errorf("%d columns, more than %d: %s", n, width, line)
			}
		}
	}
	if wide := inventoryTable(slices.Values(items), 120); !strings.Contains(wide, strings.Repeat("s", 25)) {
		t.Errorf("a wider terminal is not made use of:\n%s", wide)
	}
}

// Names are other people's.
func TestInventoryPrintsNamesEscaped(t *testing.T) {
	i := longest(inventory.Unmanaged, inventory.APIKeyKind)
	i.Owner = "a\x1b[2Jb\u202e"
	i.Plan = &inventory.Plan{Goal: "g"}
	gap := inventory.Gap{Of: "projects/\x1b[2J", Detail: "\u202e"}
	for _, text := range []string{inventoryTable(slices.Values([]inventoryItem{i}), usual), planText(i), summaryText(inventoryReport{Gaps: []inventory.Gap{gap}})} {
		if strings.ContainsAny(text, "\x1b\u202e") {
			t.Errorf("%q", text)
		}
	}
}

func TestInventorySummary(t *testing.T) {
	r := inventoryReport{Summary: inventory.Summary{Credentials: 1, Accounts: 2, Projects: 3, Unused: 4, UseUnknown: 5, States: map[inventory.State]int{inventory.Managed: 7, inventory.Exposed: 6}}}
	for range shownGaps + 2 {
		r.Gaps = append(r.Gaps, inventory.Gap{Part: inventory.Uses, Kind: inventory.APIKeyKind, Of: "projects/p", Detail: "d", Next: "n"})
	}
	text := summaryText(r)
	for _, want := range []string{
		"1 credential, 2 service accounts, 3 projects\n6 exposed, 7 managed; 4 unused, 5 of unknown use\nNOT READ",
		"  uses of every api-key of projects/p: d; n", "and 2 more: --json lists them all",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing:\n%s", want, text)
		}
	}
	if n := strings.Count(text, "projects/p"); n != shownGaps {
		t.Errorf("%d gaps are told", n)
	}
}

func TestInventoryDocs(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "inventory.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, s := range inventory.States() {
		if !strings.Contains(page, fmt.Sprintf("`%s`", s)) {
			t.Errorf("the page does not explain state %s", s)
		}
	}
	for _, column := range strings.Fields(strings.SplitN(inventoryTable(slices.Values[[]inventoryItem](nil), usual), "\n", 2)[0]) {
		if !strings.Contains(page, "| "+column+" |") {
			t.Errorf("the page does not explain column %s", column)
		}
	}
	commands := 0
	for _, line := range strings.Split(page, "\n") {
		args, ok := strings.CutPrefix(line, "keyturn inventory")
		if !ok {
			continue
		}
		commands++
		args, _, _ = strings.Cut(args, "#")
		words := append(strings.Fields(args), "--endpoint", "127.0.0.1:1", "--project", "acme", "--resume", filepath.Join(t.TempDir(), "left.json"))
		var stdout, stderr strings.Builder
		if code := run(t.Context(), append([]string{"inventory"}, words...), &stdout, &stderr); code != exitFailed || !strings.Contains(stderr.String(), "keyturn local") {
			t.Errorf("%s: exit code %d, %s", line, code, &stderr)
		}
	}
	if commands != 5 {
		t.Errorf("the page has %d commands", commands)
	}
}

// accounts N makes so many service accounts in the world of a script.
func accounts(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	var ids []string
	for i := range n {
		ids = append(ids, fmt.Sprintf("many-%03d", i))
	}
	account(ts, false, ids)
}
