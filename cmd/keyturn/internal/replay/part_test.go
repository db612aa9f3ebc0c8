package replay

import (
	"strings"
	"testing"
)

func TestUsable(t *testing.T) {
	for _, tt := range []struct {
		name string
		part part
		want string // "" is usable
	}{
		{"nothing", part{}, ""},
		{"entries", part{decoded: 3, logs: 3}, ""},
		{"nothing but rejects", part{rejected: 1}, "holds no log entry: all that is in it, 1 in number"},
		{"as many rejects as entries", part{decoded: 2, rejected: 2, logs: 2}, ""},
		{"more rejects than entries", part{decoded: 1, rejected: 1170, logs: 1}, "for the most part no log entries: 1 were decoded, 1170 rejected"},
		{"other objects", part{decoded: 2, untimed: 2}, "none of its 2 objects has a logName"},
		{"one of a log", part{decoded: 2, logs: 1}, ""},
		{"no times", part{decoded: 40, untimed: 40, logs: 40}, "none of its 40 entries has a timestamp of this century; give whole entries"},
		{"one time", part{decoded: 40, untimed: 39, logs: 40}, ""},
	} {
		err := tt.part.usable("f")
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
