package localgcp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/wire"
	"google.golang.org/grpc/codes"
)

// clockPath is where the embedded cloud tells its policy time and lets it be
// moved. Google has nothing like it.
const clockPath = "/localgcp/clock"

type clockAnswer struct {
	Now time.Time `json:"now"`
}

// clockHandler answers GET with the policy time and POST ?advance=1h by moving
// it and waiting until the functions that this started have settled.
func clockHandler(c *clock.Clock, settle func(context.Context)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			d, err := time.ParseDuration(r.URL.Query().Get("advance"))
			if err != nil || d < 0 {
				wire.WriteError(w, 0, codes.InvalidArgument, "advance is not a positive duration such as 24h")
				return
			}
			c.Advance(d)
			settle(r.Context())
		}
		wire.WriteJSON(w, http.StatusOK, clockAnswer{c.Now()})
	}
}

var clockClient = &http.Client{Timeout: 5 * time.Minute}

// Advance moves the policy clock of the embedded cloud at base, such as
// http://127.0.0.1:8790, and returns its new time.
func Advance(ctx context.Context, base string, d time.Duration) (time.Time, error) {
	return askClock(ctx, http.MethodPost, base+clockPath+"?advance="+url.QueryEscape(d.String()))
}

// RemoteClock tells the policy time of the embedded cloud at base. While that
// does not answer it tells the last time heard, so that policy time never runs
// backwards.
func RemoteClock(base string) func() time.Time {
	var mu sync.Mutex
	var last time.Time
	return func() time.Time {
		now, err := askClock(context.Background(), http.MethodGet, base+clockPath)
		mu.Lock()
		defer mu.Unlock()
		if err == nil && now.After(last) {
			last = now
		}
		return last
	}
}

func askClock(ctx context.Context, method, url string) (time.Time, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return time.Time{}, fmt.Errorf("asking the embedded Google Cloud for its clock: %w", err)
	}
	resp, err := clockClient.Do(req)
	if err != nil {
		return time.Time{}, fmt.Errorf("asking the embedded Google Cloud for its clock: %w; is 'keyturn local' running?", err)
	}
	defer resp.Body.Close()
	var answer clockAnswer
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusOK {
		return time.Time{}, fmt.Errorf("asking the embedded Google Cloud for its clock: HTTP %d: %w", resp.StatusCode, err)
	}
	return answer.Now, nil
}
