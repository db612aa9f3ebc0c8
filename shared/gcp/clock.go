package gcp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Clock tells policy time: the machine's, and with an Endpoint that of the embedded
// cloud, which can be moved.
func (c *Cloud) Clock() func() time.Time { return Clock(c.config.Endpoint) }

// clockWait is how long a clock waits for an answer.
const clockWait = 5 * time.Second

// Clock tells the policy time of the embedded cloud at endpoint, or the machine's if
// that is empty. While the cloud does not answer it tells the last time heard, so that
// policy time never runs backwards, or before there was any answer the machine's.
func Clock(endpoint string) func() time.Time {
	if endpoint == "" {
		return time.Now
	}
	var mu sync.Mutex
	var last time.Time
	return func() time.Time {
		now, err := askClock("http://" + endpoint + "/localgcp/clock")
		mu.Lock()
		defer mu.Unlock()
		if err == nil && now.After(last) {
			last = now
		}
		if last.IsZero() {
			return time.Now().UTC()
		}
		return last
	}
}

func askClock(url string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(context.Background(), clockWait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return time.Time{}, fmt.Errorf("asking the embedded Google Cloud for its clock: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return time.Time{}, fmt.Errorf("asking the embedded Google Cloud for its clock: %w", err)
	}
	defer resp.Body.Close()
	var answer struct {
		Now time.Time `json:"now"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return time.Time{}, fmt.Errorf("reading the clock of the embedded Google Cloud: %w", err)
	}
	return answer.Now, nil
}
