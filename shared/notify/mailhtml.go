package notify

import (
	_ "embed"
	"fmt"
	"html/template"
	"strings"
	"sync"
)

//go:embed mail.html
var mailSource string

var mailTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("mail").Parse(mailSource))
})

// mailHTML is the half of a letter for people who see HTML: html/template escapes
// whatever is not the template's own.
func mailHTML(m message) (string, error) {
	var b strings.Builder
	err := mailTemplate().Execute(&b, struct {
		message
		Headline, Color string
		Commands, Links []fact
	}{m, headline(m), color(m), m.commands(), m.links()})
	if err != nil {
		return "", fmt.Errorf("rendering the mail: %w", err)
	}
	return b.String(), nil
}

// color marks a letter by what it asks of its reader. White on each is readable
// (WCAG AA: at least 4.5 to 1).
func color(m message) string {
	if m.State == "resolved" {
		return "#2e7d32"
	}
	switch m.Severity {
	case "critical":
		return "#b71c1c"
	case "high":
		return "#bf360c"
	case "warning":
		return "#7a5900"
	}
	return "#37474f"
}
