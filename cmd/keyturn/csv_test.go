package main

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strings"
	"testing"

	"example.com/keyturn/shared/inventory"
)

func TestCellsAreNoFormulas(t *testing.T) {
	for text, want := range map[string]string{
		`=HYPERLINK("http://x")`: `'=HYPERLINK("http://x")`, "+1": "'+1", "-1": "'-1", "@x": "'@x", "＝1": "'＝1",
		"\t=1": `\t=1`, "\r=1": `\r=1`, "\n=1": `\n=1`, "plain": "plain", "": "", "a=b": "a=b",
	} {
		if got := cell(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestInventoryAsCSV(t *testing.T) {
	hostile := longest(inventory.Unmanaged, inventory.APIKeyKind)
	hostile.Owner, hostile.AgeDays = "=cmd|' /C calc'!A0", -1
	hostile.Plan = &inventory.Plan{Goal: "g"}
	var out bytes.Buffer
	items := []inventoryItem{longest(inventory.Managed, inventory.AccountKeyKind), hostile}
	if err := writeCSV(&out, inventoryColumns, inventoryRows(slices.Values(items))); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 3 || !slices.Equal(rows[0], inventoryColumns) {
		t.Fatalf("%v: %v", rows, err)
	}
	at := func(row int, column string) string { return rows[row][slices.Index(inventoryColumns, column)] }
	for _, c := range []struct {
		row          int
		column, want string
	}{
		{1, "state", "managed"}, {1, "kind", "service-account-key"}, {1, "age_days", "4321"}, {1, "use", "used"}, {1, "last_used", "2026-05-01T00:00:00Z"},
		{1, "created", ""}, {1, "versions", "1"}, {2, "owner", "'=cmd|' /C calc'!A0"}, {2, "age_days", ""}, {2, "plan", "g"},
	} {
		if got := at(c.row, c.column); got != c.want {
			t.Errorf("%s of row %d is %q, want %q", c.column, c.row, got, c.want)
		}
	}
	if err := writeCSV(full{}, inventoryColumns, inventoryRows(slices.Values(slices.Repeat(items, 100)))); err == nil || !strings.Contains(err.Error(), "no space") {
		t.Errorf("a full disk: %v", err)
	}
	for range inventoryRows(slices.Values(items)) {
		break
	}
}
