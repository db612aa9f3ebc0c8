package rule

import (
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"10m": 10 * time.Minute, "1d": 24 * time.Hour, "7d": 7 * 24 * time.Hour, "1d12h30m": 36*time.Hour + 30*time.Minute, "0d1s": time.Second,
	} {
		if got, err := duration(text); err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "-1d", "1.5d", "1d-1h", "1d+1h", "1d2d", "1 d", "1day", "1dx", "70000d", "12hd"} {
		if got, err := duration(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}
