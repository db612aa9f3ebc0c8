package main

import (
	"encoding/csv"
	"io"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"example.com/keyturn/shared/notify"
)

// writeCSV writes a header and a line for each row. Cells are of one line, and no
// spreadsheet takes any for a formula.
func writeCSV(to io.Writer, columns []string, rows iter.Seq[[]string]) error {
	w := csv.NewWriter(to)
	_ = w.Write(columns) // an error stays, and Error tells it
	for row := range rows {
		for i := range row {
			row[i] = cell(row[i])
		}
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

const maxCell = 30_000 // bytes: a spreadsheet takes 32,767 characters

// formulas begin with these in a spreadsheet, in either width. OWASP's list also has
// control characters, of which none is left.
const formulas = "=+-@＝＋－＠"

// cell is a text as a cell: an apostrophe before what would be a formula has
// spreadsheets show it (owasp.org/www-community/attacks/CSV_Injection).
func cell(text string) string {
	text = notify.Printable(text, maxCell)
	if first, _ := utf8.DecodeRuneInString(text); text != "" && strings.ContainsRune(formulas, first) {
		return "'" + text
	}
	return text
}

// stamped is a time as a cell; empty if there is none.
func stamped(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
