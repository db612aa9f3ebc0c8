package notify

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// visible escapes what would move the cursor, break the line, turn the writing
// direction or not show at all.
func visible(r rune) string {
	if unicode.IsPrint(r) {
		return string(r)
	}
	return strings.Trim(strconv.QuoteRuneToASCII(r), "'")
}

const ellipsis = "…"

// bounded writes a text rune by rune, as escape has each, in at most limit bytes. It
// cuts between what escape returned, never within, and says "…" where it cut. No
// vendor counts more than one for a byte of UTF-8, so a limit in characters holds too.
func bounded(s string, limit int, escape func(rune) string) string {
	var b strings.Builder
	fits := 0 // length at which there is room for the ellipsis
	for _, r := range s {
		b.WriteString(escape(r))
		if b.Len() > limit {
			return b.String()[:fits] + ellipsis
		}
		if b.Len() <= limit-len(ellipsis) {
			fits = b.Len()
		}
	}
	return b.String()
}

// Printable is one line that shows what a text holds, in at most limit bytes: what
// would move a terminal's cursor, break the line, turn the writing direction or not
// show at all is escaped.
func Printable(s string, limit int) string { return bounded(s, limit, visible) }

// word reports whether a text is one word of a vendor's vocabulary, such as
// invalid_payload or PERMISSION_DENIED.
func word(s string) bool {
	return s != "" && len(s) <= 64 && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// entity escapes what begins markup, mentions, links and entities in Slack
// (docs.slack.dev/messaging/formatting-message-text) and in the cards of Google Chat.
func entity(r rune) string {
	switch r {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	}
	return string(r)
}
