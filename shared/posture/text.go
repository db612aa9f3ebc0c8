package posture

import (
	"fmt"
	"time"
)

const day = 24 * time.Hour

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + "Z" }

func counted(n int, noun string) string {
	switch n {
	case 0:
		return "no " + noun + "s"
	case 1:
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// aged is an age in whole days.
func aged(age time.Duration) string {
	if age < day {
		return "less than a day"
	}
	return counted(int(age/day), "day")
}
