package gcp

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// LostNotice is a notice of Secret Manager's that its topic did not take, which
// it tells in the logs only.
type LostNotice struct {
	Secret string // projects/P/secrets/S, where P may be the project's number
	Why    string // TOPIC_NOT_FOUND or TOPIC_PERMISSION_DENIED
}

// maxNotices is how many lost notices are read at once.
const maxNotices = 1000

// LostNotices lists, newest first, the notices that were lost since a time.
func (c *Cloud) LostNotices(ctx context.Context, since time.Time) ([]LostNotice, error) {
	q := logQuery{
		ResourceNames: []string{"projects/" + c.config.Project},
		Filter: fmt.Sprintf(`timestamp>="%s" AND log_id("secretmanager.googleapis.com/secret_event") AND (jsonPayload.type="TOPIC_NOT_FOUND" OR jsonPayload.type="TOPIC_PERMISSION_DENIED")`,
			since.UTC().Format(time.RFC3339Nano)),
		OrderBy: "timestamp desc", PageSize: maxNotices,
	}
	var lost []LostNotice
	for text, err := range c.logEntries(ctx, q) {
		if err != nil {
			return nil, fmt.Errorf("listing lost notices: %w", err)
		}
		var entry struct{ JSONPayload struct{ Name, Type string } }
		_ = json.Unmarshal(text, &entry) // a field of another type stays empty
		lost = append(lost, LostNotice{Secret: printable(entry.JSONPayload.Name), Why: entry.JSONPayload.Type})
		if len(lost) == maxNotices {
			break
		}
	}
	return lost, nil
}
