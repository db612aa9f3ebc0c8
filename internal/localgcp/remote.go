package localgcp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/wire"
	"google.golang.org/grpc/codes"
)

// clockPath is where the embedded cloud tells its policy time and lets it be
// moved. Google has nothing like it.
const clockPath = "/localgcp/clock"

type clockAnswer struct {
	Now   time.Time `json:"now"`
	Error struct {
		Message string `json:"message"`
	} `json:"error,omitzero"`
}

// clockHandler answers GET with the policy time and POST ?advance=1h, or ?leap=1h, by
// moving it and waiting until the functions that this started have settled.
func clockHandler(c *clock.Clock, settle func(context.Context)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet:
		case http.MethodPost:
			move, how := c.Advance, "advance"
			if r.URL.Query().Has("leap") {
				move, how = c.Leap, "leap"
			}
			d, err := time.ParseDuration(r.URL.Query().Get(how))
			if err != nil || d < 0 {
				wire.WriteError(w, 0, codes.InvalidArgument, how+" is not a duration such as 24h, or is negative: the clock only moves forward")
				return
			}
			move(d)
			settle(r.Context())
		default:
			wire.WriteError(w, 0, codes.NotFound, "Method not found.")
			return
		}
		wire.WriteJSON(w, http.StatusOK, clockAnswer{Now: c.Now()})
	}
}

// Advance moves the policy clock of the embedded cloud at base, such as
// http://127.0.0.1:8790, and returns its new time.
func Advance(ctx context.Context, base string, d time.Duration) (time.Time, error) {
	return moveClock(ctx, base+clockPath+"?advance="+url.QueryEscape(d.String()))
}

// Leap is Advance in which a job that falls due more than once runs once or twice, at
// the end.
func Leap(ctx context.Context, base string, d time.Duration) (time.Time, error) {
	return moveClock(ctx, base+clockPath+"?leap="+url.QueryEscape(d.String()))
}

func moveClock(ctx context.Context, url string) (time.Time, error) {
	const asking = "asking the embedded Google Cloud for its clock"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %w", asking, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %w; is 'keyturn local' running?", asking, err)
	}
	defer resp.Body.Close()
	var answer clockAnswer
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return time.Time{}, fmt.Errorf("%s: HTTP %d: %w", asking, resp.StatusCode, err)
	}
	if resp.StatusCode != http.StatusOK {
		return time.Time{}, fmt.Errorf("%s: HTTP %d: %s", asking, resp.StatusCode, answer.Error.Message)
	}
	return answer.Now, nil
}
