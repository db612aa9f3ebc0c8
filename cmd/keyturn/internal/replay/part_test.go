package replay

import (
	"strings"
	"testing"
	"time"
)

func TestUsable(t *testing.T) {
	for _, tt := range []struct {
		name string
		part part
		want string // "" is usable
	}{
		{"nothing", part{}, "f is empty"},
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

func TestUnjudged(t *testing.T) {
	for _, tt := range []struct {
		name string
		r    Result
		want string // "" is that something was judged, or that the files tell themselves
	}{
		{"nothing", Result{}, ""},
		{"one of many", Result{Decoded: 9, Audit: 1, Judged: 1, Outside: 8, First: start, Last: start}, ""},
		{"all outside", Result{Decoded: 9, Audit: 9, Outside: 9, First: start, Last: start}, "no entry lies in the time asked for: those of the log are from 2026-03-01T12:00:00Z"},
		{"no audit log", Result{Decoded: 35, First: start, Last: start}, "no audit log entry among 35 entries,"},
		{"one entry of no audit log", Result{Decoded: 1, First: start, Last: start}, "no audit log entry among 1 entry,"},
		{"the audit log outside", Result{Decoded: 9, Audit: 4, Outside: 5, First: start, Last: start}, "no audit log entry lies in the time asked for"},
	} {
		err := tt.r.Unjudged()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestShort(t *testing.T) {
	for hours, want := range map[int]bool{0: true, 23: true, 24: false} {
		if r := (Result{Judged: 1, First: start, Last: start.Add(time.Duration(hours) * time.Hour)}); r.Short() != want {
			t.Errorf("a log of %d hours is short: %v", hours, !want)
		}
	}
	if r := (Result{First: start, Last: start}); r.Short() {
		t.Error("a log of which nothing is judged is short")
	}
}
