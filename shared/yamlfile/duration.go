package yamlfile

import (
	"strconv"
	"strings"
	"time"
)

// Duration is time.ParseDuration with days of 24 hours before all else, as in 1d12h.
func Duration(text string) (time.Duration, error) {
	before, rest, found := strings.Cut(text, "d")
	if !found {
		return time.ParseDuration(text)
	}
	days, err := strconv.ParseUint(before, 10, 16)
	if err != nil || rest == "" {
		return time.Duration(days) * 24 * time.Hour, err
	}
	more, err := time.ParseDuration(rest)
	if more < 0 || strings.HasPrefix(rest, "+") {
		return 0, strconv.ErrSyntax
	}
	return time.Duration(days)*24*time.Hour + more, err
}
