package rotation

import (
	"strings"
	"testing"
	"time"
)

// TestNextAfterAFailure tells when the step that failed is tried again, and not when
// a key that there is not yet will be known.
func TestNextAfterAFailure(t *testing.T) {
	staged := incoming(holding(key("k1", "1", Active, time.Hour)), Key{Phase: Staged, Since: t0, Mode: Upload, Staged: "1"})
	for name, tt := range map[string]struct {
		j    Journal
		at   time.Duration
		says string
	}{
		"all goes well":               {incoming(holding(key("k1", "1", Active, time.Hour)), Key{ID: "k2", Phase: Published, Since: t0}), time.Duration(policy.Propagation), "once the new key has propagated"},
		"there is no key yet":         {staged, 0, "a sweep goes on to make the new key"},
		"a step failed":               {failed(staged, 1, 0), time.Minute, "a sweep tries again to publish the new key"},
		"the key before was given up": {incoming(discarded(holding(key("k1", "1", Active, time.Hour)), 0), *staged.Incoming), time.Minute, "a sweep goes on to make the new key"},
	} {
		at, then := Next(t0, policy, tt.j)
		if got := at.Sub(t0); got != tt.at || !strings.Contains(then, tt.says) {
			t.Errorf("%s: %q, in %v; want %q, in %v", name, then, got, tt.says, tt.at)
		}
	}
}

func TestTimes(t *testing.T) {
	for count, want := range map[int]string{1: "once", 2: "2 times", 60: "60 times"} {
		if got := (Failure{Count: count}).Times(); got != want {
			t.Errorf("%d is %q, want %q", count, got, want)
		}
	}
}

// TestAReasonEndsWithAWord, where it has words.
func TestAReasonEndsWithAWord(t *testing.T) {
	for text, want := range map[string]string{
		"refused by constraints/iam.disableServiceAccountKeyUpload": "refused by…", strings.Repeat("x", 40): strings.Repeat("x", 17) + "…",
		"a " + strings.Repeat("x", 40): "a " + strings.Repeat("x", 15) + "…", "it fits into this": "it fits into this",
	} {
		if got := clip(text, 20); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
