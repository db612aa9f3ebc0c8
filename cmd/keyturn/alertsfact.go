package main

import (
	"slices"
	"strconv"
	"time"

	"example.com/keyturn/shared/alerting"
)

// told are the facts that are known.
func told(all ...alerting.Field) []alerting.Field {
	return slices.DeleteFunc(slices.Clone(all), func(f alerting.Field) bool { return f.Value == "" })
}

// moment is a time, to the second; empty if it has not come.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

func amount(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func times(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "once"
	}
	return strconv.Itoa(n) + " times"
}

// byAt is who did something, if that is known, and when; empty if nobody has.
func byAt(who, at string) string {
	if at == "" || who == "" {
		return at
	}
	return "by " + who + ", " + at
}

// reasoned is what was done, and why, if that is known.
func reasoned(deed, why string) string {
	if deed == "" || why == "" {
		return deed
	}
	return deed + ": " + why
}
