// Package notify delivers alerts outside Google Cloud, one adapter a channel.
package notify

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"example.com/keyturn/shared/alerting"
)

// Console prints alerts for people. It is safe for concurrent use.
type Console struct {
	W io.Writer // where to; required
	Deployment

	mu sync.Mutex
}

// Name is the channel's name.
func (c *Console) Name() string { return "console" }

// Deliver prints an alert as one block of lines.
func (c *Console) Deliver(_ context.Context, a alerting.Alert) error {
	m := compose(a, c.Deployment)
	var b strings.Builder
	fmt.Fprintf(&b, "ALERT %s (%s) %s\n", strings.ToUpper(m.Severity), m.State, m.Sentence)
	for _, f := range slices.Concat(named(fact{"why", m.Why}, fact{"now", m.Progress}), m.Facts, named(
		fact{"next", m.Next}, fact{"by gcloud", m.Call}, fact{"take it up", m.Ack},
		fact{"runbook", m.Runbook}, fact{"runbook at", m.Page}, fact{"technique", m.Technique}, fact{"technique at", m.Attack}, fact{"entries", m.Logs},
	)) {
		fmt.Fprintf(&b, "  %-14s %s\n", f.Name, f.Value)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := io.WriteString(c.W, b.String()); err != nil {
		return fmt.Errorf("printing alert %s: %w", a.ID, err)
	}
	return nil
}
