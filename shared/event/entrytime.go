package event

import "time"

// entryTime is the time of the call, or of receipt where that is none. It is in
// UTC; the zero time where the entry has none that can be written down again.
func entryTime(called, received string) time.Time {
	if t, ok := parseTime(called); ok {
		return t
	}
	t, _ := parseTime(received)
	return t
}

// parseTime reads RFC 3339, which allows other years than 0 to 9999 by a zone.
func parseTime(s string) (time.Time, bool) {
	if t, ok := parseZulu(s); ok || s == "" {
		return t, ok
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if t = t.UTC(); err == nil && t.Year() >= 0 && t.Year() <= 9999 {
		return t, true
	}
	return time.Time{}, false
}

// parseZulu reads the form that Google writes, 2006-01-02T15:04:05.999999999Z,
// in a fraction of the time that time.Parse takes. It leaves all others to it.
func parseZulu(s string) (time.Time, bool) {
	const whole = len("2006-01-02T15:04:05")
	if len(s) <= whole || len(s) > whole+len(".999999999Z") || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' || s[len(s)-1] != 'Z' {
		return time.Time{}, false
	}
	year, month, day := twoDigits(s[0:2])*100+twoDigits(s[2:4]), twoDigits(s[5:7]), twoDigits(s[8:10])
	hour, minute, second := twoDigits(s[11:13]), twoDigits(s[14:16]), twoDigits(s[17:19])
	if year < 0 || month < 1 || month > 12 || day < 1 || day > 28 && day > daysIn(year, month) || uint(hour) > 23 || uint(minute) > 59 || uint(second) > 59 {
		return time.Time{}, false
	}
	nanos := nanoseconds(s[whole : len(s)-1])
	seconds := ((daysTo(year, month)+day-1)*24+hour)*3600 + minute*60 + second
	return time.Unix(int64(seconds), int64(nanos)).UTC(), nanos >= 0
}

// daysTo is how many days the first of a month is after that of January 1970. It
// counts years from March on, so that the leap day is their last.
func daysTo(year, month int) int {
	if month < 3 {
		year, month = year-1, month+12
	}
	return 365*year + floor(year, 4) - floor(year, 100) + floor(year, 400) + (153*(month-3)+2)/5 - 719468
}

// floor is a/b, rounded down.
func floor(a, b int) int {
	if a < 0 {
		return -((b - 1 - a) / b)
	}
	return a / b
}

// twoDigits reads two digits; far below 0 when they are not.
func twoDigits(s string) int {
	tens, units := s[0]-'0', s[1]-'0'
	if tens > 9 || units > 9 {
		return -1 << 20
	}
	return int(tens)*10 + int(units)
}

// daysIn is the number of days of a month of 1 to 12.
func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// nanoseconds reads nothing, or a point and up to nine digits; -1 otherwise.
func nanoseconds(fraction string) int {
	if fraction == "" {
		return 0
	}
	if fraction[0] != '.' || len(fraction) == 1 {
		return -1
	}
	n := 0
	for i := range 9 {
		digit := byte('0')
		if i+1 < len(fraction) {
			digit = fraction[i+1]
		}
		if digit -= '0'; digit > 9 {
			return -1
		}
		n = n*10 + int(digit)
	}
	return n
}
