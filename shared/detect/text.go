package detect

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// visible makes s safe to show: what does not print, such as a line break or a
// change of writing direction, is escaped, and what exceeds n bytes is cut. The
// result never lies in the buffer of s.
func visible(s string, n int) string {
	if head := s[:min(len(s), n+1)]; plain(head) {
		return strings.Clone(cut(head, n))
	}
	var b strings.Builder
	for _, r := range s {
		if b.Len() > n {
			break
		}
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
	}
	return cut(b.String(), n)
}

// plain reports whether s is all of printable ASCII.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// cut returns s if it is of at most n bytes, or else its beginning and an ellipsis.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n -= len("…")
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// short writes ten minutes as 10m rather than 10m0s, and four days as 4d.
func short(d time.Duration) string {
	if d >= 48*time.Hour {
		return fmt.Sprintf("%.3gd", d.Hours()/24)
	}
	s := d.Round(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// lasting is short for milliseconds.
func lasting(ms int64) string { return short(time.Duration(ms) * time.Millisecond) }

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
