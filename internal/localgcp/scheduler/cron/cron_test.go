package cron

import (
	"strings"
	"testing"
	"time"
)

func TestNext(t *testing.T) {
	for _, tc := range []struct {
		expression, zone, after string
		want                    []string
	}{
		{"*/5 * * * *", "", "2026-01-01T00:00:00Z", []string{"2026-01-01T00:05:00Z", "2026-01-01T00:10:00Z"}},
		{"* * * * *", "utc", "2026-01-01T00:00:59.5Z", []string{"2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"}},
		{"0 9 * * MON-FRI", "Etc/UTC", "2026-01-02T09:00:00Z", []string{"2026-01-05T09:00:00Z", "2026-01-06T09:00:00Z"}},
		{"0 0 * * 0", "", "2026-01-01T00:00:00Z", []string{"2026-01-04T00:00:00Z"}},
		{"0 0 * * 7", "", "2026-01-01T00:00:00Z", []string{"2026-01-04T00:00:00Z"}},
		{"0 0 1 */3 *", "", "2026-01-01T00:00:00Z", []string{"2026-04-01T00:00:00Z", "2026-07-01T00:00:00Z"}},
		{"0 0 29 2 *", "", "2026-01-01T00:00:00Z", []string{"2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"}},
		{"30 22-23,1 * JAN *", "", "2026-01-01T00:00:00Z", []string{"2026-01-01T01:30:00Z", "2026-01-01T22:30:00Z", "2026-01-01T23:30:00Z"}},
		{"0 9 * * *", "America/New_York", "2026-01-01T00:00:00Z", []string{"2026-01-01T14:00:00Z"}},
		{"0 9 * * *", "Asia/Kathmandu", "2026-01-01T00:00:00Z", []string{"2026-01-01T03:15:00Z"}},
		// 02:30 is left out on 2026-03-29 in Berlin, and 02:30 comes twice on 2026-10-25.
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", []string{"2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"}},
		{"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", []string{"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"}},
		{"0 3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", []string{"2026-03-29T01:00:00Z", "2026-03-30T01:00:00Z"}},
		{"*/30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", []string{"2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"}},
		{"0 0 29 2 *", "Europe/Berlin", "2026-01-01T00:00:00Z", []string{"2028-02-28T23:00:00Z"}},
	} {
		s, err := Parse(tc.expression, tc.zone)
		if err != nil {
			t.Errorf("%s: %v", tc.expression, err)
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, tc.after)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range tc.want {
			if at, err = s.Next(at); err != nil || at.Format(time.RFC3339) != want {
				t.Errorf("%s in %q: fires at %v (%v), want %s", tc.expression, tc.zone, at, err, want)
				break
			}
		}
	}
}

func TestScheduleErrors(t *testing.T) {
	for _, tc := range []struct{ expression, zone, want string }{
		{"", "", `the schedule "" has 0 fields`},
		{"every 5 minutes", "", `has 3 fields; write minute hour`},
		{"* * * * * *", "", "has 6 fields"},
		{"@daily", "", "has 1 fields"},
		{"0 0 L * *", "", `invalid field "L"`},
		{"0 0 * * 1#2", "", `invalid field "1#2"`},
		{"1, * * * *", "", `invalid field "1,"`},
		{"60 * * * *", "", "not in unix-cron format"},
		{"0 0 * * FOO", "", "not in unix-cron format"},
		{"0 0 30 2 *", "", "never fires"},
		{"* * * * *", "Mars/Olympus", `the time zone "Mars/Olympus" is not in the tz database`},
		{"* * * * *", "Local", "is not in the tz database"},
	} {
		if s, err := Parse(tc.expression, tc.zone); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q in %q: got %v, %v; want an error with %q", tc.expression, tc.zone, s, err, tc.want)
		}
	}
}

func TestMissed(t *testing.T) {
	for _, tc := range []struct {
		expression     string
		scheduled, now time.Duration
		want           time.Duration // zero for none
	}{
		{"0 * * * *", 0, 59 * time.Minute, 0},
		{"0 * * * *", 0, time.Hour, time.Hour},
		{"*/5 * * * *", 5 * time.Minute, 28 * time.Minute, 25 * time.Minute},
		{"* * * * *", 0, 1000 * 24 * time.Hour, 1000 * 24 * time.Hour},
		{"0 0 * * *", 0, 1000*24*time.Hour + 23*time.Hour, 1000 * 24 * time.Hour},
	} {
		s, err := Parse(tc.expression, "")
		if err != nil {
			t.Fatal(err)
		}
		start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		last, missed := s.Missed(start.Add(tc.scheduled), start.Add(tc.now))
		if missed != (tc.want > 0) || missed && last.Sub(start) != tc.want {
			t.Errorf("%s: %v, %v; want %v", tc.expression, last, missed, tc.want)
		}
	}
}

func FuzzSchedule(f *testing.F) {
	f.Add("*/5 * * * *", "Europe/Berlin", int64(1774742400))
	f.Add("30 2 * * *", "America/New_York", int64(1793491200))
	f.Add("0 0 29 2 MON", "", int64(0))
	f.Fuzz(func(t *testing.T, expression, zone string, unix int64) {
		s, err := Parse(expression, zone)
		if err != nil {
			return
		}
		at := time.Unix(unix%(1<<33), 0)
		for range 3 {
			next, err := s.Next(at)
			if err != nil {
				return // it fired for the last time
			}
			due, err := s.dueAt(next)
			if err != nil || !due || !next.After(at) {
				t.Fatalf("%q in %q: %v after %v; due then: %v, %v", expression, zone, next, at, due, err)
			}
			at = next
		}
	})
}
