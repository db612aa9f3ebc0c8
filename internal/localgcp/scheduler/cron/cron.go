// Package cron tells when Cloud Scheduler's jobs fall due.
package cron

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // zones, also where the machine has none

	"github.com/adhocore/gronx"

	"example.com/keyturn/shared/lazyregexp"
)

// Schedule is a unix-cron expression read on the wall clocks of a time zone.
//
// It fires at every instant at which those clocks show a time that the
// expression names. A time that a change to summer time leaves out does not
// fire that day; a time that the change back repeats fires twice.
type Schedule struct {
	expression string
	zone       *time.Location
}

// cronField is one field: values, ranges and steps, joined by commas. The
// library knows more (seconds, years, @daily, L, W, #) than unix-cron has.
var cronField = lazyregexp.New(`^(?i:(\*|[0-9]{1,2}|[A-Z]{3})(-([0-9]{1,2}|[A-Z]{3}))?(/[0-9]{1,2})?(,|$))+$`)

// Parse reads five fields (minute, hour, day of month, month, day of week) and
// the name of a zone of the tz database, which is UTC when empty.
func Parse(expression, zone string) (Schedule, error) {
	fields := strings.Fields(expression)
	if len(fields) != 5 {
		return Schedule{}, fmt.Errorf("the schedule %q has %d fields; write minute hour day-of-month month day-of-week", expression, len(fields))
	}
	for _, f := range fields {
		if !cronField.MatchString(f) || strings.HasSuffix(f, ",") {
			return Schedule{}, fmt.Errorf("the schedule %q has an invalid field %q", expression, f)
		}
	}
	if !gronx.IsValid(expression) {
		return Schedule{}, fmt.Errorf("the schedule %q is not in unix-cron format", expression)
	}
	if strings.EqualFold(zone, "utc") {
		zone = "UTC"
	}
	loc, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return Schedule{}, fmt.Errorf("the time zone %q is not in the tz database", zone)
	}
	s := Schedule{strings.Join(fields, " "), loc}
	if _, err := s.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)); err != nil {
		return Schedule{}, err
	}
	return s, nil
}

// Next returns the first firing after t. Between two changes of the zone's
// offset, wall clocks tick evenly, and the expression is asked about them as
// if they showed UTC.
func (s Schedule) Next(t time.Time) (time.Time, error) {
	from := t.In(s.zone)
	for {
		_, offset := from.Zone()
		_, change := from.ZoneBounds()
		shift := time.Duration(offset) * time.Second
		wall, err := gronx.NextTickAfter(s.expression, from.UTC().Add(shift).Truncate(time.Minute), false)
		if err != nil {
			return time.Time{}, fmt.Errorf("the schedule %q never fires: %w", s.expression, err)
		}
		if at := wall.Add(-shift); change.IsZero() || at.Before(change) {
			return at, nil
		}
		from = change
		if first, err := s.dueAt(change); err != nil || first {
			return change.UTC(), err
		}
	}
}

// dueAt reports whether the schedule fires at t itself.
func (s Schedule) dueAt(t time.Time) (bool, error) {
	_, offset := t.In(s.zone).Zone()
	return gronx.New().IsDue(s.expression, t.UTC().Add(time.Duration(offset)*time.Second))
}

// Missed returns the last firing after scheduled and up to now, if there is
// one. It looks back in windows that double, as a leap of the clock may have
// passed over a great many.
func (s Schedule) Missed(scheduled, now time.Time) (last time.Time, missed bool) {
	if first, err := s.Next(scheduled); err != nil || first.After(now) {
		return time.Time{}, false
	}
	for window := time.Minute; last.IsZero(); window *= 2 {
		from := now.Add(-window)
		if from.Before(scheduled) {
			from = scheduled
		}
		for next, err := s.Next(from); err == nil && !next.After(now); next, err = s.Next(next) {
			last = next
		}
	}
	return last, true
}
