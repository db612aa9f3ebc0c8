// Package notify delivers alerts outside Google Cloud, one adapter a channel.
package notify

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"example.com/keyturn/shared/alerting"
)

// Console prints alerts for people. It is safe for concurrent use.
type Console struct {
	W io.Writer // where to; required

	mu sync.Mutex
}

// Name is the channel's name.
func (c *Console) Name() string { return "console" }

const maxPrinted = 2000 // bytes of one value

// Deliver prints an alert as one block of lines.
func (c *Console) Deliver(_ context.Context, a alerting.Alert) error {
	var b strings.Builder
	fmt.Fprintf(&b, "ALERT %s (%s) %s\n", strings.ToUpper(a.Severity.String()), printable(string(a.State), maxPrinted), printable(a.Summary, maxPrinted))
	line(&b, "when", a.Time.UTC().Format(time.RFC3339))
	line(&b, "who", a.Subject)
	line(&b, "project", a.Project)
	line(&b, "credential", a.Credential)
	for _, f := range a.Fields {
		line(&b, f.Name, f.Value)
	}
	line(&b, "next", a.Next)
	line(&b, "entries", a.Link)
	line(&b, "incident", a.Incident)
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := io.WriteString(c.W, b.String()); err != nil {
		return fmt.Errorf("printing alert %s: %w", a.ID, err)
	}
	return nil
}

func line(b *strings.Builder, name, value string) {
	if value != "" {
		fmt.Fprintf(b, "  %-12s %s\n", printable(name, maxPrinted), printable(value, maxPrinted))
	}
}
